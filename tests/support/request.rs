//! A strict reader of a client's requests: what must be there is there once, and nothing breaks out of
//! its line.
#![allow(dead_code, reason = "every test crate uses a part of it")]

/// The key that comes of the seed of the clients in the tests.
pub(crate) const KEY: &str = "9pKJeIXAyyCj5M0QagsVvA==";

/// A request of ours, read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Asked {
    /// Reads one complete request with this key, and checks the rules that hold for each of ours.
    pub(crate) fn read(bytes: &[u8], key: &str) -> Self {
        let head = bytes.strip_suffix(b"\r\n\r\n").expect("an empty line");
        let mut lines = split(head, b"\r\n").into_iter();
        let first = lines.next().expect("a request line");
        let first = std::str::from_utf8(first).expect("the request line is ASCII");
        let target = first.strip_prefix("GET ").expect("GET");
        let target = target.strip_suffix(" HTTP/1.1").expect("HTTP/1.1");
        assert!(target.starts_with('/') && !target.contains('#'), "{target}");
        assert!(target.bytes().all(|b| b.is_ascii_graphic()), "{target}");
        let headers = lines.map(|line| {
            let colon = line.iter().position(|&byte| byte == b':');
            let (name, value) = line.split_at(colon.expect("a colon"));
            let is_name =
                |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/;<=>?@[\\]{}".contains(byte);
            assert!(!name.is_empty() && name.iter().all(is_name), "{name:?}");
            let value = value.strip_prefix(b": ").expect("a space");
            let is_value = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
            assert!(value.iter().all(is_value), "{value:?}");
            let name = String::from_utf8(name.into()).expect("a token is ASCII");
            (name, value.to_vec())
        });
        let asked = Self {
            target: target.into(),
            headers: headers.collect(),
        };
        asked.check(key);
        asked
    }

    fn check(&self, key: &str) {
        assert_eq!(self.headers[0].0, "Host");
        assert!(!self.header("Host").expect("a host").is_empty());
        assert_eq!(self.header("Upgrade"), Some(&b"websocket"[..]));
        assert_eq!(self.header("Connection"), Some(&b"Upgrade"[..]));
        assert_eq!(self.header("Sec-WebSocket-Key"), Some(key.as_bytes()));
        assert_eq!(self.header("Sec-WebSocket-Version"), Some(&b"13"[..]));
        assert_eq!(self.header("Sec-WebSocket-Extensions"), None);
        assert_eq!(self.header("Sec-WebSocket-Accept"), None);
        assert_eq!(self.header("Content-Length"), None);
        assert_eq!(self.header("Transfer-Encoding"), None);
        for once in [
            "Sec-WebSocket-Protocol",
            "Origin",
            "Cookie",
            "Authorization",
        ] {
            self.header(once);
        }
    }

    /// The value of a header that is there once at most.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.all(name);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there once");
        value
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| &value[..])
    }

    /// The headers that are not in every request.
    pub(crate) fn extra(&self) -> Vec<(&str, &[u8])> {
        let always = &self.headers[..5];
        let names: Vec<_> = always.iter().map(|(name, _)| &**name).collect();
        let expected = [
            "Host",
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
        ];
        assert_eq!(names, expected);
        let extra = self.headers[5..].iter();
        extra.map(|(name, value)| (&**name, &value[..])).collect()
    }
}

fn split<'a>(mut bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(place) = bytes.windows(separator.len()).position(|w| w == separator) {
        parts.push(&bytes[..place]);
        bytes = &bytes[place + separator.len()..];
    }
    parts.push(bytes);
    parts
}
