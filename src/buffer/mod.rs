//! The two buffers of a connection: what came in ([`RecvBuf`], the caller's) and what has to go
//! out ([`SendBuf`], the connection's). Bytes and places only; what they mean is decided elsewhere.

mod inflated;
mod recv;
mod send;
#[cfg(feature = "std")]
mod write;

pub(crate) use inflated::{Inflated, PIECE, append};
pub use recv::RecvBuf;
pub(crate) use send::CHAIN_FROM;
pub use send::SendBuf;
