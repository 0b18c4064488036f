//! Who asks: keys, cookies, bearer tokens, users and passwords in a client's request, and that none of
//! them shows in a log (RFC 6455 section 4.1, RFC 6265, RFC 6750, RFC 7617).

#[path = "support/http_client.rs"]
mod http_client;

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Buf as _;
use framewire::client::{
    Config, Handshake, InvalidHeader, InvalidRequest as E, InvalidUri, Outcome, Request,
};
use framewire::{RecvBuf, server};
use http_client::{ACCEPT, KEY, SEED, asked, client, switching, take};
use rand::{Rng as _, SeedableRng as _, rngs::ChaCha12Rng};

const VALUE: Result<Request, E> = Err(E::Header(InvalidHeader::Value));
const REPEATED: Result<Request, E> = Err(E::Header(InvalidHeader::Repeated));

fn request() -> Request {
    client().request
}

/// The Authorization header that is sent.
fn authorization(request: &Request) -> Option<String> {
    let asked = asked(request);
    let value = asked.header("Authorization")?.to_vec();
    Some(String::from_utf8(value).expect("ASCII"))
}

/// The key in the bytes of a request.
fn key_in(request: &[u8]) -> String {
    let text = std::str::from_utf8(request).expect("ASCII");
    let (_, rest) = text.split_once("Sec-WebSocket-Key: ").expect("a key");
    rest.split("\r\n").next().expect("a line").into()
}

// req: HC-03, A-11
#[test]
fn keys_are_fresh_and_decode_to_16_bytes() {
    let request = request();
    let keys: HashSet<[u8; 16]> = (0..10_000)
        .map(|_| {
            let mut handshake = Handshake::new(&request, &Config::new());
            let key = key_in(&take(handshake.send_buf()));
            assert_eq!(key.len(), 24);
            let nonce = STANDARD.decode(key).expect("canonical base64");
            nonce.try_into().expect("16 bytes")
        })
        .collect();
    assert_eq!(keys.len(), 10_000, "none is repeated");
    // Each bit of them is a coin: 6 standard deviations are 300.
    for bit in 0..128 {
        let set = keys.iter().filter(|key| key[bit / 8] >> (bit % 8) & 1 == 1);
        let set = set.count();
        assert!((4700..=5300).contains(&set), "bit {bit} is set {set} times");
    }
}

// req: HC-03, A-11
#[test]
fn key_and_masks_are_drawn_from_the_injected_generator_in_turn() {
    for seed in [SEED, [0; 32], [0xff; 32]] {
        let mut generator = ChaCha12Rng::from_seed(seed);
        let mut nonce = [0; 16];
        generator.fill_bytes(&mut nonce);
        let mut handshake = Handshake::with_seed(&request(), &Config::new(), seed);
        let key = key_in(handshake.send_buf().chunk());
        assert_eq!(key, STANDARD.encode(nonce));
        if seed != SEED {
            continue;
        }
        assert_eq!(key, KEY);
        let mut rx = RecvBuf::new();
        rx.extend_from_slice(&switching().bytes());
        take(handshake.send_buf());
        let Some(Outcome::Connected(mut conn, _)) = handshake.receive(&mut rx) else {
            panic!("not connected");
        };
        // The nonce is public by now: no mask may be a part of it.
        for _ in 0..100 {
            conn.send_binary(&[0; 4]).expect("open");
            let frame = take(conn.send_buf());
            let mask = generator.next_u32().to_le_bytes();
            assert_eq!(frame, [&[0x82, 0x84][..], &mask, &mask].concat());
        }
    }
}

// req: HC-03, HC-15
#[test]
fn our_server_knows_the_answer_to_any_key() {
    for n in 0..500_u16 {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&n.to_le_bytes());
        let mut handshake = Handshake::with_seed(&request(), &Config::new(), seed);
        let mut up = RecvBuf::new();
        up.extend_from_slice(&take(handshake.send_buf()));
        let opening = server::Handshake::new(&server::Config::new()).receive(&mut up);
        let Some(server::Opening::Upgrade(request)) = opening else {
            panic!("{opening:?}");
        };
        let mut down = RecvBuf::new();
        down.extend_from_slice(&take(request.upgrade().send_buf()));
        let outcome = handshake.receive(&mut down);
        assert!(matches!(outcome, Some(Outcome::Connected(..))));
    }
}

