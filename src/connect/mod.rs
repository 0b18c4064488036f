//! The way to a server, up to the opening handshake.
//!
//! ```text
//!  URI --> [proxy?] --> addresses --> TCP --> [TLS with the proxy] --> [tunnel] --> [TLS] --> opening handshake
//!             ^                                                                                     |
//!             +---------------------------- redirect, if it is wanted ------------------------------+
//! ```
//!
//! `connect` and `connect_with` of [`blocking`](crate::blocking::connect) and of `tokio` go this way with its
//! defaults, directly and with the roots of the platform. A [`Connector`] says what is to be
//! different, for `connect_via`. All steps together have one deadline, [`Config::timeout`]; a step that
//! fails tells so, and for which address, in a [`ConnectError`].
//!
//! The parts that decide do no I/O, and know no time: a [`Tunnel`] can be used over any transport.
//!
//! # Addresses
//!
//! A host with several addresses is connected to as [RFC 8305][rfc] has it ("Happy Eyeballs"): in turns of IPv6
//! and IPv4, beginning with what the system prefers, each 250 ms after the one before it, or as soon as that has
//! failed. The first that is connected wins. So a dead address costs 250 ms at most. Not more than 16
//! addresses are tried. The RFC's part about asking for both kinds of addresses at the same time is left to the
//! operating system, which is asked once.
//!
//! # Proxies
//!
//! A [`Proxy`] speaks HTTP or SOCKS5, with a user and a password if it wants them. `ws` goes through a
//! tunnel just as `wss` does (RFC 6455 section 4.1). The environment is looked at if that is asked for, see
//! [`Proxies::from_env`]. It is the proxy that looks up the name of the server.
//!
//! # Host names
//!
//! Those that are not ASCII become their `xn--` form with the feature `idna`.
//!
//! [`Config::timeout`]: crate::client::Config::timeout
//! [rfc]: https://www.rfc-editor.org/rfc/rfc8305

mod addresses;
mod connector;
mod error;
mod proxy;
mod tunnel;

pub use connector::Connector;
pub use error::{Attempt, ConnectError, Peer};
pub use proxy::{InvalidEnvironment, InvalidProxy, Proxies, Proxy};
pub use tunnel::{ProxyError, SocksFailure, Tunnel};

pub(crate) use addresses::{Attempts, Next};
pub(crate) use error::{Host, TunnelFailed};
