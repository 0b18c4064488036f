//! No WebSocket at all: what comes is sent back, in the pieces in which it comes. What the sockets and
//! the runtime cost.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::TcpStream,
};

use super::{Library, Setup, unsent::Unsent};
use crate::Outcome;

thread_local! {
    /// The thread lends it to the connection that it polls.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

pub struct Raw;

impl Library for Raw {
    async fn echo(mut stream: TcpStream, _: Setup) -> Outcome<()> {
        let mut unsent = Unsent::default();
        let echo = |cx: &mut Context<'_>| {
            BUFFER.with_borrow_mut(|buffer| poll_echo(&mut stream, &mut unsent, buffer, cx))
        };
        Ok(poll_fn(echo).await?)
    }
}

fn poll_echo(
    stream: &mut TcpStream,
    unsent: &mut Unsent,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    loop {
        ready!(unsent.poll_flush(stream, cx))?;
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        unsent.send(read.filled(), stream, cx)?;
    }
}
