//! The tunnel of a proxy, over a transport that is polled.
#![expect(clippy::disallowed_types, reason = "an adapter is where clocks belong")]

use core::{
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::{io as std_io, time::Instant};

use super::{Runtime, Transport, io::Io};
use crate::{
    RecvBuf,
    connect::{ProxyError, Tunnel, TunnelFailed},
};

/// Lets a proxy connect us, not later than `limit` after `origin`.
pub(crate) async fn dig<S: Transport<R>, R: Runtime>(
    stream: S,
    tunnel: Tunnel,
    limit: Duration,
    origin: Instant,
) -> Result<S, TunnelFailed> {
    let mut digging = Digging {
        io: Io::new(stream, origin),
        tunnel,
        rx: RecvBuf::new(),
        is_open: false,
    };
    poll_fn(|cx| digging.poll(cx, limit)).await?;
    Ok(digging.io.stream)
}

struct Digging<S, R: Runtime> {
    io: Io<S, R>,
    tunnel: Tunnel,
    rx: RecvBuf,
    /// The proxy has consented, perhaps before it was told everything.
    is_open: bool,
}

impl<S: Transport<R>, R: Runtime> Digging<S, R> {
    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<Result<(), TunnelFailed>> {
        if let Poll::Ready(opened) = self.poll_open(cx) {
            return Poll::Ready(opened);
        }
        ready!(self.io.poll_due(cx, Some(limit)));
        Poll::Ready(Err(ProxyError::TimedOut.into()))
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelFailed>> {
        let Self {
            io,
            tunnel,
            rx,
            is_open,
        } = self;
        loop {
            if let Some(opened) = tunnel.receive(rx) {
                opened?;
                *is_open = true;
            }
            let written = io.poll_write(cx, tunnel.send_buf())?;
            if *is_open {
                return written.map(Ok);
            }
            match ready!(io.poll_read(cx, rx)) {
                Ok(0) => tunnel.receive_eof()?,
                Ok(_) => {}
                Err(error) if error.kind() == std_io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}
