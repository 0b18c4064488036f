//! The frame header (RFC 6455 section 5.2): from bytes and to bytes, nothing else.

#![warn(clippy::indexing_slicing)]

use thiserror::Error;

use super::MaskingKey;

/// What a frame is (RFC 6455 section 5.2). The other ten opcodes are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the other opcodes are reserved for a new protocol"
)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that a text or binary frame began.
    Continuation = 0x0,
    /// A text message or its first fragment.
    Text = 0x1,
    /// A binary message or its first fragment.
    Binary = 0x2,
    /// The beginning or the answer of the closing handshake.
    Close = 0x8,
    /// A request for a pong.
    Ping = 0x9,
    /// The answer to a ping, or an unasked sign of life.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode with this number; `None` if it is reserved.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        Some(match number {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Whether this is a control frame: close, ping or pong (RFC 6455 section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The header of a frame, without its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of RFC 6455 section 5.2, all of them"
)]
pub struct Header {
    /// Whether this is the last frame of its message. Always true in control frames.
    pub fin: bool,
    /// The reserved bits at their place in the first byte: 0x40, 0x20 and 0x10. Any of them is
    /// legal here; without an extension a connection refuses all.
    pub reserved: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The key that the payload is masked with.
    pub masking_key: Option<MaskingKey>,
    /// The length of the payload in bytes, below 2^63.
    pub payload_len: u64,
}

/// A header that is wrong in every context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The opcode is one of 3 to 7 and 11 to 15.
    #[error("reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// A control frame without the FIN bit (RFC 6455 section 5.5).
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame whose payload is over 125 bytes (RFC 6455 section 5.5).
    #[error("control frame of more than 125 bytes")]
    OversizedControl,
    /// The length would have fitted a shorter form.
    #[error("payload length {0} in a form longer than needed")]
    NonMinimalLength(u64),
    /// The most significant bit of a 64-bit length is set.
    #[error("payload length {0} of more than 63 bits")]
    LengthOver63Bits(u64),
}

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASK: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

impl Header {
    /// The longest header: two bytes, a 64-bit length and a masking key.
    pub const MAX_SIZE: usize = 14;

    /// Reads the header at the beginning of `bytes`, and tells how many bytes it took.
    ///
    /// `None` as long as it is not complete. An error that the first two bytes show is found as
    /// soon as they are there.
    ///
    /// # Errors
    ///
    /// If the bytes can't be the beginning of a legal frame.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeaderError> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let Some(opcode) = Opcode::new(first & OPCODE) else {
            return Err(HeaderError::ReservedOpcode(first & OPCODE));
        };
        let fin = first & FIN != 0;
        if opcode.is_control() {
            if !fin {
                return Err(HeaderError::FragmentedControl);
            }
            if second & LENGTH > 125 {
                return Err(HeaderError::OversizedControl);
            }
        }
        let Some((payload_len, rest)) = decode_length(second & LENGTH, rest)? else {
            return Ok(None);
        };
        let (masking_key, rest) = if second & MASK == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (Some(MaskingKey::new(*key)), rest)
        };
        let header = Self {
            fin,
            reserved: first & RESERVED,
            opcode,
            masking_key,
            payload_len,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Writes the header, with the shortest form of its length.
    ///
    /// Only the bits 0x70 of [`reserved`](Self::reserved) are taken. Nothing else is checked: a
    /// header that [`decode`](Self::decode) would refuse can be written, for tests of others.
    #[must_use]
    pub fn encode(&self) -> EncodedHeader {
        let fin = if self.fin { FIN } else { 0 };
        let first = fin | self.reserved & RESERVED | self.opcode as u8;
        EncodedHeader::new(first, self.payload_len, self.masking_key)
    }
}

/// Reads the extended length that `short`, the seven bits of the second byte, asks for.
fn decode_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, HeaderError> {
    let (len, rest, shortest) = match short {
        LENGTH_16 => {
            let Some((len, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(*len)), rest, 126)
        }
        LENGTH_64 => {
            let Some((len, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*len), rest, 65_536)
        }
        _ => (u64::from(short), rest, 0),
    };
    if len < shortest {
        return Err(HeaderError::NonMinimalLength(len));
    }
    if len > u64::MAX >> 1 {
        return Err(HeaderError::LengthOver63Bits(len));
    }
    Ok(Some((len, rest)))
}

/// The bytes of a [`Header`], on the stack. Dereferences to them.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; Header::MAX_SIZE],
    len: usize,
}