#[test]
fn cookies_are_one_header() {
    for (cookies, header) in [
        (&[("a", "1")][..], "a=1"),
        (&[("a", "1"), ("b", "2"), ("a", "3")], "a=1; b=2; a=3"),
        (
            &[("SID", "31d4d96e407aad42"), ("lang", "")],
            "SID=31d4d96e407aad42; lang=",
        ),
        (
            &[("a", "!#$%&'()*+-./:<=>?@[]^_`{|}~")],
            "a=!#$%&'()*+-./:<=>?@[]^_`{|}~",
        ),
    ] {
        let with = cookies
            .iter()
            .try_fold(request(), |request, (name, value)| {
                request.cookie(name, value)
            });
        let asked = asked(&with.expect("cookies"));
        assert_eq!(asked.extra(), [("Cookie", header.as_bytes())]);
    }
}

#[test]
fn what_no_cookie_can_have_is_refused() {
    let accepted = |name: &str, value: &str| request().cookie(name, value).is_ok();
    for char in (0..=0xff_u8).map(char::from) {
        // cookie-octet (RFC 6265 section 4.1.1)
        let octet = matches!(char,
            '\x21' | '\x23'..='\x2b' | '\x2d'..='\x3a' | '\x3c'..='\x5b' | '\x5d'..='\x7e');
        for value in [format!("{char}"), format!("a{char}b")] {
            assert_eq!(accepted("n", &value), octet, "{value:?}");
        }
        let token = char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
        for name in [format!("{char}"), format!("a{char}b")] {
            assert_eq!(accepted(&name, "v"), token, "{name:?}");
        }
    }
    for (name, value) in [
        ("", "v"),
        ("a; b", "v"),
        ("n", "v; x=y"),
        ("n", "a, b"),
        ("n", "é"),
    ] {
        assert!(!accepted(name, value), "{name:?} {value:?}");
    }
}

// RFC 6750 section 2.1
#[test]
fn bearer_tokens_are_sent_as_they_are() {
    for token in ["mF_9.B5f-4.1JqM", "a", "a=", "a==", "-._~+/", "Zm9v+/0="] {
        let with = request().bearer(token).expect("a token");
        assert_eq!(authorization(&with), Some(format!("Bearer {token}")));
    }
    for token in [
        "",
        "=",
        "==",
        "a=b",
        "=a",
        "a b",
        " a",
        "a ",
        "a,b",
        "a\"",
        "a:b",
        "é",
        "a\r\nX: y",
        "a\0",
        "a\t",
        "Bearer a",
        "a@b",
        "a%20",
    ] {
        assert_eq!(request().bearer(token), VALUE, "{token:?}");
    }
}

// RFC 7617 sections 2 and 2.1
#[test]
fn user_and_password_are_sent_in_base64() {
    for (user, password, credentials) in [
        ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123£", "dGVzdDoxMjPCow=="),
        ("", "", "Og=="),
        ("u", "", "dTo="),
        ("", "p", "OnA="),
        ("u", "a:b:", "dTphOmI6"), // a password may have colons
        ("a@b/c?d#e", "%41", "YUBiL2M/ZCNlOiU0MQ=="),
    ] {
        let with = request().basic(user, password).expect("allowed");
        let expected = Some(format!("Basic {credentials}"));
        assert_eq!(authorization(&with), expected, "{user}:{password}");
    }
    for (user, password) in [
        ("a:b", "c"),
        (":", ""),
        ("a\n", "b"),
        ("a", "b\r\nX: y"),
        ("a\0", "b"),
        ("a", "\x7f"),
        ("a", "\t"),
        ("a", "\u{85}"),
    ] {
        assert_eq!(request().basic(user, password), VALUE, "{user:?}");
    }
}

