//! The head of an HTTP/1.1 message in bytes (RFC 9112): where it ends, and its lines.

use super::values::{is_token, trim};

/// What a head may take at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) head: usize,
    pub(crate) target: usize,
    pub(crate) headers: usize,
}

/// What is wrong with the bytes of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    HeadTooLarge,
    TargetTooLong,
    TooManyHeaders,
    BareLineBreak,
    ControlCharacter,
    FoldedHeader,
}

/// A complete head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Whether there are empty lines before it.
    pub(crate) is_late: bool,
    pub(crate) first_line: Vec<u8>,
    /// `None` if a line is no header line.
    pub(crate) headers: Option<Headers>,
    /// How many bytes it has, with empty lines before it and the one behind it.
    pub(crate) len: usize,
}

/// Reads one head. `None` if it is incomplete.
///
/// A head that has several flaws is refused for the first of them, by the byte that shows it.
pub(crate) fn read(bytes: &[u8], limits: Limits) -> Result<Option<Head>, Flaw> {
    let mut start = 0;
    while bytes[start..].starts_with(b"\r\n") {
        start += 2;
    }
    let end = find(&bytes[start..], b"\r\n\r\n").map(|n| start + n + 4);
    let head = &bytes[..end.unwrap_or(bytes.len())];

    // Where each kind of flaw shows first. One that shows in the same byte as another one counts
    // if it stands before it here.
    let mut flaws = vec![
        (
            (head.len() > limits.head).then_some(limits.head),
            Flaw::HeadTooLarge,
        ),
        (bare_line_break(head), Flaw::BareLineBreak),
        (
            head.iter().position(|&byte| {
                matches!(byte, 0..b' ' | 0x7f) && !matches!(byte, b'\t' | b'\r' | b'\n')
            }),
            Flaw::ControlCharacter,
        ),
        (
            line_starts(head, start).find(|&n| matches!(head[n], b' ' | b'\t')),
            Flaw::FoldedHeader,
        ),
        (
            line_starts(head, start).nth(limits.headers),
            Flaw::TooManyHeaders,
        ),
        (long_target(head, start, limits.target), Flaw::TargetTooLong),
    ];
    flaws.retain(|(place, _)| place.is_some());
    // `min_by_key` gives the first one of equals.
    if let Some((_, flaw)) = flaws.into_iter().min_by_key(|(place, _)| *place) {
        return Err(flaw);
    }
    let Some(end) = end else {
        return Ok(None);
    };
    let mut lines = text_lines(&bytes[start..end - 4]);
    Ok(Some(Head {
        is_late: start > 0,
        first_line: lines.remove(0),
        headers: lines.iter().map(|line| header(line)).collect(),
        len: end,
    }))
}

/// Where `wanted` is for the first time.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// Where an LF has no CR before it, or a CR something else behind it.
fn bare_line_break(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|&n| (bytes[n] == b'\n') != (n > 0 && bytes[n - 1] == b'\r'))
}

/// Where header lines begin: behind line breaks, but for the first line and the empty ones.
fn line_starts(bytes: &[u8], start: usize) -> impl Iterator<Item = usize> {
    (start + 2..bytes.len()).filter(move |&n| bytes[n - 2..n] == *b"\r\n" && bytes[n] != b'\r')
}

/// Where the second word of the first line has one byte too many. A space before the first word
/// separates nothing.
fn long_target(bytes: &[u8], start: usize, limit: usize) -> Option<usize> {
    let line = bytes[start..].split(|&byte| byte == b'\r').next()?;
    let space = line.iter().skip(1).position(|&byte| byte == b' ')? + 1;
    let target = line[space + 1..].split(|&byte| byte == b' ').next()?;
    (target.len() > limit).then(|| start + space + 1 + limit)
}

fn text_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    for &byte in bytes {
        match byte {
            b'\r' => {}
            b'\n' => lines.push(Vec::new()),
            _ => lines.last_mut().expect("the first one").push(byte),
        }
    }
    lines
}

/// Header lines, each with the name as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(String, Vec<u8>)>);

impl FromIterator<(String, Vec<u8>)> for Headers {
    fn from_iter<T: IntoIterator<Item = (String, Vec<u8>)>>(headers: T) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl Headers {
    /// The values of this name, in any letter case.
    pub(crate) fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let is_it = |(known, _): &&(String, _)| known.eq_ignore_ascii_case(name);
        let fields = self.0.iter().filter(is_it);
        fields.map(|(_, value)| value.clone()).collect()
    }

    /// The value of a field that is there once.
    pub(crate) fn once<E>(&self, name: &str, missing: E, repeated: E) -> Result<Vec<u8>, E> {
        match &self.all(name)[..] {
            [] => Err(missing),
            [value] => Ok(value.clone()),
            _ => Err(repeated),
        }
    }
}

/// `field-line = field-name ":" OWS field-value OWS`
fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    is_token(name).then(|| {
        let name = String::from_utf8(name.into()).expect("a token is ASCII");
        (name, trim(value).into())
    })
}
