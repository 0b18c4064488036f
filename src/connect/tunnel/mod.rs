//! What is said to a proxy before the server can be spoken to, without I/O: [`http`] is CONNECT, [`socks5`]
//! is SOCKS5.

// Lengths come from the peer here.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod error;
mod http;
mod socks5;

use core::fmt;

pub use error::{ProxyError, SocksFailure};

use super::Proxy;
use crate::client::{Config, Uri};
use crate::{RecvBuf, SendBuf};
use http::Connect;
use socks5::Dialogue;

/// Asks a proxy for a way to a server.
///
/// It comes between the transport to the proxy and TLS or the opening handshake with the server. Nothing
/// meant for the server may be sent before the result is there (RFC 6455 section 4.1): the two have no
/// bytes in common, and a proxy that refuses has seen none of them.
///
/// It has no clock: the deadline of what comes behind it is the deadline of it as well, and whoever keeps it
/// has [`ProxyError::TimedOut`] to say so.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read, Write};
///
/// use framewire::RecvBuf;
/// use framewire::client::{Config, Uri};
/// use framewire::connect::{Proxy, Tunnel};
///
/// fn open(
///     proxy: &Proxy,
///     uri: &Uri,
///     stream: &mut (impl Read + Write),
///     rx: &mut RecvBuf,
/// ) -> io::Result<()> {
///     let mut tunnel = Tunnel::new(proxy, uri, &Config::new()).map_err(io::Error::other)?;
///     loop {
///         let result = tunnel.receive(rx);
///         while !tunnel.send_buf().is_empty() {
///             tunnel.send_buf().write_to(stream)?;
///         }
///         if let Some(result) = result {
///             return result.map_err(io::Error::other);
///         }
///         if rx.read_from(stream)? == 0 {
///             tunnel.receive_eof().map_err(io::Error::other)?;
///         }
///     }
/// }
/// # struct Wire(&'static [u8], Vec<u8>);
/// # impl Read for Wire { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
/// # impl Write for Wire {
/// #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// # let proxy = Proxy::new("http://proxy.example:3128").expect("a proxy");
/// # let uri = "ws://example.com/chat".parse().expect("a URI");
/// # let mut wire = Wire(b"HTTP/1.1 200 Connected\r\n\r\n", vec![]);
/// # open(&proxy, &uri, &mut wire, &mut RecvBuf::new()).expect("open");
/// # assert_eq!(wire.1, b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n");
/// # let mut wire = Wire(b"HTTP/1.1 407 Who?\r\n\r\n", vec![]);
/// # let refused = open(&proxy, &uri, &mut wire, &mut RecvBuf::new()).expect_err("refused");
/// # assert_eq!(refused.to_string(), "the proxy refused with status 407");
/// # assert!(open(&proxy, &uri, &mut Wire(b"HTTP", vec![]), &mut RecvBuf::new()).is_err());
/// ```
pub struct Tunnel {
    tx: SendBuf,
    phase: Phase,
}

enum Phase {
    Http(Connect),
    Socks5(Dialogue),
    /// What follows is the server's.
    Open,
    /// Nothing more is expected: input is discarded.
    Failed,
}

impl Tunnel {
    /// Begins to ask `proxy` for the server of `uri`, with the first bytes to it in
    /// [`send_buf`](Self::send_buf).
    ///
    /// Of `config`, the limits on the head of a response hold for the proxy's as well.
    ///
    /// # Errors
    ///
    /// [`ProxyError::NameTooLong`]: there is no way to ask for it by SOCKS5.
    pub fn new(proxy: &Proxy, uri: &Uri, config: &Config) -> Result<Self, ProxyError> {
        let mut tx = SendBuf::new();
        let credentials = proxy.sent_credentials();
        let phase = if proxy.is_socks() {
            Phase::Socks5(Dialogue::begin(uri, credentials, &mut tx)?)
        } else {
            Phase::Http(Connect::begin(uri, credentials, config, &mut tx))
        };
        Ok(Self { tx, phase })
    }

    /// Takes what the proxy answers out of `rx`, or `None` if more is needed: write
    /// [`send_buf`](Self::send_buf), fill `rx` and call again.
    ///
    /// There is one result; after it, it is `None` for ever. When it is `Ok`, write what is left in
    /// `send_buf`; behind that the way to the server is open, and `rx` is empty.
    ///
    /// # Errors
    ///
    /// A [`ProxyError`], of which [`EarlyBytes`](ProxyError::EarlyBytes) counts what is in `rx` by then:
    /// drop the transport. What is in `rx` is discarded, now and in later calls, and so is what was not
    /// written.
    ///
    /// # Cost
    ///
    /// Each byte is looked at once while it arrives. Of HTTP, the complete head is copied once; the body of
    /// a refusal is not waited for.
    ///
    /// # Panics
    ///
    /// If `rx` is not the buffer that holds the beginning of the answer, or holds a part of a message
    /// of some connection.
    pub fn receive(&mut self, rx: &mut RecvBuf) -> Option<Result<(), ProxyError>> {
        let is_open = match &mut self.phase {
            Phase::Http(connect) => connect.receive(rx),
            Phase::Socks5(dialogue) => dialogue.receive(rx, &mut self.tx),
            Phase::Open => return None,
            Phase::Failed => {
                rx.discard();
                return None;
            }
        };
        match is_open {
            Ok(false) => None,
            Ok(true) if rx.undecoded().is_empty() => {
                self.phase = Phase::Open;
                Some(Ok(()))
            }
            Ok(true) => Some(Err(self.fail(rx, ProxyError::EarlyBytes))),
            Err(error) => Some(Err(self.fail(rx, error))),
        }
    }

    fn fail(&mut self, rx: &mut RecvBuf, error: ProxyError) -> ProxyError {
        self.stop();
        rx.discard();
        error
    }

    /// Ends it without a way to the server: nothing is sent or received any more.
    fn stop(&mut self) {
        self.phase = Phase::Failed;
        self.tx.clear();
    }

    /// Takes note that the transport has ended: all that it delivered must have been received.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Aborted`] if there was no result. Nothing can come of it any more.
    pub fn receive_eof(&mut self) -> Result<(), ProxyError> {
        let received = match &self.phase {
            Phase::Http(connect) => connect.received(),
            Phase::Socks5(dialogue) => dialogue.received(),
            Phase::Open | Phase::Failed => return Ok(()),
        };
        self.stop();
        Err(ProxyError::Aborted { received })
    }

    /// The bytes to write to the proxy.
    pub fn send_buf(&mut self) -> &mut SendBuf {
        &mut self.tx
    }
}

impl fmt::Debug for Tunnel {
    /// Without what is said, in which there are credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::Http(_) => "Http",
            Phase::Socks5(_) => "Socks5",
            Phase::Open => "Open",
            Phase::Failed => "Failed",
        };
        f.debug_struct("Tunnel")
            .field("phase", &phase)
            .finish_non_exhaustive()
    }
}
