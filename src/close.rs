//! Close codes and the payload of a Close frame (RFC 6455 sections 5.5.1 and 7.4).
//!
//! Which codes may be sent and which may be received stands in one table here; how a connection
//! closes is the business of `connection/closing.rs`.

use core::fmt;

use crate::{Role, utf8};

/// The status code of a Close frame ([RFC 6455 section 7.4][rfc]).
///
/// Any `u16` can be held, because a code can be reported that must never appear on the wire (1005
/// and 1006). [`Connection::close`](crate::Connection::close) refuses what
/// [`is_sendable`](Self::is_sendable) refuses, and a received code that is not
/// [`is_receivable`](Self::is_receivable) fails the connection.
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc6455#section-7.4
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

/// One row for each range of codes that is defined: first, last, who may put it on the wire, name.
/// Codes outside these rows are never legal in a frame.
const TABLE: &[(u16, u16, OnWire, Option<&str>)] = &[
    (1000, 1000, OnWire::Both, Some("normal closure")),
    (1001, 1001, OnWire::Both, Some("going away")),
    (1002, 1002, OnWire::Both, Some("protocol error")),
    (1003, 1003, OnWire::Both, Some("unsupported data")),
    (1005, 1005, OnWire::Never, Some("no status received")),
    (1006, 1006, OnWire::Never, Some("abnormal closure")),
    (1007, 1007, OnWire::Both, Some("invalid payload data")),
    (1008, 1008, OnWire::Both, Some("policy violation")),
    (1009, 1009, OnWire::Both, Some("message too big")),
    (1010, 1010, OnWire::FromClient, Some("mandatory extension")),
    (1011, 1011, OnWire::Both, Some("internal error")),
    (1012, 1012, OnWire::Both, Some("service restart")),
    (1013, 1013, OnWire::Both, Some("try again later")),
    (1014, 1014, OnWire::Both, Some("bad gateway")),
    (1015, 1015, OnWire::Never, Some("TLS handshake")),
    (3000, 3999, OnWire::Both, None),
    (4000, 4999, OnWire::Both, None),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnWire {
    Both,
    FromClient,
    Never,
}

impl CloseCode {
    /// 1000: the purpose of the connection has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the peer sent a kind of data that this endpoint can't accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: a Close frame came without a code. Reported only, never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a Close frame. Reported only, never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the payload did not fit its type, for instance text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the peer violated a policy that no other code names.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message was too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension that it needs. Only clients send it.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: a server met a condition that keeps it from fulfilling the request.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (registered after RFC 6455).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded: try again later (registered after RFC 6455).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from upstream (registered after RFC 6455).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Reported only, never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Wraps any number, legal in a frame or not.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Makes a code of the range 3000 to 3999, for libraries and frameworks that registered it.
    ///
    /// `None` outside the range.
    #[must_use]
    pub const fn library(code: u16) -> Option<Self> {
        if code >= 3000 && code <= 3999 {
            Some(Self(code))
        } else {
            None
        }
    }

    /// Makes a code of the range 4000 to 4999, for private use between two applications.
    ///
    /// `None` outside the range.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::CloseCode;
    ///
    /// const KICKED: CloseCode = CloseCode::private(4001).unwrap();
    /// assert_eq!(KICKED.get(), 4001);
    /// assert_eq!(CloseCode::private(1000), None);
    /// ```
    #[must_use]
    pub const fn private(code: u16) -> Option<Self> {
        if code >= 4000 && code <= 4999 {
            Some(Self(code))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether an endpoint in this role may put the code into a Close frame.
    #[must_use]
    pub fn is_sendable(self, role: Role) -> bool {
        match self.on_wire() {
            OnWire::Both => true,
            OnWire::FromClient => role == Role::Client,
            OnWire::Never => false,
        }
    }

    /// Whether the code may stand in a received Close frame. Everything else fails the connection
    /// with 1002.
    ///
    /// 1010 is accepted from both sides: section 7.4.1 tells servers to have no use for it, but
    /// does not tell clients to reject it.
    #[must_use]
    pub fn is_receivable(self) -> bool {
        self.on_wire() != OnWire::Never
    }

    fn on_wire(self) -> OnWire {
        self.row().map_or(OnWire::Never, |row| row.2)
    }

    fn row(self) -> Option<&'static (u16, u16, OnWire, Option<&'static str>)> {
        TABLE.iter().find(|row| (row.0..=row.1).contains(&self.0))
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row().and_then(|row| row.3) {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({self})")
    }
}

/// The code and the reason of a received Close frame, borrowed from the [`RecvBuf`](crate::RecvBuf).
///
/// The reason is chosen by the peer. RFC 6455 section 5.5.1 forbids showing it to end users;
/// `Debug` escapes it, so that it can stand in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseFrame<'a> {
    /// The code: always one that [`CloseCode::is_receivable`] accepts.
    pub code: CloseCode,
    /// The reason, at most 123 bytes, empty if the peer gave none.
    pub reason: &'a str,
}

/// What can be wrong with the payload of a Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClosePayloadError {
    OneByte,
    Code(CloseCode),
    Reason,
}

impl<'a> CloseFrame<'a> {
    /// Reads the payload of a Close frame; an empty one has no code (RFC 6455 section 5.5.1).
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Option<Self>, ClosePayloadError> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(ClosePayloadError::OneByte),
            [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
        };
        if !code.is_receivable() {
            return Err(ClosePayloadError::Code(code));
        }
        match utf8::validate(reason) {
            Some(reason) => Ok(Some(Self { code, reason })),
            None => Err(ClosePayloadError::Reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    // req: C-04, C-05, C-06, C-07, C-08, C-11, C-12, C-40
    #[test]
    fn every_code_is_judged_by_the_rfc() {
        for number in 0..=u16::MAX {
            let code = CloseCode::new(number);
            let legal = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
            assert_eq!(code.is_receivable(), legal, "{number}");
            assert_eq!(code.is_sendable(Role::Client), legal, "{number}");
            assert_eq!(
                code.is_sendable(Role::Server),
                legal && number != 1010,
                "{number}"
            );
            assert_eq!(
                CloseCode::library(number).is_some(),
                (3000..=3999).contains(&number)
            );
            assert_eq!(
                CloseCode::private(number).is_some(),
                (4000..=4999).contains(&number)
            );
        }
    }

    #[test]
    fn codes_print_their_number_and_name() {
        assert_eq!(format!("{}", CloseCode::NORMAL), "1000 (normal closure)");
        assert_eq!(format!("{:?}", CloseCode::new(4321)), "CloseCode(4321)");
    }

    #[test]
    fn payloads_are_parsed_by_the_rfc() {
        assert_eq!(CloseFrame::parse(b""), Ok(None));
        assert_eq!(CloseFrame::parse(&[3]), Err(ClosePayloadError::OneByte));
        assert_eq!(
            CloseFrame::parse(&[3, 0xe8, 0xff]),
            Err(ClosePayloadError::Reason)
        );
        let frame = CloseFrame::parse(b"\x03\xe8bye")
            .expect("legal")
            .expect("with a code");
        assert_eq!((frame.code, frame.reason), (CloseCode::NORMAL, "bye"));
    }
}
