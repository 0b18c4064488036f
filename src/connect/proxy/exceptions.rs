//! The servers that are reached without a proxy: those that `NO_PROXY` lists, and this very machine. No
//! standard says what is in such a list; this reads it as Go does, which has the most careful reading.

use alloc::{string::String, vec::Vec};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::client::Uri;
use crate::handshake::authority::{parse_port, split};

/// A list of servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions {
    rules: Vec<Rule>,
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    All,
    /// Addresses whose first bits are those of `network`.
    Network {
        network: IpAddr,
        bits: u32,
        port: Option<u16>,
    },
    /// Names below `domain`, and perhaps that itself. It is in lower case and has no dot around it.
    Domain {
        domain: String,
        itself: bool,
        port: Option<u16>,
    },
}

/// A server, as rules see it.
struct Server<'a> {
    host: Host<'a>,
    port: u16,
}

/// An address is never compared as a name: whoever may choose a part of it could bypass the proxy.
enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

impl Exceptions {
    /// Takes a list apart. What is no rule matches nothing: the list is shared with programs that
    /// understand other rules, and to go through the proxy is what they are an exception from.
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split(|char: char| char == ',' || char.is_whitespace());
        Self {
            rules: entries.filter_map(Rule::parse).collect(),
        }
    }

    /// Whether the server is one of them.
    pub(super) fn contain(&self, uri: &Uri) -> bool {
        let host = match parse_address(uri.host()) {
            Some(address) => Host::Address(address),
            None => Host::Name(without_final_dot(uri.host())),
        };
        let port = uri.port();
        let server = Server { host, port };
        server.is_local() || self.rules.iter().any(|rule| rule.matches(&server))
    }
}

impl Server<'_> {
    /// Whether it is this very machine. Names below `localhost` belong to it (RFC 6761 section 6.3).
    fn is_local(&self) -> bool {
        match self.host {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => is_below(name, "localhost", true),
        }
    }
}

impl Rule {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::All);
        }
        // Before the port: that of an IPv6 address without brackets could be anywhere.
        if let Some((network, bits)) = parse_network(entry) {
            let port = None;
            return Some(Self::Network {
                network,
                bits,
                port,
            });
        }
        let (host, port) = split(entry)?;
        let port = match port {
            None | Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        if let Some((network, bits)) = parse_network(host) {
            // The port of many addresses is nothing that others know.
            let single = !host.contains('/');
            return single.then_some(Self::Network {
                network,
                bits,
                port,
            });
        }
        let host = without_final_dot(host);
        let name = host.strip_prefix('*').unwrap_or(host);
        let below = name.strip_prefix('.');
        // A star is for whole labels.
        let is_valid = below.is_some() || name.len() == host.len();
        let domain = below.unwrap_or(name);
        (is_valid && !domain.is_empty()).then(|| Self::Domain {
            domain: domain.to_ascii_lowercase(),
            itself: below.is_none(),
            port,
        })
    }

    fn matches(&self, server: &Server<'_>) -> bool {
        let is_port = |port: &Option<u16>| port.is_none_or(|port| port == server.port);
        match (self, &server.host) {
            (Self::All, _) => true,
            (
                Self::Network {
                    network,
                    bits,
                    port,
                },
                Host::Address(address),
            ) => has_prefix(*address, *network, *bits) && is_port(port),
            (
                Self::Domain {
                    domain,
                    itself,
                    port,
                },
                Host::Name(name),
            ) => is_below(name, domain, *itself) && is_port(port),
            (Self::Network { .. }, Host::Name(_)) | (Self::Domain { .. }, Host::Address(_)) => {
                false
            }
        }
    }
}

/// An address, or `address/bits` (RFC 4632 section 3.1); bits behind those that count may be anything.
fn parse_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let unbracketed = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let plain: IpAddr = match unbracketed {
        Some(address) => address.parse::<Ipv6Addr>().ok()?.into(),
        None => address.parse().ok()?,
    };
    let all = if plain.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => all,
        Some(digits) => parse_port(digits)
            .map(u32::from)
            .filter(|&bits| bits <= all)?,
    };
    // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    let network = plain.to_canonical();
    if network.is_ipv4() == plain.is_ipv4() {
        return Some((network, bits));
    }
    match bits.checked_sub(96) {
        Some(bits) => Some((network, bits)),
        None => Some((plain, bits)),
    }
}

