//! What is agreed on about compression in the opening handshake (RFC 7692 sections 5 and 7.1), through both
//! handshakes. The grammar of the header is in `handshake_*_negotiation.rs`.
#![cfg(feature = "deflate")]

mod support;

use framewire::{Config, Connection, Deflate, Role, client::HandshakeError as E};
use support::{
    deflate::{client, inflate, offer, sent, server},
    trace::drain,
};

const NAME: &str = "permessage-deflate";

fn with(deflate: Deflate) -> Config {
    Config::new().deflate(deflate)
}

/// What a server answers.
fn answer(deflate: Deflate, offer: &str) -> Option<String> {
    let (conn, response) = server(offer, with(deflate));
    assert_eq!(conn.can_compress(), response.is_some());
    response
}

/// What a client makes of an answer.
fn verdict(deflate: Deflate, response: &str) -> Result<bool, E> {
    client(response, with(deflate)).map(|conn| conn.can_compress())
}

/// Whether each message can be decompressed by itself, and whether messages are compressed at all.
fn compresses(conn: &mut Connection) -> bool {
    let message = "Hello, hello! ".repeat(100);
    conn.send_text(&message).expect("open");
    conn.send_text(&message).expect("open");
    let frames = sent(conn.role(), &drain(conn));
    for frame in &frames {
        if frame.compressed {
            assert_eq!(inflate(&frame.payload), message.as_bytes());
        }
    }
    frames.iter().all(|frame| frame.compressed)
}

// req: N-15, N-32, HS-27
#[test]
fn nothing_is_offered_or_accepted_unless_it_is_configured() {
    assert_eq!(offer(Config::new()), None);
    let (conn, response) = server(NAME, Config::new());
    assert_eq!((conn.can_compress(), response), (false, None));
    assert_eq!(
        client(NAME, Config::new()).err(),
        Some(E::ExtensionNotOffered)
    );
    // And what is configured need not be offered, or answered.
    let (conn, response) = server("", with(Deflate::new()));
    assert_eq!((conn.can_compress(), response), (false, None));
    assert_eq!(verdict(Deflate::new(), ""), Ok(false));
}

// req: N-31
#[test]
fn client_offers_what_browsers_offer() {
    let offered = offer(with(Deflate::new()));
    assert_eq!(
        offered.as_deref(),
        Some("permessage-deflate; client_max_window_bits")
    );
}

// req: N-01, N-14
#[test]
fn other_extensions_are_passed_over() {
    let ours = Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    for offer in [
        "permessage-deflate",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-bzip2; x=y, permessage-deflate, permessage-deflate",
        "mux; max-channels=4; flow-control, permessage-deflate; client_max_window_bits",
    ] {
        assert_eq!(answer(Deflate::new(), offer).as_deref(), ours, "{offer}");
    }
    for offer in [
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "permessage-deflate2",
        "permessage_deflate",
        "deflate",
    ] {
        assert_eq!(answer(Deflate::new(), offer), None, "{offer}");
    }
    for response in [
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "deflate, permessage-deflate",
    ] {
        assert_eq!(
            verdict(Deflate::new(), response),
            Err(E::ExtensionNotOffered)
        );
    }
}

// req: N-02, N-03, N-04, N-05, N-06
#[test]
fn server_declines_what_it_can_not_accept_and_goes_on_without() {
    for params in [
        "foo",
        "foo=1",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=8", // see Deflate::send_window_bits
        "server_max_window_bits=16",
        "server_max_window_bits=0",
        "server_max_window_bits=015",
        "server_max_window_bits=09",
        "server_max_window_bits=+9",
        "server_max_window_bits=9.0",
        "server_max_window_bits=1e1",
        "server_max_window_bits=-9",
        "server_max_window_bits=99999999999999999999",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=010",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "Server_No_Context_Takeover",
    ] {
        assert_eq!(
            answer(Deflate::new(), &format!("{NAME}; {params}")),
            None,
            "{params}"
        );
        // Another offer may do.
        let fallback = answer(Deflate::new(), &format!("{NAME}; {params}, {NAME}"));
        assert!(fallback.is_some(), "{params}");
    }
}

// req: N-07, N-08, N-09, N-10, N-13
#[test]
fn server_answers_the_first_offer_that_it_can_accept() {
    let plain = Deflate::new().send_takeover(true).receive_takeover(true);
    let small = plain.send_window_bits(11).receive_window_bits(10);
    for (deflate, offer, expected) in [
        (plain, "", ""),
        (plain, "; client_max_window_bits", ""),
        (
            plain,
            "; server_max_window_bits=12",
            "; server_max_window_bits=12",
        ),
        (
            plain,
            "; server_max_window_bits=\"9\"",
            "; server_max_window_bits=9",
        ),
        (
            plain,
            "; server_no_context_takeover; client_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            plain,
            "; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10, permessage-deflate",
            "; server_max_window_bits=10",
        ),
        // Without being asked.
        (small, "", "; server_max_window_bits=11"),
        (
            small,
            "; client_max_window_bits",
            "; server_max_window_bits=11; client_max_window_bits=10",
        ),
        (
            small,
            "; client_max_window_bits=9; server_max_window_bits=15",
            "; server_max_window_bits=11; client_max_window_bits=9",
        ),
    ] {
        let response = answer(deflate, &format!("{NAME}{offer}"));
        let response = response.expect("it is accepted");
        let params = response.strip_prefix(NAME).expect("the name");
        let sorted = |params: &str| {
            let mut params: Vec<_> = params.split("; ").map(String::from).collect();
            params.sort();
            params
        };
        assert_eq!(sorted(params), sorted(expected), "{offer}");
    }
}

