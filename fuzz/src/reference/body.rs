//! The body of a response (RFC 9112 sections 6 and 7), as far as it has arrived.

use super::{
    head::{Headers, find},
    values::list,
};

/// What is there of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) content: Vec<u8>,
    /// Whether nothing more has to be waited for.
    pub(crate) is_complete: bool,
    /// Whether it follows the rules. If not, the content is what came before the mistake, and what
    /// comes of the rest is not said.
    pub(crate) is_valid: bool,
}

/// Reads the body that `bytes` begin with, of which at most `max` bytes count.
pub(crate) fn read(
    version: &str,
    status: u16,
    headers: &Headers,
    max: usize,
    bytes: &[u8],
) -> Body {
    let bytes = &bytes[..max.min(bytes.len())];
    let whole = |content: &[u8]| Body {
        content: content.into(),
        is_complete: bytes.len() == max,
        is_valid: true,
    };
    if matches!(status, 204 | 304) {
        return Body {
            is_complete: true,
            ..whole(b"")
        };
    }
    let fields = headers.all("transfer-encoding");
    if !fields.is_empty() {
        let mut codings: Vec<_> = list(&fields)
            .iter()
            .map(|coding| String::from_utf8_lossy(coding).to_ascii_lowercase())
            .collect();
        let last = codings.pop().unwrap_or_default();
        return match &last[..] {
            // Older versions have no chunks.
            "chunked" if version == "1.1" && !codings.concat().contains("chunked") => {
                let mut body = chunks(bytes);
                body.is_complete |= bytes.len() == max;
                body
            }
            // "If a Transfer-Encoding header field is present in a response and the chunked transfer
            // coding is not the final encoding, the message body length is determined by reading the
            // connection until it is closed by the server."
            _ if !last.is_empty() && !(codings.concat() + &last).contains("chunked") => {
                whole(bytes)
            }
            // Chunks of chunks, with parameters or in older versions: what comes of them is not said.
            _ => Body::default(),
        };
    }
    let lengths: Vec<Option<usize>> = list(&headers.all("content-length"))
        .iter()
        .map(|length| String::from_utf8_lossy(length))
        .map(|length| length.parse().ok().filter(|_| !length.starts_with('+')))
        .collect();
    // Without a length that is clear, it ends with the transport.
    let length = match lengths.first() {
        Some(first) if lengths.iter().all(|length| length == first) => *first,
        _ => None,
    };
    match length {
        Some(length) if bytes.len() >= length => Body {
            is_complete: true,
            ..whole(&bytes[..length])
        },
        _ => whole(bytes),
    }
}

/// Takes the chunks off the content. Complete with the line of the last chunk: trailers are no content.
fn chunks(mut bytes: &[u8]) -> Body {
    let mut body = Body {
        is_valid: true,
        ..Body::default()
    };
    loop {
        let line = match find(bytes, b"\r\n") {
            Some(end) => &bytes[..end],
            None => bytes.strip_suffix(b"\r").unwrap_or(bytes),
        };
        let is_whole = bytes.len() > line.len() + 1;
        let Some(size) = chunk_size(line, is_whole) else {
            body.is_valid = false;
            return body;
        };
        if !is_whole {
            // A CR alone is no size.
            body.is_valid = !line.is_empty() || bytes.is_empty();
            return body;
        }
        if size == 0 {
            body.is_complete = true;
            return body;
        }
        bytes = &bytes[line.len() + 2..];
        let n = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len());
        body.content.extend_from_slice(&bytes[..n]);
        bytes = &bytes[n..];
        match bytes.strip_prefix(b"\r\n") {
            Some(rest) => bytes = rest,
            None => {
                body.is_valid = b"\r\n".starts_with(bytes);
                return body;
            }
        }
    }
}

/// `chunk-size [ chunk-ext ]`, or the beginning of it. One that is too large for any memory has only
/// to be large.
fn chunk_size(line: &[u8], is_whole: bool) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let digits = String::from_utf8(digits.copied().collect()).expect("digits are ASCII");
    let rest = line[digits.len()..].trim_ascii_start();
    let is_valid = (rest.is_empty() || rest[0] == b';')
        && !line
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        && (!digits.is_empty() || line.is_empty() && !is_whole);
    is_valid.then(|| match digits.trim_start_matches('0') {
        "" => 0,
        digits => u64::from_str_radix(digits, 16).unwrap_or(u64::MAX),
    })
}
