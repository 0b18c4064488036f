//! `autobahn_client` and `autobahn_client_tokio`, with a suite that we play.

use std::io::Write as _;

use framewire::{
    CloseCode, Message, Role,
    blocking::{self, Incoming},
    server::Config,
};

use crate::{
    code,
    programs::{Program, accepted, peer, rest},
    support::wire::read_output,
};

#[test]
fn all_cases_are_echoed_whatever_becomes_of_them() {
    is_tested_by_all_cases("autobahn_client");
    #[cfg(feature = "tokio")]
    is_tested_by_all_cases("autobahn_client_tokio");
}

fn is_tested_by_all_cases(client: &str) {
    let suite = peer(|listener| {
        let mut targets = Vec::new();
        loop {
            let incoming = blocking::incoming(accepted(listener), &Config::new());
            let Ok(Incoming::Upgrade(request)) = incoming else {
                panic!("no request for a WebSocket");
            };
            let target = request.target().to_string();
            let mut ws = request.upgrade().expect("a reader");
            if target == "/getCaseCount" {
                ws.send("3").expect("a reader");
                // How the client goes is its own affair.
                let _ = ws.recv();
                targets.push(target);
                continue;
            } else if target.starts_with("/runCase?case=2&") {
                let mut stream = ws.into_parts().stream;
                stream.write_all(b"\x83\x00").expect("a reader");
                let frames = read_output(Role::Client, &rest(&stream));
                assert_eq!(frames.iter().map(code).collect::<Vec<_>>(), [Some(1002)]);
                targets.push(target);
                continue;
            } else if target.starts_with("/runCase?") {
                for message in [Message::from("text"), Message::from(&b"\xff"[..])] {
                    ws.send(&message).expect("a reader");
                    assert_eq!(ws.recv().expect("an echo"), Some(message));
                }
            }
            assert!(ws.close(CloseCode::NORMAL, "").expect("an answer").clean);
            targets.push(target);
            if targets.len() == 5 {
                return targets;
            }
        }
    });
    let uri = suite.uri();
    let client = Program::start(client, &[uri.trim_end_matches('/'), "me"]);
    let ended = client.finish();
    assert_eq!((ended.status, &ended.stdout[..]), (Some(0), &b""[..]));
    let expected = [
        "/getCaseCount",
        "/runCase?case=1&agent=me",
        "/runCase?case=2&agent=me",
        "/runCase?case=3&agent=me",
    ];
    let targets = suite.join();
    assert_eq!(targets[..4], expected);
    assert!(targets[4].starts_with("/updateReports?agent=me"));
}
