//! Our client against our server: whatever a valid request asks for, the server sees it, and what the
//! server answers, the client reports.

#[path = "support/http_client.rs"]
mod http_client;

use std::collections::BTreeSet;

use framewire::client::{Config, Handshake, Outcome, Request};
use framewire::server::{self, Head, Opening, OriginPolicy};
use framewire::{Connection, Event, RecvBuf};
use http_client::{KEY, SEED, client, cut, take};
use proptest::prelude::*;

/// Everything that can be asked for.
#[derive(Clone, Debug)]
struct Wish {
    secure: bool,
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<String>,
    other_host: Option<String>,
    subprotocols: Vec<String>,
    cookies: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    origin: Option<String>,
    authorization: Authorization,
}

#[derive(Clone, Debug)]
enum Authorization {
    None,
    Bearer(String),
    Basic(String, String),
    Userinfo(String, String),
}

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}";

/// Bytes that a value may have.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => 0x20..0x7f_u8, 1 => 0x80..=0xff_u8, 1 => Just(b'\t')];
    prop::collection::vec(byte, 0..30)
}

fn wishes() -> impl Strategy<Value = Wish> {
    let host = prop_oneof![
        "[a-zA-Z0-9_]([a-z0-9.-]{0,20}[a-z0-9])?",
        Just("[::1]".to_owned()),
        Just("[2001:db8::192.0.2.1]".to_owned()),
        Just("127.0.0.1".to_owned()),
    ];
    let uri = (
        any::<bool>(),
        host.clone(),
        prop::option::of(1..=u16::MAX),
        "(/[!\"$->@-~é€]{0,10}){0,4}",
        prop::option::of("[!\"$-~ü]{0,20}"),
        prop::option::of(host),
    );
    let names = prop::collection::btree_set(TOKEN, 0..5);
    let header = ("X-[!#$%&'*+.^_`|~0-9A-Za-z-]{0,10}", value());
    let authorization = prop_oneof![
        Just(Authorization::None),
        "[A-Za-z0-9._~+/-]{1,20}={0,2}".prop_map(Authorization::Bearer),
        ("[^:\\pC]{0,9}", "\\PC{0,9}").prop_map(|(u, p)| Authorization::Basic(u, p)),
        ("[a-z0-9é]{0,9}", "[a-z0-9:ü]{0,9}").prop_map(|(u, p)| Authorization::Userinfo(u, p)),
    ];
    let rest = (
        names
            .prop_map(BTreeSet::into_iter)
            .prop_map(Vec::from_iter)
            .prop_shuffle(),
        prop::collection::vec((TOKEN, "[!#-+./0-9:<-\\[\\]-~-]{0,12}"), 0..4),
        prop::collection::vec(header, 0..8),
        prop::option::of("[ -~]{0,20}"),
        authorization,
    );
    (uri, rest).prop_map(|(uri, rest)| {
        let (secure, host, port, path, query, other_host) = uri;
        let (subprotocols, cookies, headers, origin, authorization) = rest;
        Wish {
            secure,
            host,
            port,
            path,
            query,
            other_host,
            subprotocols,
            cookies,
            headers,
            origin,
            authorization,
        }
    })
}

fn trimmed(value: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte));
    let end = value.iter().rposition(|byte| !is_space(byte));
    start
        .zip(end)
        .map_or(vec![], |(start, end)| value[start..=end].to_vec())
}

