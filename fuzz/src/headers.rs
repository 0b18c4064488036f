//! Values of Sec-WebSocket-Extensions and Sec-WebSocket-Protocol, in an otherwise valid request and in
//! an otherwise valid response.

use framewire::{
    RecvBuf,
    client::{self, Outcome},
    server::{self, HandshakeError, Opening},
};

use crate::{
    client::SEED,
    http::{Answer, KEY, take},
    input::{bit, cut, split},
    reference::{
        hash,
        request::check_extensions,
        values::{self, Wrong, is_token, offers, trim},
    },
};

/// More subprotocols than this are not tried one by one, so that no input takes long.
const MANY: usize = 64;

pub(crate) fn run(data: &[u8]) {
    let (prefix, bytes) = split::<8>(data);
    let [flags, kinds, more_kinds, selected, cuts @ ..] = prefix;
    let kinds = u16::from_le_bytes([kinds, more_kinds]);
    let lines = Lines::new(kinds, bytes);

    client(&lines.offers, flags, &cuts, &lines.fields());
    if let Some((offers, chosen)) = server(&lines, selected, &cuts)
        && offers.len() <= MANY
    {
        // What our server selects, our client takes.
        let offers: Vec<_> = offers.into_iter().map(String::into_bytes).collect();
        let field = ("Sec-WebSocket-Protocol", chosen.into_bytes());
        let is_connected = client(&offers, flags, &cuts, &[field]);
        assert!(is_connected);
    }
}

/// What an input has in its lines.
struct Lines {
    extensions: Vec<Vec<u8>>,
    subprotocols: Vec<Vec<u8>>,
    /// What the client offers.
    offers: Vec<Vec<u8>>,
}

impl Lines {
    /// Two bits of `kinds` say what a line is. Control characters are the business of other targets.
    fn new(kinds: u16, bytes: &[u8]) -> Self {
        let mut lines = Self {
            extensions: Vec::new(),
            subprotocols: Vec::new(),
            offers: Vec::new(),
        };
        for (n, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let is_text = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
            let line: Vec<u8> = line.iter().copied().filter(is_text).collect();
            match kinds >> (n % 8 * 2) & 3 {
                0 => lines.extensions.push(line),
                1 => lines.subprotocols.push(line),
                2 => lines.offers.push(line),
                _ => {}
            }
        }
        lines
    }

    fn fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let fields = |name, values: &[Vec<u8>]| -> Vec<_> {
            values.iter().map(|value| (name, value.clone())).collect()
        };
        [
            fields("Sec-WebSocket-Extensions", &self.extensions),
            fields("sec-websocket-protocol", &self.subprotocols),
        ]
        .concat()
    }
}

/// The head of a message with these fields at its end.
fn message(head: &str, fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b":", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

/// Tells what the client offers, and which of it the server selected.
fn server(lines: &Lines, selected: u8, cuts: &[u8]) -> Option<(Vec<String>, String)> {
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    );
    let bytes = message(&head, &lines.fields());
    let config = server::Config::new()
        .max_head_size(usize::MAX)
        .max_headers(usize::MAX);
    let mut handshake = server::Handshake::new(&config);
    let mut rx = RecvBuf::new();
    let opening = cut(cuts, &bytes)
        .find_map(|piece| {
            rx.extend_from_slice(piece);
            handshake.receive(&mut rx)
        })
        .expect("the head is complete");

    let expected = match offers(&lines.subprotocols) {
        Err(Wrong::Malformed) => Err(HandshakeError::InvalidSubprotocols.into()),
        Err(Wrong::Repeated) => Err(HandshakeError::RepeatedSubprotocol.into()),
        Ok(offers) => check_extensions(&lines.extensions).map(|()| offers),
    };
    match (opening, expected) {
        (Opening::Upgrade(mut request), Ok(offers)) => {
            assert!(
                request
                    .subprotocols()
                    .eq(offers.iter().map(|offer| &offer[..]))
            );
            for value in &lines.extensions {
                let mut values = request.headers().map(|(_, value)| value);
                assert!(values.any(|seen| seen == trim(value)));
            }
            for offer in offers.iter().take(MANY) {
                assert_eq!(request.select_subprotocol(offer), Ok(()));
                assert_eq!(request.subprotocol(), Some(&offer[..]));
            }
            let chosen = offers.get(usize::from(selected));
            let supported: Vec<_> = chosen.into_iter().chain(offers.last()).collect();
            let first = offers.iter().find(|offer| supported.contains(offer));
            let seen = request.choose_subprotocol(&supported).map(String::from);
            assert_eq!(seen.as_ref(), first);
            let mut conn = request.upgrade();
            assert_eq!(conn.subprotocol(), seen.as_deref());
            let answer = Answer::read(&take(conn.send_buf()));
            assert_eq!(answer.header("Sec-WebSocket-Protocol"), seen.as_deref());
            seen.map(|seen| (offers, seen))
        }
        (Opening::Rejected(error), Err(errors)) => {
            assert!(errors.0.contains(&error), "{error:?} instead of {errors:?}");
            None
        }
        (opening, expected) => panic!("{opening:?} instead of {expected:?}"),
    }
}

