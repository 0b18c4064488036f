//! Host and port of an HTTP message (RFC 3986 section 3.2, RFC 9110 section 7.2).

use core::{net::Ipv6Addr, str};

/// A host and an optional port (RFC 3986 sections 3.2.2 and 3.2.3), without user information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets. Not empty.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Takes what RFC 3986 allows except for a comma, which is the sign of two fields that something
    /// on the way has merged.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let (host, port) = split(str::from_utf8(value).ok()?)?;
        if !is_host(host) {
            return None;
        }
        let port = match port {
            None | Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        Some(Self { host, port })
    }
}

/// Separates the host from the port behind its colon. `None`: a bracket that is not closed, or
/// something else than a port behind it.
pub(crate) fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at_checked(end)?;
    match rest.strip_prefix(':') {
        None if !rest.is_empty() => None,
        port => Some((host, port)),
    }
}

/// Whether it is a name, an IPv4 address, or an IPv6 address in brackets, without a zone.
pub(super) fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && is_name(host.as_bytes()),
    }
}

/// Digits, and nothing else: `u16::from_str` would take a sign.
pub(crate) fn parse_port(digits: &str) -> Option<u16> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| are_digits)
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )`, without the comma.
fn is_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..]
                if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte) =>
            {
                rest
            }
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_follow_the_grammar() {
        for (text, name, port) in [
            ("example.com", "example.com", None),
            ("EXAMPLE.com:8080", "EXAMPLE.com", Some(8080)),
            ("h:", "h", None),
            ("h:0", "h", Some(0)),
            ("h:65535", "h", Some(65535)),
            ("h:00080", "h", Some(80)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[2001:DB8::1.2.3.4]:443", "[2001:DB8::1.2.3.4]", Some(443)),
            ("a_b~c!$&'()*+;=d", "a_b~c!$&'()*+;=d", None),
            ("%C3%BC", "%C3%BC", None),
        ] {
            let expected = Authority { host: name, port };
            assert_eq!(Authority::parse(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            ":",
            ":80",
            "a b",
            "a,b",
            "a, b",
            "u@h",
            "h/",
            "h?",
            "h#",
            "h\\",
            "h\"",
            "a:b:c",
            "h:65536",
            "h:99999999999999999999",
            "h:+80",
            "h:-1",
            "h:8 0",
            "h:80:",
            "h:8a",
            "[::1",
            "[]",
            "[::1]80",
            "[::1]:x",
            "[g::1]",
            "[fe80::1%eth0]",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "::1",
            "a]",
            "h%",
            "h%4",
            "h%4g",
            "é",
            "h\0",
            "h\t",
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Authority::parse(b"h\xff"), None);
    }
}