// req: HC-06
#[test]
fn headers_that_a_request_has_once_are_not_repeated() {
    let authorized = [
        request().bearer("a"),
        request().basic("u", "p"),
        request().header("AUTHORIZATION", "Digest x"),
        Request::with_userinfo("ws://u:p@h/"),
    ];
    for with in authorized {
        let with = with.expect("one of them");
        assert_eq!(with.clone().bearer("a"), REPEATED);
        assert_eq!(with.clone().basic("u", "p"), REPEATED);
        assert_eq!(with.clone().header("authorization", "x"), REPEATED);
        assert!(with.header("Proxy-Authorization", "x").is_ok());
    }
    let by_method = request().cookie("a", "b").expect("a cookie");
    assert_eq!(by_method.header("cookie", "c=d"), REPEATED);
    let by_header = request().header("COOKIE", "any, thing").expect("a value");
    assert_eq!(by_header.clone().cookie("a", "b"), REPEATED);
    assert_eq!(by_header.clone().header("cookie", "c=d"), REPEATED);
    let sent = asked(&by_header);
    assert_eq!(sent.header("Cookie"), Some(&b"any, thing"[..]));
    // Their names in other headers, or in values, are no such header.
    let others = request()
        .header("X-Origin", "a")
        .and_then(|request| request.header("x", "Origin: b"))
        .and_then(|request| request.header("Origin2", "c"))
        .and_then(|request| request.header("Orig", "d"))
        .expect("others");
    assert!(others.origin("https://h").is_ok());
}

