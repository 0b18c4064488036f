//! The fuzz targets of framewire, as functions of bytes: a fuzzer calls them by way of
//! `fuzz_targets/`, a test calls them with all seeds.
//!
//! An input is a prefix of fixed size, which draws configuration, cuts and commands ([`input`]), and
//! behind it the bytes of the peer or the words of the application. Inputs that are shorter than the
//! prefix are filled up with zeros, and zeros mean: the defaults, in one piece, and nobody does
//! anything.
//!
//! What must hold is asserted on the way, much of it against a second reading of the RFCs
//! ([`reference`]). The reader of our output is the one of the tests.

#[path = "../../tests/support/http.rs"]
mod http;
#[path = "../../tests/support/mod.rs"]
mod support;

mod client;
mod deflate;
mod drive;
mod headers;
mod input;
mod proxy;
mod reference;
mod request;
mod response;
mod same;
mod uri;

use framewire::Role;

/// Bytes to a server's connection, while its application sends, pings, closes, lets time pass and
/// writes by fits and starts.
pub fn server_bytes(data: &[u8]) {
    drive::run(Role::Server, data);
}

/// The same for a client.
pub fn client_bytes(data: &[u8]) {
    drive::run(Role::Client, data);
}

/// The same bytes to both roles, cut in two ways, received in whole messages and in parts: nothing
/// that can be observed may differ, and events and counters are those of a second decoder.
pub fn segmentation(data: &[u8]) {
    same::run(Role::Server, data);
    same::run(Role::Client, data);
}

/// Bytes to a server's opening handshake, cut in two ways: what comes of them is what a second reading
/// of the rules says.
pub fn request(data: &[u8]) {
    request::run(data);
}

/// The same for a client.
pub fn response(data: &[u8]) {
    response::run(data);
}

/// Values of Sec-WebSocket-Extensions and Sec-WebSocket-Protocol in otherwise valid handshakes, to both
/// sides.
pub fn headers(data: &[u8]) {
    headers::run(data);
}

/// Bytes of a proxy, by HTTP and by SOCKS5, in four cuts: what comes of them is what a second reading of the
/// rules says.
pub fn proxy(data: &[u8]) {
    proxy::run(data);
}

/// An application that asks for anything: what it may ask for arrives at our server as it was meant.
pub fn uri(data: &[u8]) {
    uri::run(data);
}

/// Compressed payloads to both roles, with and without context takeover, cut in every way: nothing that
/// can be observed may differ, limits hold, and what is taken is what another implementation makes of it.
pub fn deflate(data: &[u8]) {
    deflate::run(data);
}
