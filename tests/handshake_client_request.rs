//! The request of a client (RFC 6455 section 4.1): its bytes, and what the application may add to them.
//! Who asks and with which credentials is in `handshake_client_credentials.rs`.

#[path = "support/http_client.rs"]
mod http_client;

use framewire::client::{InvalidHeader, InvalidRequest as E, Request};
use http_client::{Asked, Client, KEY, asked, client, offering};

fn request() -> Request {
    client().request
}

const NAME: Result<Request, E> = Err(E::Header(InvalidHeader::Name));
const VALUE: Result<Request, E> = Err(E::Header(InvalidHeader::Value));
const RESERVED: Result<Request, E> = Err(E::Header(InvalidHeader::Reserved));
const REPEATED: Result<Request, E> = Err(E::Header(InvalidHeader::Repeated));

// req: HC-01, HC-02, HC-04, P-OUT
#[test]
fn request_has_what_the_protocol_needs_and_nothing_else() {
    let bytes = client().encoded();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "GET /chat HTTP/1.1\r\n\
         Host: server.example\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: 9pKJeIXAyyCj5M0QagsVvA==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    assert_eq!(asked(&request()).extra(), []);
}

// req: HC-01, HC-02, P-OUT
#[test]
fn what_the_application_adds_stands_behind_it() {
    let request = Request::new("wss://server.example:8443/chat?room=1")
        .and_then(|request| request.header("User-Agent", "example/1.0"))
        .and_then(|request| request.cookie("session", "31d4d96e407aad42"))
        .and_then(|request| request.subprotocol("chat.v2"))
        .and_then(|request| request.origin("https://server.example"))
        .and_then(|request| request.bearer("mF_9.B5f-4.1JqM"))
        .and_then(|request| request.cookie("lang", "en-US"))
        .and_then(|request| request.subprotocol("chat.v1"))
        .and_then(|request| request.host("other.example:80"))
        .expect("all of it may be asked for");
    let client = Client {
        request,
        ..client()
    };
    assert_eq!(
        String::from_utf8_lossy(&client.encoded()),
        "GET /chat?room=1 HTTP/1.1\r\n\
         Host: other.example:80\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: 9pKJeIXAyyCj5M0QagsVvA==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n\
         Cookie: session=31d4d96e407aad42; lang=en-US\r\n\
         User-Agent: example/1.0\r\n\
         Origin: https://server.example\r\n\
         Authorization: Bearer mF_9.B5f-4.1JqM\r\n\r\n"
    );
}

// req: HC-04
#[test]
fn origin_is_sent_as_it_was_set_and_once() {
    assert_eq!(asked(&request()).header("Origin"), None);
    for origin in ["https://h", "null", "", "chrome-extension://abc"] {
        let with = request().origin(origin).expect("a value");
        assert_eq!(asked(&with).header("Origin"), Some(origin.as_bytes()));
        assert_eq!(with.clone().origin(origin), REPEATED);
        assert_eq!(with.clone().header("ORIGIN", origin), REPEATED);
        let by_header = request().header("origin", origin).expect("a value");
        assert_eq!(by_header.origin(origin), REPEATED);
    }
    assert_eq!(request().origin("https://h\r\nX: y"), VALUE);
}

// req: HC-05
#[test]
fn subprotocols_are_offered_in_their_order() {
    for (names, offer) in [
        (&["chat"][..], "chat"),
        (&["b", "a", "B", "A"], "b, a, B, A"),
        (&["chat", "cha", "chat2"], "chat, cha, chat2"),
        (&["!#$%&'*+-.^_`|~09azAZ"], "!#$%&'*+-.^_`|~09azAZ"),
    ] {
        let asked = asked(&offering(names).request);
        let header = asked.header("Sec-WebSocket-Protocol");
        assert_eq!(header, Some(offer.as_bytes()));
        assert_eq!(asked.extra().len(), 1, "one field for all of them");
    }
}