/// Percent-encodes what is not ASCII.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl Wish {
    fn request(&self) -> Request {
        let scheme = if self.secure { "wss" } else { "ws" };
        let userinfo = match &self.authorization {
            Authorization::Userinfo(user, password) => format!("{user}:{password}@"),
            _ => String::new(),
        };
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        let query = self
            .query
            .as_ref()
            .map_or(String::new(), |q| format!("?{q}"));
        let (host, path) = (&self.host, &self.path);
        let uri = format!("{scheme}://{userinfo}{host}{port}{path}{query}");
        let request = if userinfo.is_empty() {
            Request::new(&uri)
        } else {
            Request::with_userinfo(&uri)
        };
        let mut request = request.expect(&uri);
        if let Some(host) = &self.other_host {
            request = request.host(host).expect("a host");
        }
        for name in &self.subprotocols {
            request = request.subprotocol(name).expect("a token");
        }
        for (name, value) in &self.cookies {
            request = request.cookie(name, value).expect("a cookie");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value).expect("a header");
        }
        if let Some(origin) = &self.origin {
            request = request.origin(origin).expect("an origin");
        }
        match &self.authorization {
            Authorization::Bearer(token) => request.bearer(token).expect("a token"),
            Authorization::Basic(user, password) => request.basic(user, password).expect("a user"),
            Authorization::None | Authorization::Userinfo(..) => request,
        }
    }

    /// The value of the Host header.
    fn host(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        match (&self.other_host, self.port) {
            (Some(host), _) => host.clone(),
            (None, Some(port)) if port != default => format!("{}:{port}", self.host),
            (None, _) => self.host.clone(),
        }
    }

    fn check(&self, head: &Head) {
        let path = match &*self.path {
            "" => "/".into(),
            path => encoded(path),
        };
        assert_eq!(head.path(), path);
        assert_eq!(head.query(), self.query.as_deref().map(encoded).as_deref());
        assert_eq!(head.host(), self.host());
        let origin = self
            .origin
            .as_ref()
            .map(|origin| trimmed(origin.as_bytes()));
        assert_eq!(head.origin(), origin.as_deref());
        let mut expected: Vec<(&str, Vec<u8>)> = vec![
            ("Host", self.host().into()),
            ("Upgrade", b"websocket".into()),
            ("Connection", b"Upgrade".into()),
            ("Sec-WebSocket-Key", KEY.into()),
            ("Sec-WebSocket-Version", b"13".into()),
        ];
        if !self.subprotocols.is_empty() {
            let list = self.subprotocols.join(", ");
            expected.push(("Sec-WebSocket-Protocol", list.into()));
        }
        if !self.cookies.is_empty() {
            let pairs = self.cookies.iter().map(|(n, v)| format!("{n}={v}"));
            expected.push(("Cookie", pairs.collect::<Vec<_>>().join("; ").into()));
        }
        // User information was known before anything else was added.
        let authorized = head.header("Authorization").map(Vec::from);
        let early = matches!(self.authorization, Authorization::Userinfo(..));
        if early {
            expected.push(("Authorization", authorized.clone().expect("it was sent")));
        }
        expected.extend(self.headers.iter().map(|(n, v)| (&**n, trimmed(v))));
        expected.extend(origin.map(|origin| ("Origin", origin)));
        if !early {
            expected.extend(authorized.clone().map(|value| ("Authorization", value)));
        }
        let headers: Vec<_> = head.headers().map(|(n, v)| (n, v.to_vec())).collect();
        assert_eq!(headers, expected);
        self.check_authorization(authorized);
    }

    fn check_authorization(&self, sent: Option<Vec<u8>>) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};

        let sent = sent.map(|value| String::from_utf8(value).expect("ASCII"));
        let credentials = |sent: Option<String>| {
            let sent = sent.expect("credentials");
            let coded = sent.strip_prefix("Basic ").expect("Basic");
            String::from_utf8(STANDARD.decode(coded).expect("base64")).expect("UTF-8")
        };
        match &self.authorization {
            Authorization::None => assert_eq!(sent, None),
            Authorization::Bearer(token) => assert_eq!(sent, Some(format!("Bearer {token}"))),
            Authorization::Basic(user, password) | Authorization::Userinfo(user, password) => {
                assert_eq!(credentials(sent), format!("{user}:{password}"));
            }
        }
    }
}

/// What a server makes of the request of this handshake, which arrives in pieces.
fn open(handshake: &mut Handshake, config: &server::Config, cuts: u64) -> (Opening, RecvBuf) {
    let mut server = server::Handshake::new(config);
    let mut rx = RecvBuf::new();
    for piece in cut(&take(handshake.send_buf()), cuts) {
        rx.extend_from_slice(piece);
        if let Some(opening) = server.receive(&mut rx) {
            return (opening, rx);
        }
    }
    panic!("the server needs more than the request");
}

/// What the client makes of an answer that arrives in pieces, and what it leaves.
fn answered(handshake: &mut Handshake, answer: &[u8], cuts: u64) -> (Option<Outcome>, RecvBuf) {
    let mut rx = RecvBuf::new();
    let mut outcome = None;
    for piece in cut(answer, cuts) {
        rx.extend_from_slice(piece);
        if outcome.is_none() {
            outcome = handshake.receive(&mut rx);
        }
    }
    (outcome, rx)
}

