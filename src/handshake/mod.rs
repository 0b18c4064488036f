//! The opening handshake (RFC 6455 section 4), without I/O.
//!
//! What a header *means* is decided by pure functions on header values: [`header`], [`extension`],
//! [`authority`] and [`origin`]. What HTTP/1.1 looks like in bytes is known to [`http1`], [`reader`] and
//! [`head`] alone, so that a framework which has parsed a request itself can do without them: that is
//! `http`, behind the feature of that name.
//! [`client`] and [`server`] put both together.

// Offsets come from the peer here.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub(crate) mod authority;
pub mod client;
pub(crate) mod extension;
mod head;
pub(crate) mod header;
#[cfg(feature = "http")]
pub mod http;
mod http1;
mod origin;
mod reader;
pub mod server;

use thiserror::Error;

/// The transport ended inside the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the transport ended {received} bytes into the opening handshake")]
#[non_exhaustive]
pub struct Aborted {
    /// How many bytes had been received. None at all is typical of a probe whether the port is open.
    pub received: usize,
}
