//! SOCKS5 (RFC 1928) with a user and a password (RFC 1929): questions of a few bytes, each of which waits
//! for the answer to the one before it.

use alloc::{boxed::Box, vec::Vec};
use core::net::IpAddr;

use super::{ProxyError, SocksFailure};
use crate::client::Uri;
use crate::connect::proxy::Credentials;
use crate::{RecvBuf, SendBuf};

/// Version numbers of the protocol, and of the authentication within it.
const VERSION: u8 = 5;
const AUTHENTICATION_VERSION: u8 = 1;
/// Methods of authentication (RFC 1928 section 3).
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NO_ACCEPTABLE: u8 = 0xff;
/// The command that asks for a tunnel (RFC 1928 section 4).
const CONNECT: u8 = 1;
/// Types of addresses (RFC 1928 section 5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Questions and answers, as far as they are not over.
pub(super) struct Dialogue {
    /// What is asked when all else is said.
    request: Box<[u8]>,
    /// How user and password are said, if they are offered.
    authentication: Option<Box<[u8]>>,
    step: Step,
    /// What has arrived of the answer to the last question; never a byte behind it.
    answer: Vec<u8>,
    /// How many bytes of answers have arrived at all.
    received: usize,
}

/// Which answer is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Version, method.
    Method,
    /// Version, status.
    Authentication,
    /// Version, reply, reserved, type of address, address, port.
    Reply,
}

impl Dialogue {
    pub(super) fn begin(
        uri: &Uri,
        credentials: Option<&Credentials>,
        tx: &mut SendBuf,
    ) -> Result<Self, ProxyError> {
        let request = request(uri)?;
        let authentication = match credentials {
            Some(Credentials::Socks(user, password)) => authentication(user, password),
            Some(Credentials::Basic(_)) | None => None,
        };
        tx.push_bytes(match authentication {
            None => &[VERSION, 1, NO_AUTHENTICATION],
            Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
        });
        Ok(Self {
            request,
            authentication,
            step: Step::Method,
            answer: Vec::new(),
            received: 0,
        })
    }

    /// Tells whether the tunnel is open.
    pub(super) fn receive(
        &mut self,
        rx: &mut RecvBuf,
        tx: &mut SendBuf,
    ) -> Result<bool, ProxyError> {
        if self.received == 0 {
            rx.change_owner();
        }
        loop {
            while self.missing()? > 0 {
                if rx.undecoded().is_empty() {
                    return Ok(false);
                }
                self.take(rx)?;
            }
            if self.go_on(tx)? {
                return Ok(true);
            }
            self.answer.clear();
        }
    }

    /// How many bytes the answer lacks, as far as is known by now.
    fn missing(&self) -> Result<usize, ProxyError> {
        Ok(self.step.len(&self.answer)? - self.answer.len())
    }

    /// Takes what is there of the missing bytes.
    fn take(&mut self, rx: &mut RecvBuf) -> Result<(), ProxyError> {
        let n = self.missing()?.min(rx.undecoded().len());
        let (taken, _) = rx.take(n);
        self.answer.extend_from_slice(taken);
        self.received += n;
        Ok(())
    }

    /// Makes something of a complete answer. Tells whether it was the last one.
    fn go_on(&mut self, tx: &mut SendBuf) -> Result<bool, ProxyError> {
        match (self.step, self.answer.get(1)) {
            (Step::Method, Some(&NO_AUTHENTICATION)) => self.ask_for_server(tx),
            (Step::Method, Some(&NO_ACCEPTABLE)) => return Err(ProxyError::NoAcceptableMethod),
            (Step::Method, method) => {
                let method = method.copied().unwrap_or_default();
                let is_offered = method == PASSWORD;
                let authentication = self.authentication.take().filter(|_| is_offered);
                let bytes = authentication.ok_or(ProxyError::MethodNotOffered(method))?;
                tx.push_bytes(&bytes);
                self.step = Step::Authentication;
            }
            (Step::Authentication, Some(0)) => self.ask_for_server(tx),
            (Step::Authentication, _) => return Err(ProxyError::WrongCredentials),
            (Step::Reply, _) => return Ok(true),
        }
        Ok(false)
    }

    fn ask_for_server(&mut self, tx: &mut SendBuf) {
        tx.push_bytes(&self.request);
        self.step = Step::Reply;
    }

