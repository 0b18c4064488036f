//! What a client reads about extensions and subprotocols in a 101 (RFC 6455 sections 4.1, 4.2.2 and
//! 9.1): the server may only select what was offered.

#[path = "support/http_client.rs"]
mod http_client;

use framewire::client::{Config, HandshakeError as E};
use http_client::{Answer, Client, Lines, client, failed, offering, switching};

/// What is selected if these are offered and this is the value in the 101.
fn selected(offers: &[&str], value: &[u8]) -> Result<Option<String>, E> {
    answer(
        &offering(offers),
        &switching().and("Sec-WebSocket-Protocol", value),
    )
}

fn answer(client: &Client, response: &Lines) -> Result<Option<String>, E> {
    match client.course(&response.bytes()).answer {
        Some(Answer::Connected(opened)) => Ok(opened.subprotocol),
        Some(Answer::Failed(error)) => Err(error),
        other => panic!("{response:?}: {other:?}"),
    }
}

// req: HC-17
#[test]
fn extensions_are_not_offered_and_must_not_be_used() {
    for value in [
        "x-foo",
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=15",
        "permessage-deflate; client_max_window_bits=\"10\"",
        "x-webkit-deflate-frame",
        ", a ,",
        "a, b; c=d, e",
    ] {
        let response = switching().and("Sec-WebSocket-Extensions", value);
        assert_eq!(failed(&response), E::ExtensionNotOffered, "{value}");
    }
    let apart = switching()
        .and("Sec-WebSocket-Extensions", "a")
        .and("sec-websocket-extensions", "b");
    assert_eq!(failed(&apart), E::ExtensionNotOffered);
}

// req: HC-18
#[test]
fn malformed_extensions_fail() {
    for value in [
        "permessage-deflate; ;",
        "permessage-deflate;",
        "a; =1",
        "a;;b",
        ";a",
        "a=\"x",
        "a;b=\"x",
        "a=\"x\\",
        "a=b c",
        "a;b=\"1 0\"",
        "a;b=\"\"",
        "a b",
        "",
        ",",
        "é",
        "good, a;;b",
    ] {
        let response = switching().and("Sec-WebSocket-Extensions", value);
        assert_eq!(failed(&response), E::InvalidExtensions, "{value}");
    }
    let apart = switching()
        .and("Sec-WebSocket-Extensions", "a")
        .and("Sec-WebSocket-Extensions", "b;");
    assert_eq!(failed(&apart), E::InvalidExtensions);
    // More than anybody looks at.
    for value in [
        ["a"].repeat(17).join(","),
        "a".to_owned() + &";b".repeat(17),
    ] {
        let response = switching().and("Sec-WebSocket-Extensions", value);
        assert_eq!(failed(&response), E::InvalidExtensions);
    }
}

// req: HC-19
#[test]
fn selected_subprotocol_is_one_of_the_offered_in_its_letter_case() {
    let offers = &["chat", "Chat2", "x.y"];
    for name in offers {
        assert_eq!(selected(offers, name.as_bytes()), Ok(Some((*name).into())));
    }
    assert_eq!(selected(offers, b" \tchat\t "), Ok(Some("chat".into())));
    for name in [
        "Chat",
        "CHAT",
        "chat2",
        "cha",
        "chatt",
        "x",
        "x.y.",
        "y",
        "chat,Chat2x",
    ] {
        let expected = match name.contains(',') {
            true => E::InvalidSubprotocol,
            false => E::SubprotocolNotOffered,
        };
        assert_eq!(selected(offers, name.as_bytes()), Err(expected), "{name}");
    }
    assert_eq!(selected(&[], b"chat"), Err(E::SubprotocolNotOffered));
}

// req: HC-20
#[test]
fn selected_subprotocol_is_a_single_token() {
    for value in [
        &b""[..],
        b" ",
        b",",
        b"a, b",
        b"a,b",
        b"a,",
        b",a",
        b"a, a",
        b"a b",
        b"a;q=1",
        b"\"a\"",
        b"a/b",
        b"a\xff",
        b"\xc3\xa9",
    ] {
        let offers: [&[&str]; 2] = [&["a", "b"], &[]];
        for offers in offers {
            assert_eq!(
                selected(offers, value),
                Err(E::InvalidSubprotocol),
                "{value:?}"
            );
        }
    }
    for (first, second) in [("a", "a"), ("a", "b"), ("a", ""), ("", "a"), ("x", "a")] {
        let twice = switching()
            .and("Sec-WebSocket-Protocol", first)
            .and("sec-websocket-protocol", second);
        let verdict = answer(&offering(&["a", "b"]), &twice);
        assert_eq!(verdict, Err(E::InvalidSubprotocol));
    }
}

// req: HC-21
#[test]
fn server_may_select_no_subprotocol_unless_one_is_required() {
    let strict = Config::new().require_subprotocol(true);
    let with = |client: Client| Client {
        config: strict,
        ..client
    };
    assert_eq!(answer(&offering(&["a"]), &switching()), Ok(None));
    let missing = answer(&with(offering(&["a"])), &switching());
    assert_eq!(missing, Err(E::MissingSubprotocol));
    let selected = switching().and("Sec-WebSocket-Protocol", "a");
    let selected = answer(&with(offering(&["a"])), &selected);
    assert_eq!(selected, Ok(Some("a".into())));
    // What was not asked for is not missing.
    assert_eq!(answer(&with(client()), &switching()), Ok(None));
    let empty = switching().and("Sec-WebSocket-Protocol", "");
    let empty = answer(&with(offering(&["a"])), &empty);
    assert_eq!(empty, Err(E::InvalidSubprotocol));
}