// req: U-11
#[test]
fn user_information_is_sent_as_basic_authorization_where_it_is_asked_for() {
    for (uri, credentials) in [
        (
            "ws://Aladdin:open%20sesame@h/",
            Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        ("wss://test:123%C2%A3@h/", Some("dGVzdDoxMjPCow==")),
        ("ws://test:123£@h/", Some("dGVzdDoxMjPCow==")),
        ("ws://u@h", Some("dTo=")),
        ("ws://u:@h?q", Some("dTo=")),
        ("ws://:p@h", Some("OnA=")),
        ("ws://u:a:b%3A@[::1]:9/", Some("dTphOmI6")),
        ("ws://a%40b:%25@h/", Some("YUBiOiU=")),
        (
            "ws://-._~!$&'()*+,;=:x@h/",
            Some("LS5ffiEkJicoKSorLDs9Ong="),
        ),
        ("ws://h/", None),
        ("ws://h/u:p@x", None),
    ] {
        let request = Request::with_userinfo(uri).expect(uri);
        let expected = credentials.map(|text| format!("Basic {text}"));
        assert_eq!(authorization(&request), expected, "{uri}");
        // It is in no other place.
        let host = if uri.contains("[::1]") {
            "[::1]:9"
        } else {
            "h"
        };
        assert_eq!(request.uri().authority(), host);
        assert_eq!(asked(&request).header("Host"), Some(host.as_bytes()));
        let shown = request.uri().to_string();
        assert_eq!(shown.contains('@'), uri.ends_with("@x"), "{shown}");
    }
}

// req: U-11
#[test]
fn user_information_that_can_not_be_sent_is_refused() {
    for (uri, error) in [
        ("ws://u%:p@h/", E::Uri(InvalidUri::Userinfo)),
        ("ws://u%4:p@h/", E::Uri(InvalidUri::Userinfo)),
        ("ws://u:%zz@h/", E::Uri(InvalidUri::Userinfo)),
        ("ws://u:%+1@h/", E::Uri(InvalidUri::Userinfo)),
        ("ws://%ff:p@h/", E::Uri(InvalidUri::Userinfo)),
        ("ws://u:%c3@h/", E::Uri(InvalidUri::Userinfo)),
        ("ws://a%3Ab:p@h/", E::Header(InvalidHeader::Value)),
        ("ws://a%0d%0aX:p@h/", E::Header(InvalidHeader::Value)),
        ("ws://a:%00@h/", E::Header(InvalidHeader::Value)),
        ("ws://u:p@", E::Uri(InvalidUri::Host)),
        ("ws://u:p@:80/", E::Uri(InvalidUri::Host)),
        ("ws://u:p@h:0/", E::Uri(InvalidUri::Port)),
        ("ws://u:p#@h/", E::Uri(InvalidUri::Fragment)),
        ("ws://u: p@h/", E::Uri(InvalidUri::Character)),
        ("ws://u:p/x@h/", E::Uri(InvalidUri::Port)), // the slash ends the authority
        ("ws://u:p?x@h/", E::Uri(InvalidUri::Port)),
        ("http://u:p@h/", E::Uri(InvalidUri::Scheme)),
    ] {
        assert_eq!(Request::with_userinfo(uri), Err(error), "{uri}");
    }
}

// req: U-11
#[test]
fn user_information_that_other_parsers_read_as_a_host_is_refused() {
    // userinfo = *( unreserved / pct-encoded / sub-delims / ":" ) (RFC 3986 section 3.2.1). Where
    // something else is in it, one parser connects to what stands before it, another to what stands
    // behind: the way around every check of the host.
    for uri in [
        "ws://evil.example@good.example@h/",
        "ws://u:p@evil.example@h/",
        "ws://evil.example\\@h/",
        "ws://evil.example\\:80@h/",
        "ws://[::1]@h/",
        "ws://\"u\":<p>@h/",
        "ws://u:p^@h/",
        "ws://u:{p|q}@h/",
    ] {
        let refused = Request::with_userinfo(uri);
        assert_eq!(refused, Err(E::Uri(InvalidUri::Userinfo)), "{uri}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    // None of these has a control character in it.
    for error in [
        request().host("a b").expect_err("no host"),
        request().cookie("a", "b c").expect_err("no cookie"),
        request().bearer("").expect_err("no token"),
        request().basic("a:b", "c").expect_err("no user"),
    ] {
        let shown = error.to_string();
        assert!(!shown.contains("control character"), "{shown}");
    }
}

#[test]
fn debug_output_has_no_secrets() {
    let uri = "wss://Aladdin:sesame@h/path?token=sesame";
    let request = Request::with_userinfo(uri)
        .and_then(|request| request.cookie("session", "sesame"))
        .and_then(|request| request.header("X-Api-Key", "sesame"))
        .and_then(|request| request.subprotocol("chat")?.subprotocol("token.sesame"))
        .expect("valid");
    let shown = format!("{request:?} {request:#?}");
    assert!(shown.contains("wss://h/path"));
    // Some services take a token for a subprotocol.
    let secrets = ["sesame", "Aladdin", "session", "QWxhZGRpbjpzZXNhbWU="];
    for secret in secrets {
        assert!(!shown.contains(secret), "{shown}");
    }

    let mut handshake = Handshake::with_seed(&request, &Config::new(), SEED);
    let shown = format!("{handshake:?}");
    for secret in ["sesame", "Aladdin", KEY, ACCEPT, "QWxhZGRpbjpzZXNhbWU="] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let mut rx = RecvBuf::new();
    let response = switching()
        .and("Set-Cookie", "id=sesame")
        .and("Sec-WebSocket-Protocol", "chat");
    rx.extend_from_slice(&response.bytes());
    let outcome = handshake.receive(&mut rx);
    let shown = format!("{outcome:?} {handshake:?} {rx:?}");
    assert!(shown.contains("Connected") && shown.contains("101"));
    assert!(!shown.contains("sesame"), "{shown}");
    let Some(Outcome::Connected(_, response)) = outcome else {
        panic!("not connected");
    };
    let shown = format!("{:?}", response.headers());
    assert!(shown.contains("Set-Cookie") && !shown.contains("sesame"));
}

#[test]
fn debug_output_has_nothing_of_the_body_of_a_refusal() {
    let bytes = "HTTP/1.1 403 No\r\nContent-Length: 10\r\nSet-Cookie: sesame\r\n\r\nsesame";
    let mut handshake = client().handshake();
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(bytes.as_bytes());
    assert!(
        handshake.receive(&mut rx).is_none(),
        "four bytes are missing"
    );
    // A vector of bytes is shown as numbers.
    let numbers = format!("{:?}", b"sesame");
    let numbers = numbers.trim_matches(['[', ']']);
    let shown = format!("{handshake:?}");
    assert!(
        !shown.contains("sesame") && !shown.contains(numbers),
        "{shown}"
    );
    assert_eq!(handshake.receive_eof(), Ok(()));
    let outcome = handshake.receive(&mut rx);
    let shown = format!("{outcome:?}");
    assert!(shown.contains("Refused") && shown.contains("403"));
    assert!(
        !shown.contains("sesame") && !shown.contains(numbers),
        "{shown}"
    );
}
