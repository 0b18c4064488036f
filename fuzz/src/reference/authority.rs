//! Hosts, ports and WebSocket URIs (RFC 3986 section 3.2, RFC 6455 section 3).

/// A host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

/// `host [ ":" port ]`. Without commas, IPvFuture and zones, which are not supported.
pub(crate) fn authority(text: &str) -> Option<Authority> {
    // The last colon that is not in brackets.
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text[colon..].contains(']') => (&text[..colon], &text[colon + 1..]),
        _ => (text, ""),
    };
    let is_host = if host.starts_with('[') && host.ends_with(']') {
        is_ipv6(&host[1..host.len() - 1])
    } else {
        !host.is_empty() && is_made_of(host, "!$&'()*+;=")
    };
    let host = host.to_string();
    let number = port.trim_start_matches('0');
    let is_zero = number.is_empty() && !port.is_empty();
    let port = if port.is_empty() {
        None
    } else if !port.chars().all(|char| char.is_ascii_digit()) || number.len() > 5 {
        return None;
    } else {
        let number: u32 = if is_zero { 0 } else { number.parse().ok()? };
        Some(u16::try_from(number).ok()?)
    };
    is_host.then_some(Authority { host, port })
}

/// `*( unreserved / pct-encoded / others )`
fn is_made_of(text: &str, others: &str) -> bool {
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let is_fine = match char {
            '%' => (0..2).all(|_| chars.next().is_some_and(|char| char.is_ascii_hexdigit())),
            _ => char.is_ascii_alphanumeric() || "-._~".contains(char) || others.contains(char),
        };
        if !is_fine {
            return false;
        }
    }
    true
}

/// `IPv6address`: eight groups, or fewer and a `::` that stands for one or more.
fn is_ipv6(text: &str) -> bool {
    match text.split_once("::") {
        None => groups(text, true) == Some(8),
        Some((left, right)) => {
            let count = |text: &str, is_end| match text {
                "" => Some(0),
                _ => groups(text, is_end),
            };
            match (count(left, false), count(right, true)) {
                (Some(left), Some(right)) => left + right <= 7,
                _ => false,
            }
        }
    }
}

/// How many groups of 16 bits. An IPv4 address at the very end is two of them.
fn groups(text: &str, is_end: bool) -> Option<usize> {
    let groups: Vec<_> = text.split(':').collect();
    let is_group = |group: &str| {
        (1..=4).contains(&group.len()) && group.chars().all(|c| c.is_ascii_hexdigit())
    };
    let last = groups[groups.len() - 1];
    let is_ipv4 = is_end && is_ipv4(last);
    let hexadecimal = &groups[..groups.len() - usize::from(is_ipv4)];
    hexadecimal
        .iter()
        .all(|group| is_group(group))
        .then(|| groups.len() + usize::from(is_ipv4))
}

fn is_ipv4(text: &str) -> bool {
    let octets: Vec<_> = text.split('.').collect();
    octets.len() == 4
        && octets.iter().all(|octet| {
            octet.chars().all(|char| char.is_ascii_digit())
                && octet
                    .parse::<u8>()
                    .is_ok_and(|number| number.to_string() == **octet)
        })
}

/// `*( unreserved / pct-encoded / sub-delims / ":" )`, and what is not ASCII.
pub(crate) fn is_userinfo(text: &str) -> bool {
    let to_ascii = |char: char| if char.is_ascii() { char } else { 'x' };
    let ascii: String = text.chars().map(to_ascii).collect();
    is_made_of(&ascii, ":!$&'()*+,;=")
}

/// A WebSocket URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uri {
    pub(crate) is_secure: bool,
    /// As it stands in the URI.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) resource_name: String,
    /// Whatever stands before the last `@`.
    pub(crate) userinfo: Option<String>,
}

impl Uri {
    /// How long it is when it is shown: without user information, with what is not ASCII encoded.
    pub(crate) fn len(&self) -> usize {
        let (scheme, default) = if self.is_secure {
            ("wss", 443)
        } else {
            ("ws", 80)
        };
        let port = if self.port == default {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("{scheme}://{}{port}{}", self.host, self.resource_name).len()
    }
}

/// `("ws:" / "wss:") "//" [ userinfo "@" ] host [ ":" port ] path [ "?" query ]`, which may have
/// characters in it that are not ASCII but in the host.
pub(crate) fn uri(text: &str) -> Option<Uri> {
    if text.contains(|char: char| char.is_ascii_control() || char == ' ' || char == '#') {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let is_secure = match &scheme.to_ascii_lowercase()[..] {
        "ws" => false,
        "wss" => true,
        _ => return None,
    };
    let end = rest.chars().take_while(|char| !"/?".contains(*char));
    let before: String = end.collect();
    let (userinfo, host) = match before.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo.to_string()), host),
        None => (None, &before[..]),
    };
    let Authority { host, port } = authority(host)?;
    if host.contains('%') || port == Some(0) {
        return None;
    }
    let mut resource_name = String::new();
    let resource = &rest[before.len()..];
    if !resource.starts_with('/') {
        resource_name.push('/');
    }
    for byte in resource.bytes() {
        if byte.is_ascii() {
            resource_name.push(byte.into());
        } else {
            resource_name.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(Uri {
        is_secure,
        host,
        port: port.unwrap_or(if is_secure { 443 } else { 80 }),
        resource_name,
        userinfo,
    })
}
