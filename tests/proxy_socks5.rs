//! A way through a SOCKS5 proxy (RFC 1928), with and without a user and a password (RFC 1929).

#[path = "support/tunnel.rs"]
mod tunnel;

use framewire::client::Config;
use framewire::connect::{Proxy, ProxyError, SocksFailure, Tunnel};
use framewire::{RecvBuf, client::Uri};
use proptest::prelude::*;
use tunnel::http::take;
use tunnel::{Asking, asking};

/// The least reply that opens a tunnel: version 5, succeeded, reserved, IPv4, 0.0.0.0, port 0.
const OPEN: &[u8] = b"\x05\x00\x00\x01\0\0\0\0\0\0";
/// What is asked for in these tests.
const REQUEST: &[u8] = b"\x05\x01\x00\x03\x0eserver.example\x00\x50";

fn plain() -> Asking {
    asking("socks5://proxy.example", "ws://server.example/chat")
}

fn with_password() -> Asking {
    asking(
        "socks5h://ann:s3cret@proxy.example",
        "ws://server.example/chat",
    )
}

/// All that is written to a proxy without authentication, to ask for `uri`.
fn written_for(uri: &str) -> Vec<u8> {
    let asking = asking("socks5://proxy.example", uri);
    asking.opened(&[b"\x05\x00", OPEN].concat())
}

#[test]
fn servers_are_asked_for_by_name_or_address() {
    for (uri, server) in [
        (
            "ws://server.example",
            &b"\x03\x0eserver.example\x00\x50"[..],
        ),
        ("wss://server.example", b"\x03\x0eserver.example\x01\xbb"),
        ("wss://s:9001", b"\x03\x01s\x23\x29"),
        ("ws://192.0.2.1", b"\x01\xc0\x00\x02\x01\x00\x50"),
        // Not an address for us, so the proxy may decide.
        ("ws://127.1", b"\x03\x05127.1\x00\x50"),
        (
            "ws://[2001:db8::1]:443",
            b"\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\x00\x01\x01\xbb",
        ),
    ] {
        let greeting = b"\x05\x01\x00";
        let expected = [greeting, &b"\x05\x01\x00"[..], server].concat();
        assert_eq!(written_for(uri), expected, "{uri}");
    }
}

#[test]
fn names_are_as_long_as_their_length_can_say() {
    let uri = |len: usize| -> Uri { format!("ws://{}", "a".repeat(len)).parse().expect("a URI") };
    let proxy = Proxy::new("socks5://p").expect("a proxy");
    let new = |len| Tunnel::new(&proxy, &uri(len), &Config::new()).map(drop);
    assert_eq!(new(255), Ok(()));
    assert_eq!(new(256), Err(ProxyError::NameTooLong));
    assert_eq!(new(8000), Err(ProxyError::NameTooLong));
    let http = Proxy::new("http://p").expect("a proxy");
    assert!(Tunnel::new(&http, &uri(256), &Config::new()).is_ok());
    let written = written_for(&uri(255).to_string());
    assert_eq!(written[3..8], *b"\x05\x01\x00\x03\xff");
    assert_eq!(written.len(), 3 + 5 + 255 + 2);
}

#[test]
fn each_question_waits_for_the_answer_before_it() {
    let mut tunnel = with_password().tunnel();
    let mut rx = RecvBuf::new();
    let steps: [(&[u8], &[u8]); 3] = [
        (b"", b"\x05\x02\x00\x02"),
        (b"\x05\x02", b"\x01\x03ann\x06s3cret"),
        (b"\x01\x00", REQUEST),
    ];
    for (answer, question) in steps {
        rx.extend_from_slice(answer);
        assert_eq!(tunnel.receive(&mut rx), None);
        assert_eq!(take(tunnel.send_buf()), question);
        assert_eq!(tunnel.receive(&mut rx), None);
        assert!(tunnel.send_buf().is_empty());
    }
    rx.extend_from_slice(OPEN);
    assert_eq!(tunnel.receive(&mut rx), Some(Ok(())));
    assert!(tunnel.send_buf().is_empty() && rx.is_empty());
}

#[test]
fn only_what_was_offered_may_be_chosen() {
    for (method, without, with) in [
        (
            1,
            ProxyError::MethodNotOffered(1),
            ProxyError::MethodNotOffered(1),
        ),
        (
            0x80,
            ProxyError::MethodNotOffered(0x80),
            ProxyError::MethodNotOffered(0x80),
        ),
        (
            0xff,
            ProxyError::NoAcceptableMethod,
            ProxyError::NoAcceptableMethod,
        ),
    ] {
        assert_eq!(plain().failed(&[5, method]), without);
        assert_eq!(with_password().failed(&[5, method]), with);
    }
    assert_eq!(plain().failed(b"\x05\x02"), ProxyError::MethodNotOffered(2));
    // A proxy that asks nobody who he is is told nothing.
    let written = with_password().opened(&[b"\x05\x00", OPEN].concat());
    assert_eq!(written, [b"\x05\x02\x00\x02", REQUEST].concat());
}