// req: HC-05
#[test]
fn subprotocols_are_unique_tokens() {
    for name in [
        "",
        " ",
        "a b",
        "a,b",
        "a, b",
        ",",
        " a",
        "a ",
        "a/b",
        "a;b",
        "\"a\"",
        "(a)",
        "a=b",
        "a@b",
        "a:b",
        "é",
        "a\0",
        "a\t",
        "a\r\nX: y",
        "\n",
        "a\x7f",
        "{a}",
        "[a]",
        "a?",
        "a\\b",
        "<a>",
    ] {
        let refused = request().subprotocol(name);
        assert_eq!(refused, Err(E::Subprotocol), "{name:?}");
        let second = offering(&["x"]).request.subprotocol(name);
        assert_eq!(second, Err(E::Subprotocol), "{name:?}");
    }
    for names in [&["a"][..], &["a", "b"], &["b", "a"], &["b", "a", "c"]] {
        let repeated = offering(names).request.subprotocol("a");
        assert_eq!(repeated, Err(E::RepeatedSubprotocol), "{names:?}");
    }
}

// req: HC-06
#[test]
fn headers_are_sent_in_their_order_and_may_be_repeated() {
    let with = request()
        .header("X-One", "1")
        .and_then(|request| request.header("x-two", b"\xff\tb"))
        .and_then(|request| request.header("X-ONE", ""))
        .and_then(|request| request.header("Sec-WebSocketX", "not ours"))
        .expect("all of them are allowed");
    let expected: [(&str, &[u8]); 4] = [
        ("X-One", b"1"),
        ("x-two", b"\xff\tb"),
        ("X-ONE", b""),
        ("Sec-WebSocketX", b"not ours"),
    ];
    assert_eq!(asked(&with).extra(), expected);
}

// req: HC-06
#[test]
fn header_names_are_tokens_and_values_have_no_control_character() {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    for char in (0..=0xff_u8).map(char::from) {
        for name in [format!("{char}"), format!("x{char}"), format!("{char}x")] {
            let sent = request().header(&name, "v");
            let is_token = char.is_ascii() && token(char as u8);
            assert_eq!(sent.is_ok(), is_token, "{name:?}");
            assert!(is_token || sent == NAME, "{name:?}");
        }
    }
    for byte in 0..=0xff {
        for value in [vec![byte], vec![b'x', byte], vec![byte, b'x']] {
            let sent = request().header("name", &value);
            let is_control = byte < b' ' && byte != b'\t' || byte == 0x7f;
            match sent {
                Ok(with) if !is_control => {
                    assert_eq!(asked(&with).header("name"), Some(&value[..]));
                }
                refused => {
                    assert!(is_control, "{byte:#04x}");
                    assert_eq!(refused, VALUE);
                }
            }
        }
    }
    assert_eq!(request().header("", "v"), NAME);
    assert_eq!(request().header("a\r\nX", "v"), NAME);
    assert_eq!(request().header("a: b", "v"), NAME);
    assert_eq!(request().header("a", "v\r\nX: y"), VALUE);
    assert_eq!(request().header("a", "v\r\n\r\n"), VALUE);
}

// req: HC-06
#[test]
fn headers_of_the_handshake_and_of_the_framing_are_reserved() {
    for name in [
        "Host",
        "host",
        "Upgrade",
        "UPGRADE",
        "Connection",
        "Sec-WebSocket-Key",
        "sec-websocket-key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept",
        "SEC-WEBSOCKET-ANYTHING",
        "Sec-WebSocket-",
        "Content-Length",
        "Transfer-Encoding",
        "transfer-encoding",
        "Trailer",
    ] {
        assert_eq!(request().header(name, "x"), RESERVED, "{name}");
    }
}

