//! What an application may ask for, and how it arrives at a server.

use bytes::Buf as _;
use framewire::{
    RecvBuf,
    client::{self, InvalidRequest, Outcome, Request, Uri},
    server::{Config, Handshake, Opening, OriginPolicy},
};

use crate::{
    client::SEED,
    http::take,
    input::{bit, split},
    reference::{
        authority::{self, authority, is_userinfo},
        hash,
        values::{is_token, trim},
    },
};

/// What no text has in it separates the parts of an input, so that they may have line breaks.
const SEPARATOR: u8 = 0xff;

pub(crate) fn run(data: &[u8]) {
    let ([flags, repeat], bytes) = split::<2>(data);
    let mut parts = bytes.split(|&byte| byte == SEPARATOR);
    let mut text = text(parts.next().unwrap_or_default());
    if repeat > 0 {
        // More than a fuzzer writes.
        text += &text
            .chars()
            .last()
            .unwrap_or('x')
            .to_string()
            .repeat(usize::from(repeat) * 64);
    }
    let Some(mut model) = Model::new(&text, bit(flags, 0)) else {
        return;
    };
    for part in parts {
        if let [kind, argument @ ..] = part {
            model.command(*kind, argument);
        }
    }
    model.check_debug();
    model.arrives();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A request, and what was asked for.
struct Model {
    request: Request,
    expected: authority::Uri,
    host: Option<String>,
    subprotocols: Vec<String>,
    cookies: Vec<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Model {
    fn new(text: &str, with_userinfo: bool) -> Option<Self> {
        let mut expected =
            authority::uri(text).filter(|uri| text.len().max(uri.len()) <= Uri::MAX_LEN);
        let without = expected.clone().filter(|uri| uri.userinfo.is_none());
        let uri = text.parse::<Uri>();
        assert_eq!(uri.is_ok(), without.is_some(), "{uri:?} is {expected:?}");
        let request = if with_userinfo {
            Request::with_userinfo(text)
        } else {
            Request::new(text)
        };
        if let (Ok(uri), Ok(request)) = (&uri, &request) {
            assert!(*request == Request::from(uri.clone()) && request.uri() == uri);
        }
        let credentials = if with_userinfo {
            let userinfo = expected.clone().and_then(|uri| uri.userinfo);
            let userinfo = userinfo.filter(|userinfo| !userinfo.is_empty());
            userinfo.map(|userinfo| credentials(&userinfo))
        } else {
            expected = without;
            None
        };
        let is_valid = expected.is_some() && !matches!(credentials, Some(None));
        assert_eq!(request.is_ok(), is_valid, "{request:?} is {expected:?}");
        let model = Self {
            request: request.ok()?,
            expected: expected?,
            host: None,
            subprotocols: Vec::new(),
            cookies: Vec::new(),
            headers: credentials
                .flatten()
                .map(|(user, password)| basic(&user, &password))
                .into_iter()
                .collect(),
        };
        model.check_uri();
        Some(model)
    }

    fn check_uri(&self) {
        let (uri, expected) = (self.request.uri(), &self.expected);
        assert_eq!(uri.is_secure(), expected.is_secure);
        assert_eq!(uri.host(), expected.host.trim_matches(['[', ']']));
        assert_eq!(uri.port(), expected.port);
        assert_eq!(uri.authority(), self.authority());
        assert_eq!(uri.resource_name(), expected.resource_name);

        let shown = uri.to_string();
        assert_eq!(shown.parse().as_ref(), Ok(uri), "{shown}");
        // The query may be a secret.
        let path = shown.split('?').next().unwrap_or_default();
        assert_eq!(format!("{uri:?}"), path);
    }

    fn authority(&self) -> String {
        let authority::Uri {
            is_secure,
            host,
            port,
            ..
        } = &self.expected;
        match (is_secure, port) {
            (false, 80) | (true, 443) => host.clone(),
            _ => format!("{host}:{port}"),
        }
    }

    /// Asks for something. It is asked for, or nothing changes.
    fn command(&mut self, kind: u8, argument: &[u8]) {
        let text = text(argument);
        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
        let request = self.request.clone();
        match kind {
            b's' => {
                let expected = if !is_token(text.as_bytes()) {
                    Err(InvalidRequest::Subprotocol)
                } else if self.subprotocols.contains(&text) {
                    Err(InvalidRequest::RepeatedSubprotocol)
                } else {
                    Ok(())
                };
                let result = request.subprotocol(&text);
                assert_eq!(result.as_ref().map(drop), expected.as_ref().map(|_| ()));
                if let Ok(request) = result {
                    self.request = request;
                    self.subprotocols.push(text);
                }
            }
            b'h' => {
                let colon = argument.iter().position(|&byte| byte == b':');
                let name = self::text(&argument[..colon.unwrap_or(argument.len())]);
                let value = colon.map_or(&b""[..], |colon| &argument[colon + 1..]);
                let result = request.header(&name, value);
                self.header(result, name, value);
            }
            b'o' => self.header(request.origin(&text), "Origin".into(), text.as_bytes()),
            b'b' => {
                let (token, padding) = text.split_at(text.find('=').unwrap_or(text.len()));
                let is_char = |char: char| char.is_ascii_alphanumeric() || "-._~+/".contains(char);
                let is_token = !token.is_empty()
                    && token.chars().all(is_char)
                    && padding.chars().all(|char| char == '=');
                let result = request.bearer(&text);
                if is_token {
                    let value = format!("Bearer {text}");
                    self.header(result, "Authorization".into(), value.as_bytes());
                } else {
                    assert!(result.is_err());
                }
            }
            b'a' => {
                let result = request.basic(name, value);
                if name.contains(':') || (name.to_string() + value).contains(char::is_control) {
                    assert!(result.is_err());
                } else {
                    let (field, value) = basic(name, value);
                    self.header(result, field, &value);
                }
            }
            b'c' => {
                // `cookie-octet` of RFC 6265 section 4.1.1.
                let is_octet = |char: char| matches!(char as u32, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
                let is_valid =
                    is_token(name.as_bytes()) && value.chars().all(is_octet) && !self.has("cookie");
                let result = request.cookie(name, value);
                assert_eq!(result.is_ok(), is_valid, "{name:?}, {value:?}");
                if let Ok(request) = result {
                    self.request = request;
                    self.cookies.push(format!("{name}={value}"));
                }
            }
            b'n' => {
                let result = request.host(&text);
                assert_eq!(result.is_ok(), authority(&text).is_some(), "{text:?}");
                if let Ok(request) = result {
                    self.request = request;
                    self.host = Some(text);
                }
            }
            _ => {}
        }
    }

    /// A header was asked for.
    fn header(&mut self, result: Result<Request, InvalidRequest>, name: String, value: &[u8]) {
        let lower = name.to_ascii_lowercase();
        let is_ours = lower.starts_with("sec-websocket-")
            || [
                "host",
                "connection",
                "upgrade",
                "content-length",
                "transfer-encoding",
                "trailer",
            ]
            .contains(&&lower[..]);
        let is_there = match &lower[..] {
            "origin" | "authorization" => self.has(&lower),
            "cookie" => self.has(&lower) || !self.cookies.is_empty(),
            _ => false,
        };
        let is_text = value
            .iter()
            .all(|&byte| byte == b'\t' || !byte.is_ascii_control());
        let is_valid = is_token(name.as_bytes()) && !is_ours && !is_there && is_text;
        assert_eq!(result.is_ok(), is_valid, "{name:?}: {value:?}");
        if let Ok(request) = result {
            self.request = request;
            self.headers.push((name, value.into()));
        }
    }

    fn has(&self, name: &str) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        names.any(|known| known.eq_ignore_ascii_case(name))
    }

    /// What may be a secret is not shown.
    fn check_debug(&self) {
        let bare = Request::from(self.request.uri().clone());
        assert_eq!(format!("{:?}", self.request), format!("{bare:?}"));
    }

    /// The request is one request, and says what was asked for and nothing else.
    fn arrives(self) {
        let config = client::Config::new();
        let mut handshake = client::Handshake::with_seed(&self.request, &config, SEED);
        let mut rx = RecvBuf::new();
        let bytes = take(handshake.send_buf());
        rx.extend_from_slice(&bytes);
        let config = Config::new()
            .origin(OriginPolicy::Any)
            .max_head_size(usize::MAX)
            .max_target_size(usize::MAX)
            .max_headers(usize::MAX);
        let opening = Handshake::new(&config).receive(&mut rx);
        let Some(Opening::Upgrade(mut request)) = opening else {
            panic!("{opening:?} of {:?}", text(&bytes));
        };
        assert!(rx.is_empty(), "nothing is behind it");

        assert_eq!(request.target(), self.expected.resource_name);
        let host = self.host.clone().unwrap_or_else(|| self.authority());
        assert_eq!(request.host(), host);
        let mut expected = vec![
            ("Host", host.as_bytes()),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Key", b"*"),
            ("Sec-WebSocket-Version", b"13"),
        ];
        let (subprotocols, cookies) = (self.subprotocols.join(", "), self.cookies.join("; "));
        if !subprotocols.is_empty() {
            expected.push(("Sec-WebSocket-Protocol", subprotocols.as_bytes()));
        }
        if !cookies.is_empty() {
            expected.push(("Cookie", cookies.as_bytes()));
        }
        expected.extend(
            self.headers
                .iter()
                .map(|(name, value)| (&name[..], trim(value))),
        );
        let seen = request.headers().map(|(name, value)| match name {
            "Sec-WebSocket-Key" => (name, &b"*"[..]),
            _ => (name, value),
        });
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert!(
            request
                .subprotocols()
                .eq(self.subprotocols.iter().map(|name| &name[..]))
        );

        // The answer of our server is taken by our client.
        let chosen = request
            .choose_subprotocol(&self.subprotocols)
            .map(String::from);
        assert_eq!(chosen.as_ref(), self.subprotocols.first());
        let mut conn = request.upgrade();
        rx.extend_from_slice(&take(conn.send_buf()));
        let outcome = handshake.receive(&mut rx);
        let Some(Outcome::Connected(mut conn, _)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(conn.subprotocol(), chosen.as_deref());
        assert_eq!((conn.send_buf().remaining(), rx.is_empty()), (0, true));
    }
}

/// The header that `basic` adds.
fn basic(user: &str, password: &str) -> (String, Vec<u8>) {
    let credentials = hash::base64(format!("{user}:{password}").as_bytes());
    (
        "Authorization".into(),
        format!("Basic {credentials}").into(),
    )
}

/// User and password of a URI, if they can be sent.
fn credentials(userinfo: &str) -> Option<(String, String)> {
    if !is_userinfo(userinfo) {
        return None;
    }
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                _ => byte,
            });
        }
        let text = String::from_utf8(bytes).ok()?;
        (!text.contains(char::is_control)).then_some(text)
    };
    let (user, password) = match userinfo.find(':') {
        Some(colon) => (&userinfo[..colon], &userinfo[colon + 1..]),
        None => (userinfo, ""),
    };
    let user = decode(user).filter(|user| !user.contains(':'))?;
    Some((user, decode(password)?))
}