fn pass(from: &mut Connection, to: &mut Connection, rx: &mut RecvBuf) -> Vec<String> {
    rx.extend_from_slice(&take(from.send_buf()));
    let mut events = Vec::new();
    while let Some(event) = to.receive(rx) {
        if let Event::Text(text) = event {
            to.send_text(text).expect("open");
        }
        events.push(format!("{event:?}"));
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: HC-01, HC-02, HC-04, HC-05, HC-06, U-06, P-OUT, P-RT
    #[test]
    fn client_and_server_agree_on_what_was_asked_and_answered(
        wish in wishes(),
        supported in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        added in prop::collection::vec(("X-[A-Za-z0-9-]{0,10}|Set-Cookie", value()), 0..5),
        cuts in any::<u64>(),
    ) {
        let mut handshake = Handshake::with_seed(&wish.request(), &Config::new(), SEED);
        let config = server::Config::new().origin(OriginPolicy::Any);
        let (opening, mut up) = open(&mut handshake, &config, cuts);
        let Opening::Upgrade(mut request) = opening else {
            panic!("{opening:?}");
        };
        wish.check(&request);
        let offered: Vec<_> = request.subprotocols().map(String::from).collect();
        prop_assert_eq!(&offered, &wish.subprotocols);
        let supported: Vec<_> = match offered.is_empty() {
            true => vec![],
            false => supported.iter().map(|index| index.get(&offered)).collect(),
        };
        let chosen = request.choose_subprotocol(&supported).map(String::from);
        for (name, value) in &added {
            request.add_header(name, value).expect("a header");
        }
        let mut server = request.upgrade();
        prop_assert_eq!(server.subprotocol(), chosen.as_deref());
        server.send_text("first").expect("open");

        let answer = take(server.send_buf());
        let (outcome, mut down) = answered(&mut handshake, &answer, cuts);
        let Some(Outcome::Connected(mut client, response)) = outcome else {
            panic!("{outcome:?}");
        };
        prop_assert_eq!(client.subprotocol(), chosen.as_deref());
        prop_assert_eq!(response.status(), 101);
        let headers: Vec<_> = response.headers().map(|(n, v)| (n.into(), v.to_vec())).collect();
        let expected: Vec<_> = added.iter().map(|(n, v)| (n.clone(), trimmed(v))).collect();
        prop_assert_eq!(&headers[headers.len() - added.len()..], &expected[..]);

        // Each echoes what it receives.
        prop_assert_eq!(pass(&mut server, &mut client, &mut down), ["Text(\"first\")"]);
        client.send_text("hello").expect("open");
        let both = ["Text(\"first\")", "Text(\"hello\")"];
        prop_assert_eq!(pass(&mut client, &mut server, &mut up), both);
        prop_assert_eq!(pass(&mut server, &mut client, &mut down), both);
    }

    // req: HC-08, HC-10, HC-11
    #[test]
    fn client_reports_what_the_server_refuses_with(
        code in prop_oneof![200..600_u16, Just(401_u16), Just(302_u16)],
        added in prop::collection::vec(("X-[A-Za-z0-9-]{0,10}|Location|WWW-Authenticate", value()), 0..5),
        body in prop::collection::vec(any::<u8>(), 0..300),
        cuts in any::<u64>(),
    ) {
        let mut handshake = client().handshake();
        let (opening, _) = open(&mut handshake, &server::Config::new(), cuts);
        let Opening::Upgrade(request) = opening else {
            panic!("{opening:?}");
        };
        let mut response = server::Response::new(code).expect("a final status");
        for (name, value) in &added {
            response = response.header(name, value).expect("a header");
        }
        let sent = if [204, 205, 304].contains(&code) { vec![] } else { body };
        let mut tx = request.respond(response.body(sent.clone()));
        let (outcome, _) = answered(&mut handshake, &take(&mut tx), cuts);
        let Some(Outcome::Refused(response)) = outcome else {
            panic!("{outcome:?}");
        };
        prop_assert_eq!((response.status(), response.body()), (code, &sent[..]));
        for (name, value) in added {
            let mut all = response.headers().filter(|(known, _)| *known == name);
            prop_assert!(all.any(|(_, seen)| seen == trimmed(&value)));
        }
    }
}

// req: HC-08, HC-12
#[test]
fn client_reports_why_our_server_rejects_it() {
    let with = |name: &str, value: &str| client().request.header(name, value).expect("a header");
    let plain = server::Config::new;
    for (request, config, status) in [
        (with("Origin", "https://evil.example"), plain(), 403),
        (with("x", &"y".repeat(20_000)), plain(), 431),
        (client().request, plain().max_headers(4), 431),
        (client().request, plain().max_target_size(4), 414),
    ] {
        let mut handshake = Handshake::with_seed(&request, &Config::new(), SEED);
        let mut server = server::Handshake::new(&config);
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&take(handshake.send_buf()));
        let opening = server.receive(&mut rx);
        assert!(matches!(opening, Some(Opening::Rejected(_))), "{opening:?}");
        let (outcome, _) = answered(&mut handshake, &take(server.send_buf()), 1);
        let Some(Outcome::Refused(response)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(response.status(), status);
        assert_eq!(response.header("Connection"), Some(&b"close"[..]));
    }
}