/// An address in one of its forms, whichever way it is written.
fn parse_address(host: &str) -> Option<IpAddr> {
    host.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// Whether the first `bits` of both are the same.
fn has_prefix(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= bits.min(Ipv4Addr::BITS)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= bits.min(Ipv6Addr::BITS)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Whether `name` is below `domain`, or the same if that counts, in any letter case.
fn is_below(name: &str, domain: &str, itself: bool) -> bool {
    let Some(place) = name.len().checked_sub(domain.len()) else {
        return false;
    };
    let Some((labels, end)) = name.split_at_checked(place) else {
        return false;
    };
    let is_at_dot = labels.ends_with('.') || itself && labels.is_empty();
    is_at_dot && end.eq_ignore_ascii_case(domain)
}

/// A dot at the end of a name says only that it is a whole one.
fn without_final_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(list: &str, uri: &str) -> bool {
        Exceptions::parse(list).contain(&uri.parse().expect("a URI"))
    }

    #[test]
    fn servers_are_excepted_by_rules() {
        for (list, inside, outside) in [
            (
                "example.com",
                &[
                    "ws://example.com",
                    "wss://A.Example.COM:9",
                    "ws://example.com.",
                ][..],
                &["ws://notexample.com", "ws://example.com.net", "ws://com"][..],
            ),
            (
                ".example.com",
                &["ws://a.example.com", "ws://a.b.EXAMPLE.com."],
                &["ws://example.com", "ws://aexample.com"],
            ),
            (
                "*.Example.com.",
                &["ws://a.example.com"],
                &["ws://example.com"],
            ),
            (
                "example.com:8080",
                &["ws://example.com:8080", "wss://a.example.com:8080"],
                &["ws://example.com", "ws://example.com:808"],
            ),
            (
                " a.example,, b.example\tc.example ",
                &["ws://a.example", "ws://b.example", "ws://c.example"],
                &["ws://d.example"],
            ),
            (
                "*",
                &["ws://a.example", "ws://192.0.2.1", "ws://[2001:db8::1]"],
                &[],
            ),
            ("x,*", &["ws://a.example"], &[]),
            (
                "192.0.2.1",
                &[
                    "ws://192.0.2.1",
                    "wss://192.0.2.1:9",
                    "ws://[::ffff:192.0.2.1]",
                ],
                &["ws://192.0.2.10", "ws://1.192.0.2.1", "ws://[2001:db8::1]"],
            ),
            ("192.0.2.1:80", &["ws://192.0.2.1"], &["wss://192.0.2.1"]),
            (
                "192.0.2.200/25",
                &["ws://192.0.2.128", "ws://192.0.2.255"],
                &["ws://192.0.2.127", "ws://192.0.3.200", "ws://name"],
            ),
            ("0.0.0.0/0", &["ws://192.0.2.1"], &["ws://[2001:db8::1]"]),
            (
                "2001:db8::1",
                &["ws://[2001:DB8:0::1]", "wss://[2001:db8::1]:9"],
                &["ws://[2001:db8::10]"],
            ),
            (
                "[2001:db8::1]",
                &["ws://[2001:db8::1]:9"],
                &["ws://[2001:db8::]"],
            ),
            (
                "[2001:db8::1]:443",
                &["wss://[2001:db8::1]"],
                &["ws://[2001:db8::1]"],
            ),
            (
                "2001:db8::/33",
                &["ws://[2001:db8:7fff::1]"],
                &["ws://[2001:db8:8000::1]", "ws://192.0.2.1"],
            ),
            (
                "[2001:db8::]/32",
                &["ws://[2001:db8::1]"],
                &["ws://[2001:db9::]"],
            ),
            ("::/0", &["ws://[2001:db8::1]"], &["ws://192.0.2.1"]),
            (
                "::ffff:192.0.2.0/120",
                &["ws://192.0.2.9", "ws://[::ffff:192.0.2.9]"],
                &["ws://192.0.3.9"],
            ),
            ("::ffff:192.0.2.0/8", &["ws://[::1:1]"], &["ws://192.0.2.9"]),
        ] {
            for uri in inside {
                assert!(contains(list, uri), "{list} has {uri}");
            }
            for uri in outside {
                assert!(!contains(list, uri), "{list} has no {uri}");
            }
        }
    }

    #[test]
    fn what_is_no_rule_matches_nothing() {
        for entry in [
            ".",
            "*.",
            "*:80",
            ":80",
            "example.com:x",
            "example.com:65536",
            "*example.com",
            "http://example.com",
            "192.0.2.1/33",
            "192.0.2.1/+8",
            "192.0.2.1/",
            "192.0.2.0/24:80",
            "192.0.2/24",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1%eth0",
            "[2001:db8::/32]",
            "2001:db8::/129",
            "é",
        ] {
            for uri in ["ws://example.com", "ws://192.0.2.1", "ws://[2001:db8::1]"] {
                assert!(!contains(entry, uri), "{entry} has no {uri}");
            }
            assert!(
                contains(&std::format!("{entry},b.example"), "ws://b.example"),
                "{entry}"
            );
        }
    }

    #[test]
    fn this_machine_is_always_excepted() {
        for uri in [
            "ws://localhost",
            "wss://LocalHost.:8443",
            "ws://app.localhost",
            "ws://127.0.0.1",
            "ws://127.255.0.9:80",
            "ws://[::1]",
            "ws://[::ffff:127.0.0.1]",
        ] {
            assert!(contains("", uri), "{uri}");
        }
        for uri in [
            "ws://localhost.example.com",
            "ws://notlocalhost",
            "ws://128.0.0.1",
            "ws://[::2]",
            "ws://127.0.0.1.example.com",
        ] {
            assert!(!contains("", uri), "{uri}");
        }
    }
}
