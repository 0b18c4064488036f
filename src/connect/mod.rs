//! The way to a server where it leads through a proxy: which proxy that is ([`Proxies`], [`Proxy`]), and
//! what is said to it before the first byte of the opening handshake ([`Tunnel`], RFC 6455 section 4.1).
//! Nothing here opens a transport, and none of it knows the time.

mod proxy;
mod tunnel;

pub use proxy::{InvalidEnvironment, InvalidProxy, Proxies, Proxy};
pub use tunnel::{ProxyError, SocksFailure, Tunnel};
