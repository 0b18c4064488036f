//! The extension permessage-deflate (RFC 7692): its parameters, and the data of messages in and out.
//!
//! [`negotiate`] is pure functions over parameters; what they agree on goes into a [`Compressor`] and a
//! [`Decompressor`], which know payloads and nothing of frames. A state of either kind is large, so
//! that it is made when the first message needs it, and goes to a [`pool`] of its thread when it has no
//! history to remember.

// Everything here comes from the peer, or goes where the peer will look at it.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod codec;
mod compress;
mod decompress;
pub(crate) mod negotiate;
mod options;
mod pool;
mod slot;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../tests/support/deflate_tokens.rs"]
mod tokens;

pub use self::options::Deflate;
pub(crate) use self::{
    codec::{Codec, prepare},
    decompress::InvalidData,
};

/// A window of 2^15 bytes, the largest that deflate knows: what a parameter that is not there means.
const MAX_WINDOW_BITS: u8 = 15;

/// The smallest window to compress with: zlib can't keep to one of 2^8 bytes.
const MIN_SEND_WINDOW_BITS: u8 = 9;

/// What the sender of a message removes from its end and the receiver puts back (sections 7.2.1 and
/// 7.2.2): LEN and NLEN of an empty block without compression.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// By how much a total grew in one call, which moved it within one slice.
fn advance(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("it is at most the length of a slice")
}