#[expect(clippy::indexing_slicing, reason = "our own parts, 14 bytes at most")]
impl EncodedHeader {
    /// A header with this first byte and the shortest form of the length.
    #[inline]
    pub(crate) fn new(first: u8, len: u64, masking_key: Option<MaskingKey>) -> Self {
        let mut bytes = [0; Header::MAX_SIZE];
        let mask = if masking_key.is_some() { MASK } else { 0 };
        let mut size = if let Ok(short) = u8::try_from(len)
            && short < LENGTH_16
        {
            bytes[1] = mask | short;
            2
        } else if let Ok(medium) = u16::try_from(len) {
            bytes[1] = mask | LENGTH_16;
            bytes[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        } else {
            bytes[1] = mask | LENGTH_64;
            bytes[2..10].copy_from_slice(&len.to_be_bytes());
            10
        };
        bytes[0] = first;
        if let Some(key) = masking_key {
            bytes[size..size + 4].copy_from_slice(&key.get());
            size += 4;
        }
        Self { bytes, len: size }
    }

    /// Writes it to where a frame begins.
    #[inline]
    pub(crate) fn write(&self, frame: &mut [u8]) {
        match frame.first_chunk_mut() {
            // All of the array at once, which takes no loop: a payload comes over the rest of it.
            Some(start) => *start = self.bytes,
            None => frame[..self.len].copy_from_slice(self),
        }
    }
}

impl core::ops::Deref for EncodedHeader {
    type Target = [u8];

    #[expect(clippy::indexing_slicing, reason = "never longer than the array")]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::vec::Vec;

    use super::*;

    // req: F-05, F-20
    #[test]
    fn every_header_survives_encoding_and_decoding_and_is_incomplete_at_every_cut() {
        let keys = [None, Some(MaskingKey::new([1, 2, 3, 4]))];
        let sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 32, u64::MAX >> 1];
        for first in 0..=255u8 {
            let Some(opcode) = Opcode::new(first & OPCODE) else {
                continue;
            };
            for masking_key in keys {
                for payload_len in sizes {
                    let (fin, reserved) = (first & FIN != 0, first & RESERVED);
                    let header = Header {
                        fin,
                        reserved,
                        opcode,
                        masking_key,
                        payload_len,
                    };
                    let bytes = header.encode();
                    if opcode.is_control() && (!fin || payload_len > 125) {
                        assert!(Header::decode(&bytes).is_err());
                        continue;
                    }
                    assert_eq!(Header::decode(&bytes), Ok(Some((header, bytes.len()))));
                    let mut longer: Vec<u8> = bytes.to_vec();
                    longer.push(0xaa);
                    assert_eq!(Header::decode(&longer), Ok(Some((header, bytes.len()))));
                    for cut in 0..bytes.len() {
                        assert_eq!(Header::decode(&bytes[..cut]), Ok(None));
                    }
                }
            }
        }
    }

    // req: F-05
    #[test]
    fn lengths_take_the_shortest_form() {
        for (payload_len, size) in [
            (0, 2),
            (125, 2),
            (126, 4),
            (65_535, 4),
            (65_536, 10),
            (u64::MAX >> 1, 10),
        ] {
            let opcode = Opcode::Binary;
            let header = Header {
                fin: true,
                reserved: 0,
                opcode,
                masking_key: None,
                payload_len,
            };
            assert_eq!(header.encode().len(), size);
        }
    }

    // req: F-06, F-07
    #[test]
    fn longer_forms_and_the_64th_bit_are_refused() {
        let error = |bytes: &[u8]| Header::decode(bytes).expect_err("must be refused");
        assert_eq!(error(&[0x82, 126, 0, 0]), HeaderError::NonMinimalLength(0));
        assert_eq!(
            error(&[0x82, 126, 0, 125]),
            HeaderError::NonMinimalLength(125)
        );
        assert_eq!(
            error(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            HeaderError::NonMinimalLength(65_535)
        );
        assert_eq!(
            error(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            HeaderError::LengthOver63Bits(1 << 63)
        );
    }

    // req: F-11, F-12, F-13, F-28
    #[test]
    fn two_bytes_show_what_is_wrong_with_the_opcode() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let opcode = Opcode::new(first & OPCODE);
                let expected = match opcode {
                    None => Some(HeaderError::ReservedOpcode(first & OPCODE)),
                    Some(opcode) if opcode.is_control() && first & FIN == 0 => {
                        Some(HeaderError::FragmentedControl)
                    }
                    Some(opcode) if opcode.is_control() && second & LENGTH > 125 => {
                        Some(HeaderError::OversizedControl)
                    }
                    Some(_) => None,
                };
                assert_eq!(Header::decode(&[first, second]).err(), expected);
            }
        }
    }
}