// req: N-12
#[test]
fn server_forbids_the_clients_context_unless_it_is_told_not_to() {
    let response = answer(Deflate::new(), NAME).expect("accepted");
    assert!(
        response.contains("; client_no_context_takeover"),
        "{response}"
    );
    let response = answer(Deflate::new().receive_takeover(true), NAME).expect("accepted");
    assert!(
        !response.contains("client_no_context_takeover"),
        "{response}"
    );
}

// req: N-16, N-17, N-18, N-19, N-21, N-22, N-26
#[test]
fn client_fails_what_it_did_not_offer_and_what_is_invalid() {
    for params in [
        "foo",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=015",
        "client_max_window_bits=16",
        "client_no_context_takeover=1",
    ] {
        let failed = verdict(Deflate::new(), &format!("{NAME}; {params}"));
        assert_eq!(failed, Err(E::InvalidExtensionParameters), "{params}");
    }
    let small = Deflate::new().receive_window_bits(10).send_window_bits(10);
    for params in [
        "",
        "; server_max_window_bits=11",
        "; server_max_window_bits=10; client_max_window_bits=11",
    ] {
        let failed = verdict(small, &format!("{NAME}{params}"));
        assert_eq!(failed, Err(E::InvalidExtensionParameters), "{params}");
    }
    assert_eq!(
        verdict(small, &format!("{NAME}; server_max_window_bits=9")),
        Ok(true)
    );
    let by_itself = Deflate::new().receive_takeover(false);
    assert_eq!(verdict(by_itself, NAME), Err(E::InvalidExtensionParameters));
    let twice = format!("{NAME}, {NAME}");
    assert_eq!(verdict(Deflate::new(), &twice), Err(E::RepeatedExtension));
}

// req: N-20, N-23, N-27, N-28
#[test]
fn client_accepts_what_a_server_may_answer_unasked() {
    for params in [
        "",
        "; server_max_window_bits=8",
        "; server_max_window_bits=15",
        "; server_no_context_takeover",
        "; client_no_context_takeover",
        "; client_max_window_bits=15",
        "; client_max_window_bits=\"10\"",
        " ;server_max_window_bits = 10 ; client_no_context_takeover",
    ] {
        assert_eq!(
            verdict(Deflate::new(), &format!("{NAME}{params}")),
            Ok(true),
            "{params}"
        );
    }
}

// req: N-24, N-25
#[test]
fn client_obeys_the_server() {
    let takeover = Deflate::new().send_takeover(true);
    for (params, compressed) in [
        ("; client_no_context_takeover", true),
        (
            "; client_max_window_bits=9; client_no_context_takeover",
            true,
        ),
        // No compressor of ours can keep to 256 bytes.
        ("; client_max_window_bits=8", false),
    ] {
        let mut conn = client(&format!("{NAME}{params}"), with(takeover)).expect("it was offered");
        assert_eq!(compresses(&mut conn), compressed, "{params}");
    }
}

// req: N-11
#[test]
fn server_obeys_the_client() {
    let takeover = with(Deflate::new().send_takeover(true));
    let (mut conn, response) = server(&format!("{NAME}; server_no_context_takeover"), takeover);
    let response = response.expect("it is accepted");
    assert!(
        response.contains("; server_no_context_takeover"),
        "{response}"
    );
    assert!(compresses(&mut conn));
}

/// Options of all kinds.
fn options() -> Vec<Deflate> {
    let mut all = Vec::new();
    for (send, receive) in [(9, 15), (15, 8), (12, 12), (15, 15)] {
        for takeover in [false, true] {
            let deflate = Deflate::new()
                .send_window_bits(send)
                .receive_window_bits(receive)
                .send_takeover(takeover);
            all.extend([
                deflate,
                deflate.receive_takeover(false),
                deflate.receive_takeover(true),
            ]);
        }
    }
    all
}

#[test]
fn both_ends_of_ours_understand_each_other_whatever_they_are_told() {
    let message = "Hello, hello! ".repeat(100);
    for (ours, theirs) in options()
        .into_iter()
        .flat_map(|o| options().into_iter().map(move |t| (o, t)))
    {
        let offer = offer(with(ours)).expect("an offer");
        let (mut server, response) = server(&offer, with(theirs));
        let response = response.unwrap_or_default();
        let mut client = client(&response, with(ours)).expect("an answer to the offer");
        assert_eq!(client.can_compress(), server.can_compress());
        let mut buffers = [(); 2].map(|()| framewire::RecvBuf::new());
        for _ in 0..3 {
            for (from, to, rx) in [
                (&mut client, Role::Server, 0),
                (&mut server, Role::Client, 1),
            ]
            .map(|(conn, to, rx)| {
                conn.send_text(&message).expect("open");
                (drain(conn), to, rx)
            }) {
                let conn = if to == Role::Server {
                    &mut server
                } else {
                    &mut client
                };
                buffers[rx].extend_from_slice(&from);
                let event = conn.receive(&mut buffers[rx]);
                assert_eq!(
                    event,
                    Some(framewire::Event::Text(&message)),
                    "{offer} {response}"
                );
            }
        }
    }
}
