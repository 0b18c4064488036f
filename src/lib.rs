//! framewire

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod buffer;
mod close;
mod config;
mod connection;
mod error;
mod event;
pub mod frame;
mod prepared;
mod rng;
mod stats;
mod utf8;

pub use buffer::{RecvBuf, SendBuf};
pub use close::{CloseCode, CloseFrame};
pub use config::{Accepts, Config, Keepalive, Role};
pub use connection::{Closed, ClosedBy, Connection, State};
pub use error::{ProtocolError, SendError, TimedOut, UnexpectedEof};
pub use event::{Event, MessageKind, PartEvent};
pub use prepared::PreparedMessage;
pub use stats::Stats;