    pub(super) fn received(&self) -> usize {
        self.received
    }
}

impl Step {
    /// How long the answer is at least that begins with `answer`; exactly, if that is all of it. Whatever
    /// is wrong is told at the first byte that makes it so, however they arrive.
    fn len(self, answer: &[u8]) -> Result<usize, ProxyError> {
        let expected = match self {
            Self::Method | Self::Reply => VERSION,
            Self::Authentication => AUTHENTICATION_VERSION,
        };
        let (version, rest) = match answer {
            [] => return Ok(2),
            [version, rest @ ..] => (*version, rest),
        };
        if version != expected {
            return Err(ProxyError::SocksVersion(version));
        }
        if self != Self::Reply {
            return Ok(2);
        }
        // What is reserved means nothing, whatever it is.
        let address = match rest {
            [] | [0] => return Ok(2 + 3),
            [0, _reserved, address @ ..] => address,
            [code, ..] => return Err(ProxyError::Socks(SocksFailure::new(*code))),
        };
        let address = match address {
            [] | [NAME] => return Ok(5),
            [IPV4, ..] => 4,
            [IPV6, ..] => 16,
            [NAME, len, ..] => 1 + usize::from(*len),
            [kind, ..] => return Err(ProxyError::AddressType(*kind)),
        };
        // The address is that of the proxy towards the server. Nobody here needs it.
        Ok(4 + address + 2)
    }
}

/// Asks for the server of `uri`: by its address, if it has no name.
fn request(uri: &Uri) -> Result<Box<[u8]>, ProxyError> {
    let mut bytes = alloc::vec![VERSION, CONNECT, 0];
    match uri.host().parse() {
        Ok(IpAddr::V4(address)) => {
            bytes.push(IPV4);
            bytes.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            bytes.push(IPV6);
            bytes.extend_from_slice(&address.octets());
        }
        Err(_) => {
            bytes.push(NAME);
            // To look up here what can't be said there would tell others the name.
            push_text(&mut bytes, uri.host()).ok_or(ProxyError::NameTooLong)?;
        }
    }
    bytes.extend_from_slice(&uri.port().to_be_bytes());
    Ok(bytes.into())
}

/// Says user and password (RFC 1929 section 2).
fn authentication(user: &str, password: &str) -> Option<Box<[u8]>> {
    let mut bytes = alloc::vec![AUTHENTICATION_VERSION];
    push_text(&mut bytes, user)?;
    push_text(&mut bytes, password)?;
    Some(bytes.into())
}

/// A text behind its length. `None`: it is too long.
fn push_text(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    bytes.push(u8::try_from(text.len()).ok()?);
    bytes.extend_from_slice(text.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_of_an_answer_is_known_by_its_first_bytes() {
        use ProxyError as E;
        let reply = Step::Reply;
        for (step, answer, expected) in [
            (Step::Method, &[][..], Ok(2)),
            (Step::Method, &[5], Ok(2)),
            (Step::Method, &[5, 0xff], Ok(2)),
            (Step::Method, &[4], Err(E::SocksVersion(4))),
            (Step::Authentication, &[1], Ok(2)),
            (Step::Authentication, &[5], Err(E::SocksVersion(5))),
            (reply, &[], Ok(2)),
            (reply, &[5], Ok(5)),
            (reply, &[1], Err(E::SocksVersion(1))),
            (reply, &[5, 0], Ok(5)),
            (
                reply,
                &[5, 5],
                Err(E::Socks(SocksFailure::ConnectionRefused)),
            ),
            (reply, &[5, 0, 0x7f], Ok(5)),
            (reply, &[5, 0, 0, 1], Ok(10)),
            (reply, &[5, 0, 0, 2], Err(E::AddressType(2))),
            (reply, &[5, 0, 0, 3], Ok(5)),
            (reply, &[5, 0, 0, 3, 0], Ok(7)),
            (reply, &[5, 0, 0, 3, 255], Ok(262)),
            (reply, &[5, 0, 0, 4], Ok(22)),
            (reply, &[5, 0, 0, 4, 9, 9], Ok(22)),
        ] {
            assert_eq!(step.len(answer), expected, "{step:?} {answer:?}");
        }
    }
}
