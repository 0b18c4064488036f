//! What goes over the wire: a handshake, and frames that are made before the time is taken.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::Outcome;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    WebSocket,
    /// It sends back whatever comes.
    Raw,
}

/// The key and the answer to it are those of RFC 6455 section 1.3.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Connects, and opens a WebSocket if that is what the server speaks. All of it is done when this
/// returns, and nothing behind the server's answer has been read.
pub fn open(port: u16, wire: Wire) -> Outcome<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    if wire == Wire::Raw {
        // As much as a handshake: one question, one answer.
        stream.write_all(b"?")?;
        stream.read_exact(&mut [0])?;
        return Ok(stream);
    }
    stream.write_all(REQUEST)?;
    let (mut head, mut len) = ([0; 1024], 0);
    while !head[..len].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[len..])? {
            0 => return Err("it hung up within the handshake".into()),
            n => len += n,
        }
    }
    let head = str::from_utf8(&head[..len])?;
    if !head.starts_with("HTTP/1.1 101 ") || !head.contains(ACCEPT) {
        return Err(format!("it refused the handshake: {head}").into());
    }
    Ok(stream)
}

/// Messages to be sent over and over, and what has to come back.
#[derive(Debug)]
pub struct Cycle {
    /// As many messages as there are in it.
    pub messages: usize,
    /// All of them as they are sent, twice: so that any run of them is one slice.
    pub sent: Vec<u8>,
    /// All of them as they come back, twice.
    pub back: Vec<u8>,
}

impl Cycle {
    /// `messages` binary messages of `size` bytes, each with other bytes and another masking key.
    pub fn new(messages: usize, size: usize, wire: Wire) -> Self {
        let (mut sent, mut back) = (Vec::new(), Vec::new());
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..messages {
            let payload: Vec<_> = (0..size).map(|_| random.byte()).collect();
            let key = [(); 4].map(|()| random.byte());
            sent.extend(masked(&payload, key));
            if wire == Wire::WebSocket {
                back.extend(unmasked(&payload));
            }
        }
        if wire == Wire::Raw {
            back.clone_from(&sent);
        }
        Self {
            messages,
            sent: sent.repeat(2),
            back: back.repeat(2),
        }
    }

    /// The bytes of one message, as it is sent.
    pub fn sent_len(&self) -> usize {
        self.sent.len() / 2 / self.messages
    }

    /// The bytes of one message, as it comes back.
    pub fn back_len(&self) -> usize {
        self.back.len() / 2 / self.messages
    }
}

/// A binary message in a frame of a client.
fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut frame = header(0x80, payload.len());
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// A binary message in a frame of a server.
pub fn unmasked(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(0, payload.len());
    frame.extend(payload);
    frame
}

/// The header of a frame that is a whole binary message, but for the key.
pub fn header(mask: u8, len: usize) -> Vec<u8> {
    let mut header = vec![0x82];
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ 0..126), _) => header.push(mask | len),
        (_, Ok(len)) => {
            header.push(mask | 126);
            header.extend(len.to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend((len as u64).to_be_bytes());
        }
    }
    header
}

/// Bytes that look random, the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_be_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_rfc() {
        // RFC 6455 section 5.7, but binary.
        let key = [0x37, 0xfa, 0x21, 0x3d];
        assert_eq!(
            masked(b"Hello", key),
            b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        );
        assert_eq!(unmasked(b"Hello"), b"\x82\x05Hello");
        assert_eq!(header(0, 256), b"\x82\x7e\x01\x00");
        assert_eq!(header(0, 65_536), b"\x82\x7f\0\0\0\0\0\x01\0\0");
    }

    #[test]
    fn messages_of_a_cycle_differ() {
        let cycle = Cycle::new(2, 64, Wire::WebSocket);
        assert_eq!((cycle.sent_len(), cycle.back_len()), (70, 66));
        assert_ne!(cycle.back[..66], cycle.back[66..132]);
        assert_eq!(cycle.back[..66], cycle.back[132..198]);
        let raw = Cycle::new(1, 64, Wire::Raw);
        assert_eq!(raw.sent, raw.back);
    }
}
