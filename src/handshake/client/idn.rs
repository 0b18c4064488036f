//! Host names beyond ASCII (RFC 6455 section 11.1.1, RFC 5890): their form in A-labels by Unicode
//! Technical Standard 46, if the feature `idna` is there to make it. Whether the outcome is a host is
//! left to the caller, who has to ask that of every host.
//!
//! A host that is ASCII never comes here: it is the same with and without the feature, also if it has
//! an `xn--` label that no name is encoded as. Such a label is harmful to who decodes one, and finds
//! `example` behind `xn--example-`. Nothing is decoded here: who is connected to, named in Host,
//! checked for a certificate and compared in redirects has that very text for a name.

use alloc::string::String;

#[cfg(feature = "idna")]
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::InvalidUri;

/// What ASCII must not come of other characters: all but letters, digits, hyphens, dots, and the
/// underscores that names of services have.
#[cfg(feature = "idna")]
const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// The form in A-labels of a host that is not ASCII: non-transitional, as in browsers, but for names
/// that DNS has no room for and for addresses, which are written in ASCII.
#[cfg(feature = "idna")]
pub(super) fn to_ascii(host: &str) -> Result<String, InvalidUri> {
    let length = DnsLength::VerifyAllowRootDot;
    let mapped = Uts46::new().to_ascii(host.as_bytes(), DENIED, Hyphens::Allow, length);
    match mapped {
        Ok(name) if !is_address(&name) => Ok(name.into_owned()),
        Ok(_) | Err(_) => Err(InvalidUri::Host),
    }
}

/// Takes none: there is nothing to make A-labels with.
#[cfg(not(feature = "idna"))]
pub(super) fn to_ascii(_host: &str) -> Result<String, InvalidUri> {
    Err(InvalidUri::NonAsciiHost)
}

/// Whether resolvers may take `name`, in lower case, for an IPv4 address in one of its many forms:
/// its last label is a number. There is no such top-level domain (RFC 3696 section 2).
#[cfg(feature = "idna")]
fn is_address(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(is_hexadecimal)
}
