//! Why there is no way to the server through a proxy.

use thiserror::Error;

use crate::client::{HandshakeError, Response};

/// A proxy has not opened a way to the server. Nothing was sent to the server, and nothing is left to do but
/// to drop the transport.
///
/// What is shown of it holds no byte of the peer but numbers, so it can be logged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The name of the server is longer than 255 bytes, the most that SOCKS5 can say (RFC 1928 section 5).
    /// Nothing was sent to the proxy.
    #[error("host name of more than 255 bytes, which SOCKS5 can't ask for")]
    NameTooLong,
    /// The proxy answered CONNECT with another status than 2xx. With 407 it wants other credentials than it
    /// got, if any: look at the header `Proxy-Authenticate`. The body is not there.
    #[error("the proxy refused with status {}", .0.status())]
    Refused(Response),
    /// The answer to CONNECT breaks the rules of HTTP. This is what a proxy looks like that speaks something
    /// else, or that wants TLS.
    #[error("the proxy broke the rules: {0}")]
    InvalidAnswer(#[from] HandshakeError),
    /// The proxy answered CONNECT with 101: nothing was asked for that it could switch to
    /// (RFC 9110 section 15.2.2).
    #[error("the proxy switched protocols, which it was not asked for")]
    UnexpectedUpgrade,
    /// An answer begins with another version number than that of SOCKS5 or, where it is about user and
    /// password, that of RFC 1929. This is what a proxy looks like that speaks something else.
    #[error("answer of version {0}, which is not that of SOCKS5")]
    SocksVersion(u8),
    /// The SOCKS5 proxy takes none of the methods of authentication that were offered: it wants a user and a
    /// password if it got none, or something else (RFC 1928 section 3).
    #[error("the proxy accepts no method of authentication that was offered")]
    NoAcceptableMethod,
    /// The SOCKS5 proxy chose a method of authentication that was not offered (RFC 1928 section 3).
    #[error("the proxy chose method {0} of authentication, which was not offered")]
    MethodNotOffered(u8),
    /// The SOCKS5 proxy does not take this user with this password (RFC 1929 section 2).
    #[error("the proxy refused the user or the password")]
    WrongCredentials,
    /// The SOCKS5 proxy did not connect to the server (RFC 1928 section 6).
    #[error("the proxy did not connect to the server: {0}")]
    Socks(#[from] SocksFailure),
    /// The SOCKS5 proxy told its address in a form that does not exist (RFC 1928 section 6).
    #[error("the proxy has an address of the unknown type {0}")]
    AddressType(u8),
    /// More bytes came with the proxy's consent. Neither a TLS server nor a WebSocket server speaks before
    /// it is spoken to, so they answer a question that somebody else has asked, or none.
    #[error("bytes behind the answer of the proxy, before anything was sent")]
    EarlyBytes,
    /// The transport ended before the answer was complete.
    #[error("the transport ended {received} bytes into the answer of the proxy")]
    Aborted {
        /// How many bytes had been received.
        received: usize,
    },
    /// The deadline came before the answer was complete. A [`Tunnel`](super::Tunnel) itself knows none:
    /// this is for those who keep it.
    #[error("the proxy took too long")]
    TimedOut,
}

/// Why a SOCKS5 proxy did not connect to the server, in its own words ([RFC 1928 section 6][rfc]).
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc1928#section-6
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocksFailure {
    /// 1: it does not say what is wrong.
    #[error("general failure")]
    General,
    /// 2: its rules do not allow it.
    #[error("not allowed")]
    NotAllowed,
    /// 3.
    #[error("network unreachable")]
    NetworkUnreachable,
    /// 4: what many say as well when they do not know the name.
    #[error("host unreachable")]
    HostUnreachable,
    /// 5: nobody listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// 6: it was too far, or took too long.
    #[error("time to live expired")]
    TtlExpired,
    /// 7: it makes no connections.
    #[error("command not supported")]
    CommandNotSupported,
    /// 8: it can do nothing with a name, or with an address of this kind.
    #[error("type of address not supported")]
    AddressTypeNotSupported,
    /// A code that RFC 1928 does not know.
    #[error("unknown code {0}")]
    Unknown(u8),
}

impl SocksFailure {
    /// `code` is not 0, which is success.
    pub(super) fn new(code: u8) -> Self {
        match code {
            1 => Self::General,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            code => Self::Unknown(code),
        }
    }
}
