//! Opening handshakes in both roles, beside httparse and SHA-1 alone on the same bytes in the same run.
//!
//! ```text
//! cargo bench --bench handshake         # measures
//! python3 benches/ratios.py handshake   # prints what was measured as tables
//! ```
//!
//! A server parses the request, makes a connection and has the 101 in its queue. A client writes the request and
//! judges the 101; its seed is given, so that asking the operating system for one is not in it. Everything that
//! a handshake allocates is allocated and freed each time.

mod common {
    pub(crate) mod clock;
    pub(crate) mod contest;
}

use bytes::Buf as _;
use common::contest::{Case, Contestant, ThreadTime, settings};
use criterion::{Criterion, criterion_group, criterion_main};
use framewire::{RecvBuf, client, server};
use httparse::EMPTY_HEADER;
use sha1::{Digest as _, Sha1};

/// No more than RFC 6455 wants.
const SMALL: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";
/// What a browser sends.
const BROWSER: &str = "GET /chat?room=42 HTTP/1.1\r\n\
    Host: server.example.com:8080\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/138.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: http://server.example.com:8080\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";
/// The answer to the key of both (RFC 6455 section 1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const SEED: [u8; 32] = [7; 32];

struct Server<'r> {
    config: server::Config,
    rx: RecvBuf,
    request: &'r str,
}

impl Contestant for Server<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        self.rx.extend_from_slice(self.request.as_bytes());
        let mut handshake = server::Handshake::new(&self.config);
        match handshake.receive(&mut self.rx) {
            Some(server::Opening::Upgrade(request)) => seen(request.upgrade().send_buf().chunk()),
            other => panic!("{other:?}"),
        }
    }
}

struct Client<'r> {
    request: &'r client::Request,
    config: client::Config,
    rx: RecvBuf,
    response: &'r [u8],
}

impl Contestant for Client<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        let mut handshake = client::Handshake::with_seed(self.request, &self.config, SEED);
        seen(handshake.send_buf().chunk());
        self.rx.extend_from_slice(self.response);
        match handshake.receive(&mut self.rx) {
            Some(client::Outcome::Connected(..)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Some work, which makes some bytes.
struct Alone<W>(W);

impl<const N: usize, W: FnMut() -> [u8; N]> Contestant for Alone<W> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        seen(&(self.0)());
    }
}

fn parse_request(request: &str) -> [u8; 1] {
    let mut headers = [EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(request.as_bytes()).expect("a valid request");
    assert!(status.is_complete());
    [parsed.headers.len() as u8]
}

fn parse_response(response: &[u8]) -> [u8; 1] {
    let mut headers = [EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let status = parsed.parse(response).expect("a valid response");
    assert!(status.is_complete());
    [parsed.headers.len() as u8]
}

fn hash() -> [u8; 20] {
    Sha1::new_with_prefix(KEY)
        .chain_update(GUID)
        .finalize()
        .into()
}

fn measure_hash(case: &mut Case<'_>) {
    // The characters of ACCEPT, decoded.
    case.measure("limit SHA-1", Alone(hash), |bytes, _| {
        assert_eq!(bytes[..5], [0xb3, 0x7a, 0x4f, 0x2c, 0xc0]);
    });
}

fn as_server(c: &mut Criterion<ThreadTime>) {
    for (name, request) in [("small", SMALL), ("browser", BROWSER)] {
        let mut case = Case::new(c, "handshake as server", name, 1, request.len());
        let server = Server {
            config: server::Config::new(),
            rx: RecvBuf::new(),
            request,
        };
        case.measure("framewire", server, |response, _| {
            let response = str::from_utf8(response).expect("ASCII");
            assert!(response.starts_with("HTTP/1.1 101 ") && response.contains(ACCEPT));
        });
        let lines = request.lines().count() as u8;
        let parse = Alone(|| parse_request(request));
        // All lines but the first and the empty one at the end.
        case.measure("limit httparse", parse, |headers, _| {
            assert_eq!(headers, [lines - 2])
        });
        measure_hash(&mut case);
    }
}

/// What a server answers to the request that is made from `SEED`.
fn response(request: &client::Request) -> Vec<u8> {
    let mut asked = client::Handshake::with_seed(request, &client::Config::new(), SEED);
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(asked.send_buf().chunk());
    match server::Handshake::new(&server::Config::new()).receive(&mut rx) {
        Some(server::Opening::Upgrade(request)) => request.upgrade().send_buf().chunk().into(),
        other => panic!("{other:?}"),
    }
}

fn as_client(c: &mut Criterion<ThreadTime>) {
    let small = client::Request::new("ws://server.example.com/chat");
    let small = small.expect("a valid URI");
    let large = small.clone().bearer("mF_9.B5f-4.1JqM");
    let large = large.and_then(|request| request.origin("http://server.example.com"));
    let large = large.and_then(|request| request.cookie("session", "0123456789abcdef"));
    let large = large.expect("valid headers");
    for (name, request) in [("small", &small), ("with headers", &large)] {
        let response = response(request);
        let mut case = Case::new(c, "handshake as client", name, 1, response.len());
        let client = Client {
            request,
            config: client::Config::new(),
            rx: RecvBuf::new(),
            response: &response,
        };
        case.measure("framewire", client, |request, _| {
            assert!(request.starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
        });
        let parse = Alone(|| parse_response(&response));
        // Upgrade, Connection and the answer to the key.
        case.measure("limit httparse", parse, |headers, _| {
            assert_eq!(headers, [3])
        });
        measure_hash(&mut case);
    }
}

criterion_group! {
    name = benches;
    config = settings();
    targets = as_server, as_client
}
criterion_main!(benches);
