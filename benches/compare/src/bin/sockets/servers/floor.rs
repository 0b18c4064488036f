//! The floor: how fast an echo could be if a connection were no state machine. No rules, no limits, no
//! events: nothing that could fail a peer, and binary messages only.
//!
//! One read buffer for the thread, lent to the connection that is polled; answers gathered and written
//! once for each read; a large message read straight into a buffer of its size that is used again,
//! unmasked piece by piece, and written together with its header. What a connection keeps while it waits
//! is the tail of a read that is no whole message.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::broadcast::Receiver,
};

use super::{Broadcasts, Library, Setup, handshake, unsent::Unsent};
use crate::{Outcome, wire};

/// As much is read at once.
const WINDOW: usize = 64 * 1024;
/// Frames of this size and more are read into a buffer of their own, in pieces of this size.
const LARGE: usize = 32 * 1024;
const PIECE: usize = 256 * 1024;

thread_local! {
    static LENT: RefCell<Lent> = RefCell::new(Lent {
        input: vec![0; WINDOW],
        output: Vec::new(),
        large: Vec::new(),
    });
}

/// What the thread lends.
struct Lent {
    input: Vec<u8>,
    output: Vec<u8>,
    /// For large messages: one for each that is on its way.
    large: Vec<Vec<u8>>,
}

pub struct Floor;

impl Library for Floor {
    async fn echo(mut stream: TcpStream, _: Setup) -> Outcome<()> {
        handshake::accept(&mut stream).await?;
        let mut echo = Echo {
            stream,
            tail: Vec::new(),
            unsent: Unsent::default(),
            large: None,
        };
        Ok(poll_fn(|cx| LENT.with_borrow_mut(|lent| echo.poll(lent, cx))).await?)
    }
}

impl Broadcasts for Floor {
    /// The whole frame.
    type News = Bytes;

    fn news(payload: &[u8]) -> Bytes {
        wire::unmasked(payload).into()
    }

    async fn deliver(mut stream: TcpStream, _: Setup, mut news: Receiver<Bytes>) -> Outcome<()> {
        handshake::accept(&mut stream).await?;
        let (mut reader, mut writer) = stream.into_split();
        tokio::spawn(async move { while reader.read_u8().await.is_ok() {} });
        loop {
            writer.write_all(&news.recv().await?).await?;
        }
    }
}

struct Echo {
    stream: TcpStream,
    tail: Vec<u8>,
    unsent: Unsent,
    large: Option<Box<Large>>,
}

/// A message on its way in, and out again.
struct Large {
    /// Its first `len` bytes are the payload.
    buffer: Vec<u8>,
    len: usize,
    read: usize,
    key: [u8; 4],
    header: Vec<u8>,
    /// Of header and payload.
    written: usize,
}

impl Echo {
    fn poll(&mut self, lent: &mut Lent, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.unsent.poll_flush(&mut self.stream, cx))?;
            if let Some(large) = &mut self.large {
                ready!(large.poll(&mut self.stream, cx))?;
                lent.large
                    .extend(self.large.take().map(|large| large.buffer));
            }
            let held = self.tail.len();
            lent.input[..held].copy_from_slice(&self.tail);
            let mut read = ReadBuf::new(&mut lent.input[held..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let n = read.filled().len();
            if n == 0 {
                return Poll::Ready(Ok(()));
            }
            self.receive(held + n, lent);
            self.unsent.send(&lent.output, &mut self.stream, cx)?;
            lent.output.clear();
        }
    }

    /// Answers all messages in the first `end` bytes of the input, and keeps what is behind them.
    fn receive(&mut self, end: usize, lent: &mut Lent) {
        let mut rest = &mut lent.input[..end];
        while let Some((header, len, key)) = parse(rest) {
            if rest.len() < header + len {
                if header + len >= LARGE {
                    let buffer = lent.large.pop().unwrap_or_default();
                    self.large = Some(Large::begin(&mut rest[header..], len, key, buffer));
                    rest = &mut [];
                }
                break;
            }
            let (frame, behind) = mem::take(&mut rest).split_at_mut(header + len);
            let payload = &mut frame[header..];
            xor(payload, key);
            push_header(len, &mut lent.output);
            lent.output.extend_from_slice(payload);
            rest = behind;
        }
        // Nothing is allocated for nothing, and nothing kept.
        self.tail = rest.to_vec();
    }
}

impl Large {
    fn begin(first: &mut [u8], len: usize, key: [u8; 4], mut buffer: Vec<u8>) -> Box<Self> {
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        xor(first, key);
        buffer[..first.len()].copy_from_slice(first);
        let mut header = Vec::new();
        push_header(len, &mut header);
        Box::new(Self {
            buffer,
            len,
            read: first.len(),
            key,
            header,
            written: 0,
        })
    }

    fn poll(&mut self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.read < self.len {
            let end = self.len.min(self.read + PIECE);
            let mut read = ReadBuf::new(&mut self.buffer[self.read..end]);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            let mut key = self.key;
            key.rotate_left(self.read % 4);
            let piece = read.filled_mut();
            if piece.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            xor(piece, key);
            self.read += piece.len();
        }
        while self.written < self.header.len() + self.len {
            let header = &self.header[self.written.min(self.header.len())..];
            let begin = self.written.saturating_sub(self.header.len());
            let both = [
                IoSlice::new(header),
                IoSlice::new(&self.buffer[begin..self.len]),
            ];
            self.written += ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &both))?;
        }
        Poll::Ready(Ok(()))
    }
}

/// Header size, payload length and key of a masked frame.
#[inline]
fn parse(bytes: &[u8]) -> Option<(usize, usize, [u8; 4])> {
    let (header, len) = match bytes.get(1)? & 0x7f {
        126 => (
            8,
            usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)),
        ),
        127 => (14, u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize),
        short => (6, usize::from(short)),
    };
    let key = bytes
        .get(header - 4..header)?
        .try_into()
        .expect("four bytes");
    Some((header, len, key))
}

#[inline]
fn push_header(len: usize, output: &mut Vec<u8>) {
    match len {
        0..126 => output.extend([0x82, len as u8]),
        126..0x1_0000 => {
            let [high, low] = (len as u16).to_be_bytes();
            output.extend([0x82, 126, high, low]);
        }
        _ => {
            output.extend([0x82, 127]);
            output.extend((len as u64).to_be_bytes());
        }
    }
}

/// XOR by words of eight bytes, the rest byte by byte; by wider vectors where the processor has them.
#[inline]
fn xor(payload: &mut [u8], key: [u8; 4]) {
    if payload.len() >= 128 {
        fearless_simd::dispatch!(fearless_simd::Level::new(), _simd => xor_words(payload, key));
        return;
    }
    xor_words(payload, key);
}

#[inline(always)]
fn xor_words(payload: &mut [u8], key: [u8; 4]) {
    let word = u64::from(u32::from_le_bytes(key)) * 0x1_0000_0001;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}