/// Tells whether the client is connected.
fn client(lines: &[Vec<u8>], flags: u8, cuts: &[u8], fields: &[(&'static str, Vec<u8>)]) -> bool {
    use client::HandshakeError as E;

    let mut request = client::Request::new("ws://h").expect("a URI");
    let mut offers: Vec<String> = Vec::new();
    for line in lines {
        let Ok(name) = String::from_utf8(line.clone()) else {
            continue;
        };
        let expected = if !is_token(name.as_bytes()) {
            Err(client::InvalidRequest::Subprotocol)
        } else if offers.contains(&name) {
            Err(client::InvalidRequest::RepeatedSubprotocol)
        } else {
            Ok(())
        };
        match request.clone().subprotocol(&name) {
            Ok(more) => {
                assert_eq!(expected, Ok(()));
                offers.push(name);
                request = more;
            }
            Err(error) => assert_eq!(expected, Err(error)),
        }
    }
    let config = client::Config::new()
        .max_head_size(usize::MAX)
        .max_headers(usize::MAX)
        .require_subprotocol(bit(flags, 0));
    let mut handshake = client::Handshake::with_seed(&request, &config, SEED);
    let asked = String::from_utf8(take(handshake.send_buf())).expect("it is ASCII");
    let key = asked
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let head = format!(
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        hash::accept(key.expect("a key"))
    );
    let bytes = message(&head, fields);
    let mut rx = RecvBuf::new();
    let outcome = cut(cuts, &bytes)
        .find_map(|piece| {
            rx.extend_from_slice(piece);
            handshake.receive(&mut rx)
        })
        .expect("the head is complete");

    let values = |name: &str| -> Vec<_> {
        let fields = fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| trim(value).to_vec()).collect()
    };
    let extensions = values("sec-websocket-extensions");
    let wrong = values::extensions(&extensions);
    let expected = if wrong.malformed || wrong.too_many {
        Err(E::InvalidExtensions)
    } else if !extensions.is_empty() {
        Err(E::ExtensionNotOffered)
    } else {
        match &values("sec-websocket-protocol")[..] {
            [] if offers.is_empty() || !bit(flags, 0) => Ok(None),
            [] => Err(E::MissingSubprotocol),
            [name] if !is_token(name) => Err(E::InvalidSubprotocol),
            [name] => match offers.iter().find(|offer| offer.as_bytes() == name) {
                Some(offer) => Ok(Some(&offer[..])),
                None => Err(E::SubprotocolNotOffered),
            },
            _ => Err(E::InvalidSubprotocol),
        }
    };
    match outcome {
        Outcome::Connected(conn, response) => {
            assert_eq!(Ok(conn.subprotocol()), expected);
            assert_eq!(response.headers().count(), 3 + fields.len());
            true
        }
        Outcome::Failed(error) => {
            assert_eq!(Err(error), expected);
            false
        }
        Outcome::Refused(response) => panic!("{response:?} instead of {expected:?}"),
    }
}
