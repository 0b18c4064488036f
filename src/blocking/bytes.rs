//! A WebSocket as a stream of bytes.

use std::{
    io::{self, Read, Write},
    vec::Vec,
};

use super::{Transport, WebSocket};
use crate::{
    CloseCode, Closed, Connection, Error, PartEvent,
    adapter::{LARGEST, into_io, wants_read_any_part},
};

/// A WebSocket as a stream of bytes, for protocols that were made for one: `Read` gives the payloads of
/// the messages one after the other, `Write` sends binary messages.
///
/// Where a message ends means nothing. A peer may cut them as it likes, of either kind and of any
/// size: they are read as they arrive, so that [`Config::max_message_size`](crate::Config::max_message_size)
/// can be lifted. Reading ends, with 0, when the connection has been closed by a closing handshake; an
/// [`Error`] is in an [`io::Error`] of the kind [`Other`](io::ErrorKind::Other).
///
/// What is written gathers as with [`WebSocket::feed`], and is sent before a read has to wait.
///
/// # Examples
///
/// ```no_run
/// use std::io::{BufRead, BufReader, Write};
///
/// use framewire::blocking::{ByteStream, connect};
///
/// let mut stream = BufReader::new(ByteStream::new(connect("ws://127.0.0.1:9001/")?));
/// stream.get_mut().write_all(b"one line\n")?;
/// let mut line = String::new();
/// stream.read_line(&mut line)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ByteStream<S> {
    ws: WebSocket<S>,
    /// The rest of a part that did not fit into what was given to read into.
    rest: Vec<u8>,
    taken: usize,
}

impl<S: Transport> ByteStream<S> {
    /// Makes a stream of a WebSocket.
    #[must_use]
    pub fn new(ws: WebSocket<S>) -> Self {
        Self {
            ws,
            rest: Vec::new(),
            taken: 0,
        }
    }

    /// As [`WebSocket::close`]. What has not been read is lost.
    ///
    /// # Errors
    ///
    /// As `WebSocket::close`.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        self.ws.close(code, reason)
    }

    /// The connection, to ask it something.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.ws.connection()
    }

    /// The connection, for commands such as pings. They only queue.
    #[must_use]
    pub fn connection_mut(&mut self) -> &mut Connection {
        self.ws.connection_mut()
    }

    /// The transport.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.ws.stream()
    }

    /// Gives the WebSocket back, at the end of a message: the rest of one that has been read in part is
    /// waited for, and lost.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv_ref`].
    pub fn into_websocket(mut self) -> Result<WebSocket<S>, Error> {
        while self.ws.connection.is_streaming() {
            self.ws.recv_part_ref()?;
        }
        Ok(self.ws)
    }
}

impl<S: Transport> Read for ByteStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.taken < self.rest.len() {
            let n = (&self.rest[self.taken..]).read(buf)?;
            self.taken += n;
            return Ok(n);
        }
        loop {
            let ws = &mut self.ws;
            ws.wait_for_event(wants_read_any_part).map_err(into_io)?;
            let part = match ws.connection.receive_part(&mut ws.rx) {
                Some(PartEvent::Text { part, .. }) => part.as_bytes(),
                Some(PartEvent::Binary { part, .. }) => part,
                Some(
                    PartEvent::Ping(_)
                    | PartEvent::Pong(_)
                    | PartEvent::Close(_)
                    | PartEvent::Failed(_),
                ) => continue,
                None => {
                    let failure = ws.connection.failure();
                    return failure.map_or(Ok(0), |error| Err(into_io(error.into())));
                }
            };
            let (now, later) = part.split_at(part.len().min(buf.len()));
            if !now.is_empty() {
                buf[..now.len()].copy_from_slice(now);
                self.rest.clear();
                self.rest.extend_from_slice(later);
                self.taken = 0;
                return Ok(now.len());
            }
        }
    }
}

impl<S: Transport> Write for ByteStream<S> {
    /// Sends up to 64 KiB as one message.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let (now, _) = buf.split_at(buf.len().min(LARGEST));
        if !now.is_empty() {
            self.ws.feed(now).map_err(into_io)?;
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ws.flush().map_err(into_io)
    }
}