// req: HC-06
#[test]
fn host_header_is_replaced_by_its_own_method_alone() {
    for host in [
        "h",
        "h:80",
        "h:0",
        "h:",
        "[::1]",
        "[::1]:443",
        "127.0.0.1:1",
        "a_b.c",
    ] {
        let with = request().host(host).expect("a host");
        let asked = asked(&with);
        assert_eq!(asked.header("Host"), Some(host.as_bytes()));
        // Where to connect to and what to ask for stay the same.
        assert_eq!(
            (with.uri().host(), with.uri().port()),
            ("server.example", 80)
        );
        assert_eq!(asked.target, "/chat");
    }
    let last = request().host("a").and_then(|request| request.host("b"));
    let last = asked(&last.expect("replaced again"));
    assert_eq!(last.header("Host"), Some(&b"b"[..]));
    for host in [
        "",
        " ",
        ":80",
        "a b",
        "a,b",
        "a, b",
        "u@h",
        "h/",
        "h?q",
        "h#",
        "http://h",
        "h:x",
        "h:65536",
        "h:+1",
        "[::1",
        "::1",
        "[fe80::1%25eth0]",
        "é",
        "h\r\nX: y",
        "h\n",
        "h\0",
        "h\t",
        " h",
        "h ",
    ] {
        assert!(request().host(host).is_err(), "{host:?}");
    }
}

// req: HC-06
#[test]
fn no_string_of_the_application_breaks_out_of_its_line() {
    let inject = |text: &str| {
        let request = request();
        let header = |name: &str, value: &str| request.clone().header(name, value);
        let uri = format!("ws://h/{text}");
        let userinfo = format!("ws://{text}:{text}@h/");
        [
            Request::new(&uri),
            Request::with_userinfo(&userinfo),
            Request::new(&format!("ws://{text}/")),
            request.clone().subprotocol(text),
            request.clone().origin(text),
            request.clone().host(text),
            request.clone().cookie(text, "v"),
            request.clone().cookie("n", text),
            request.clone().bearer(text),
            request.clone().basic(text, "p"),
            request.clone().basic("u", text),
            header(text, "v"),
            header("n", text),
        ]
    };
    for control in (0..=0x1f_u8).chain([0x7f]).map(char::from) {
        for text in [
            format!("{control}"),
            format!("a{control}b"),
            format!("a{control}"),
            format!("{control}b"),
            format!("a\r{control}b"),
            format!("a{control}\nEvil: b"),
        ] {
            for (n, sent) in inject(&text).into_iter().enumerate() {
                // A tab alone may be in the value of a header, and of none that has a meaning here.
                let is_tab = !text.contains(|c: char| c.is_control() && c != '\t');
                match sent {
                    Ok(sent) => {
                        assert!(is_tab && [4, 12].contains(&n), "{n}, {text:?}");
                        assert_eq!(asked(&sent).extra().len(), 1);
                    }
                    Err(error) => {
                        // The error can be logged: it holds nothing of the text.
                        let shown = format!("{error} {error:?}");
                        assert!(!shown.contains(char::is_control), "{shown:?}");
                    }
                }
            }
        }
    }
    // Line breaks of Unicode are no control characters of HTTP, and break nothing.
    for text in ["a\u{85}b", "a\u{2028}b", "a\u{10a}\u{10d}b"] {
        for sent in inject(text).into_iter().flatten() {
            asked(&sent);
        }
    }
}

#[test]
fn request_serves_for_many_handshakes() {
    let request = offering(&["chat"]).request;
    let seeded = |seed: u8| {
        let mut handshake = framewire::client::Handshake::with_seed(
            &request,
            &framewire::client::Config::new(),
            [seed; 32],
        );
        http_client::take(handshake.send_buf())
    };
    assert_eq!(seeded(7), seeded(7));
    assert_ne!(seeded(7), seeded(8));
    assert_eq!(request, request.clone());
    let asked = Asked::read(&seeded(7), KEY);
    assert_eq!(asked.header("Sec-WebSocket-Protocol"), Some(&b"chat"[..]));
}
