//! Frames (RFC 6455 sections 5.2 and 5.3): the header and the masking of the payload.
//!
//! A [`Connection`](crate::Connection) needs nothing from here to be used. The module is public
//! for programs that handle frames without being an endpoint: proxies, load generators, dissectors.
//! What a header means in its context (roles, fragmentation, limits) is the connection's business.
//!
//! # Examples
//!
//! ```
//! use framewire::frame::{Header, MaskingKey, Opcode};
//!
//! // "Hello" from a client, RFC 6455 section 5.7.
//! let mut frame = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
//! let (header, size) = Header::decode(&frame)?.expect("all of the header is there");
//! assert_eq!((header.fin, header.opcode, header.payload_len), (true, Opcode::Text, 5));
//!
//! let key = header.masking_key.expect("frames of clients are masked");
//! assert_eq!(key, MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
//! key.apply(&mut frame[size..], 0);
//! assert_eq!(&frame[size..], b"Hello");
//! # Ok::<(), framewire::frame::HeaderError>(())
//! ```

mod header;
mod mask;

pub use header::{EncodedHeader, Header, HeaderError, Opcode};
pub use mask::MaskingKey;
pub(crate) use mask::{copy_masked, unmask, unmask_short};

/// Says that a message is compressed, in its first frame (RFC 7692 section 6).
pub(crate) const RSV1: u8 = 0x40;