#[test]
fn wrong_password_is_reported() {
    for status in [1, 2, 0xff] {
        let answer = [b"\x05\x02\x01", &[status][..]].concat();
        assert_eq!(
            with_password().failed(&answer),
            ProxyError::WrongCredentials
        );
    }
    let written = with_password().opened(&[b"\x05\x02\x01\x00", OPEN].concat());
    let expected = [b"\x05\x02\x00\x02\x01\x03ann\x06s3cret", REQUEST].concat();
    assert_eq!(written, expected);
}

#[test]
fn other_versions_are_refused_at_the_first_byte() {
    for version in [0, 1, 4, 6, b'H', 0xff] {
        let wrong = ProxyError::SocksVersion(version);
        assert_eq!(plain().failed(&[version]), wrong);
        assert_eq!(plain().failed(&[5, 0, version]), wrong);
        if version != 1 {
            assert_eq!(with_password().failed(&[5, 2, version]), wrong);
        }
    }
    assert_eq!(
        with_password().failed(b"\x05\x02\x05\x00"),
        ProxyError::SocksVersion(5)
    );
    let http = plain().failed(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(
        http.to_string(),
        "answer of version 72, which is not that of SOCKS5"
    );
}

#[test]
fn every_reply_but_success_has_its_name() {
    use SocksFailure as F;
    for (code, failure, message) in [
        (1, F::General, "general failure"),
        (2, F::NotAllowed, "not allowed"),
        (3, F::NetworkUnreachable, "network unreachable"),
        (4, F::HostUnreachable, "host unreachable"),
        (5, F::ConnectionRefused, "connection refused"),
        (6, F::TtlExpired, "time to live expired"),
        (7, F::CommandNotSupported, "command not supported"),
        (
            8,
            F::AddressTypeNotSupported,
            "type of address not supported",
        ),
        (9, F::Unknown(9), "unknown code 9"),
        (255, F::Unknown(255), "unknown code 255"),
    ] {
        assert_eq!(failure.to_string(), message);
        // Some proxies say no more than that.
        for rest in [&b""[..], b"\x00", b"\x00\x01\0\0\0\0\0\0", b"\x00\x09"] {
            let answer = [&[5, 0, 5, code], rest].concat();
            let error = plain().failed(&answer);
            assert_eq!(error, ProxyError::Socks(failure));
            let shown = format!("the proxy did not connect to the server: {message}");
            assert_eq!(error.to_string(), shown);
        }
    }
}

#[test]
fn address_of_the_proxy_is_skipped_in_each_of_its_forms() {
    let name = |len: u8| [&[3, len], &vec![b'x'; len.into()][..]].concat();
    let forms = [
        b"\x01\xc0\x00\x02\x01".to_vec(),
        [&[4][..], &[9; 16]].concat(),
        name(0),
        name(1),
        name(255),
    ];
    for form in forms {
        for reserved in [0, 0xff] {
            let reply = [&[5, 0, reserved], &form[..], b"\x12\x34"].concat();
            let answer = [b"\x05\x00", &reply[..]].concat();
            plain().is_aborted_anywhere(&answer);
            for behind in [&b"\x16"[..], b"HTTP/1.1 101 x\r\n\r\n"] {
                let early = [&answer[..], behind].concat();
                assert_eq!(plain().failed(&early), ProxyError::EarlyBytes);
            }
        }
    }
    for kind in [0, 2, 5, 255] {
        let answer = [&[5, 0, 5, 0, 0, kind][..], &[0; 20]].concat();
        assert_eq!(plain().failed(&answer), ProxyError::AddressType(kind));
    }
}

#[test]
fn end_of_transport_before_the_last_answer_is_complete_aborts() {
    with_password().is_aborted_anywhere(&[b"\x05\x02\x01\x00", OPEN].concat());
    plain().is_aborted_anywhere(&[b"\x05\x00", OPEN].concat());
}

#[test]
fn nothing_shows_the_credentials() {
    let shown = format!("{:?} {:?}", with_password().tunnel(), with_password());
    assert!(
        !shown.contains("s3cret") && !shown.contains("ann"),
        "{shown}"
    );
}

/// Pieces of answers, in any order.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"\x05\x00"[..],
        b"\x05\x02",
        b"\x05\xff",
        b"\x01\x00",
        b"\x01\x01",
        OPEN,
        b"\x05\x00\x00\x03\x02ab\x00\x50",
        b"\x05\x00\x00\x04",
        b"\x05\x05\x00\x01",
    ]);
    let any = prop::collection::vec(any::<u8>(), 0..9);
    let piece = prop_oneof![5 => known.prop_map(Vec::from), 1 => any];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-INV
    #[test]
    fn any_bytes_have_one_result(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for asking in [plain(), with_password()] {
            asking.course(&bytes);
        }
    }

    // req: P-INV
    #[test]
    fn any_answers_have_one_result(bytes in answers()) {
        for (asking, greeting) in [(plain(), &b"\x05\x01\x00"[..]), (with_password(), b"\x05\x02\x00\x02")] {
            let course = asking.course(&bytes);
            // Whatever is said, it is these questions in this order.
            let rest = course.written.strip_prefix(greeting).expect("the greeting");
            let rest = rest.strip_prefix(b"\x01\x03ann\x06s3cret").unwrap_or(rest);
            prop_assert!(rest.is_empty() || rest == REQUEST, "{rest:?}");
            prop_assert!(rest == REQUEST || course.result != Some(Ok(())));
        }
    }
}
