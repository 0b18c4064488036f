//! What a blocking transport has to be able to do, and the transports of the standard library.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// A transport that blocks, and that a deadline can wake: [`TcpStream`], `UnixStream`, and whatever you
/// implement it for, TLS over one of them for instance. Anything else that reads and writes can be
/// used inside of [`Untimed`].
///
/// # Examples
///
/// ```
/// use std::{io, io::{Read, Write}, net::TcpStream, time::Duration};
///
/// use framewire::blocking::Transport;
///
/// /// A layer of yours that makes one call of each: its deadlines are those of the socket below.
/// struct Layer(TcpStream);
///
/// impl Read for Layer {
///     fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
///         self.0.read(buf)
///     }
/// }
///
/// impl Write for Layer {
///     fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
///         self.0.write(buf)
///     }
///     fn flush(&mut self) -> io::Result<()> {
///         self.0.flush()
///     }
/// }
///
/// impl Transport for Layer {
///     fn prepare(&mut self) -> io::Result<()> {
///         self.0.prepare()
///     }
///     fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
///         self.0.limit_read(timeout)
///     }
///     fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
///         self.0.limit_write(timeout)
///     }
///     fn end_writing(&mut self) -> io::Result<()> {
///         self.0.end_writing()
///     }
/// }
/// ```
pub trait Transport: Read + Write {
    /// Makes ready for messages, before the first byte: lets it block, and switches Nagle's algorithm
    /// off, because messages are gathered already when they are written.
    ///
    /// # Errors
    ///
    /// Those of the transport. They end the handshake.
    fn prepare(&mut self) -> io::Result<()>;

    /// Lets a read that has to wait end after `timeout`, which is never zero, with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut). `None`: it
    /// may wait for ever.
    ///
    /// It is for the whole call. A layer that reads several times from the socket below for one read of
    /// its own, as TLS does for a record, has to share it out between them, or a peer that sends a byte
    /// now and then makes the call last.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if that can't be: there are no deadlines then.
    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// As [`limit_read`](Self::limit_read), for writes.
    ///
    /// # Errors
    ///
    /// As `limit_read`.
    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Tells the peer that no more bytes follow; reading goes on. Called once; of a transport that is
    /// [split](super::WebSocket::split), once on each handle at most.
    ///
    /// # Errors
    ///
    /// Those of the transport. They are ignored: the connection is at its end.
    fn end_writing(&mut self) -> io::Result<()>;
}

/// A transport that one thread can read while another one writes, which
/// [`split`](super::WebSocket::split) needs.
pub trait SplitTransport: Transport + Sized {
    /// Another handle to the same transport.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    fn try_clone(&self) -> io::Result<Self>;

    /// Ends both directions at once: a thread that is blocked in the transport wakes up.
    ///
    /// # Errors
    ///
    /// Those of the transport. They are ignored.
    fn end(&self) -> io::Result<()>;
}

impl Transport for TcpStream {
    fn prepare(&mut self) -> io::Result<()> {
        // On some systems a socket is as its listener was.
        self.set_nonblocking(false)?;
        self.set_nodelay(true)
    }

    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        unless_gone(self.set_read_timeout(timeout))
    }

    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        unless_gone(self.set_write_timeout(timeout))
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl SplitTransport for TcpStream {
    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }
}

#[cfg(unix)]
impl Transport for UnixStream {
    fn prepare(&mut self) -> io::Result<()> {
        self.set_nonblocking(false)
    }

    fn limit_read(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        unless_gone(self.set_read_timeout(timeout))
    }

    fn limit_write(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        unless_gone(self.set_write_timeout(timeout))
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(unix)]
impl SplitTransport for UnixStream {
    fn try_clone(&self) -> io::Result<Self> {
        Self::try_clone(self)
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }
}

/// Some systems, macOS for one, refuse to limit a socket whose peer is gone. No call waits on such a socket,
/// and what the peer had sent is there to be read.
fn unless_gone(limited: io::Result<()>) -> io::Result<()> {
    match limited {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        limited => limited,
    }
}

/// Any `Read + Write` as a transport without deadlines: everything works but [`split`], and a peer that
/// is silent, does not read or does not answer a Close frame can block a call for ever.
///
/// If reads and writes of the inner transport time out or do not block, calls return
/// [`Error::Io`](crate::Error::Io) with [`WouldBlock`](io::ErrorKind::WouldBlock) or
/// [`TimedOut`](io::ErrorKind::TimedOut). An open connection loses nothing by that: call again. In each
/// such call the clock is looked at, so that deadlines hold as often as there are calls. An opening
/// handshake ends.
///
/// [`split`]: super::WebSocket::split
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a newtype, meant to be made by hand"
)]
pub struct Untimed<S>(pub S);

impl<S: Read> Read for Untimed<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<S: Write> Write for Untimed<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Transport for Untimed<S> {
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn limit_read(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn limit_write(&mut self, _: Option<Duration>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn end_writing(&mut self) -> io::Result<()> {
        Ok(())
    }
}
