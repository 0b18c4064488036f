//! The extension permessage-deflate (RFC 7692): its parameters, and the data of messages in and out.
//!
//! [`negotiate`] is pure functions over parameters.

// Everything here comes from the peer, or goes where the peer will look at it.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "no connection compresses its messages yet")
)]

pub(crate) mod negotiate;
mod options;
mod slot;

#[expect(unused_imports, reason = "no connection compresses its messages yet")]
pub(crate) use self::slot::Slot;
pub use options::Deflate;

/// A window of 2^15 bytes, the largest that deflate knows: what a parameter that is not there means.
const MAX_WINDOW_BITS: u8 = 15;

/// The smallest window to compress with: zlib can't keep to one of 2^8 bytes.
const MIN_SEND_WINDOW_BITS: u8 = 9;
