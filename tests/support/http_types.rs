//! Heads to make in bytes and in the types of the crate `http`, and their headers to compare.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[path = "http_client.rs"]
pub(crate) mod http_client;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
pub(crate) use http_client::{Lines, http, lines};

/// A head, in bytes or in types.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) first: [String; 3],
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

pub(crate) fn get(target: &str) -> Case {
    Case {
        first: ["GET".into(), target.into(), "HTTP/1.1".into()],
        headers: Vec::new(),
    }
}

impl Case {
    /// Replaces a word of the first line.
    pub(crate) fn first(mut self, place: usize, word: &str) -> Self {
        self.first[place] = word.into();
        self
    }

    pub(crate) fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).and(name, value)
    }

    pub(crate) fn lines(&self) -> Lines {
        let first = lines(&self.first.join(" "));
        let add = |lines: Lines, (name, value): &(String, Vec<u8>)| lines.and(name, value);
        self.headers.iter().fold(first, add)
    }

    /// `None` if the types can't express it.
    pub(crate) fn http(&self) -> Option<::http::Request<&'static str>> {
        let [method, target, version] = &self.first;
        let version = match &**version {
            "HTTP/1.0" => Version::HTTP_10,
            "HTTP/1.1" => Version::HTTP_11,
            "HTTP/2.0" => Version::HTTP_2,
            "HTTP/3.0" => Version::HTTP_3,
            _ => return None,
        };
        let mut request = ::http::Request::new("a body");
        *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
        *request.uri_mut() = target.parse().ok()?;
        *request.version_mut() = version;
        *request.headers_mut() = header_map(&self.headers)?;
        Some(request)
    }
}

pub(crate) fn header_map(headers: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}

/// The header fields of a message in bytes.
pub(crate) fn fields(bytes: &[u8], first: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = bytes.strip_suffix(b"\r\n\r\n").expect("a head alone");
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.split("\r\n");
    assert!(lines.next().expect("a first line").starts_with(first));
    let field = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header line");
        let value = value.trim_matches(' ').chars();
        let value = value.map(|char| u8::try_from(char).expect("it was a byte"));
        (String::from(name), value.collect())
    };
    sorted(lines.map(field).collect())
}

pub(crate) fn pairs(map: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let pairs = map.iter();
    sorted(
        pairs
            .map(|(n, v)| (n.as_str().into(), v.as_bytes().into()))
            .collect(),
    )
}

/// By name in small letters; those of one name keep their order.
pub(crate) fn sorted(mut headers: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    headers
        .iter_mut()
        .for_each(|(name, _)| name.make_ascii_lowercase());
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    headers
}
