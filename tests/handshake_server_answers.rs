//! The server's answers other than a bare 101: refusals, responses of the application, and the headers
//! it adds (RFC 9110, RFC 6455 section 4.2.2).

#[path = "support/http.rs"]
mod http;

use framewire::server::{Config, Handshake, InvalidHeader, Response};
use http::{Answer, Outcome, get, outcome, outcome_with, request, respond, take, websocket};

fn status(status: u16) -> Response {
    Response::new(status).expect("a final status")
}

// req: HS-32, HS-33
#[test]
fn application_answers_with_any_status_headers_and_body() {
    let login = status(401)
        .header("WWW-Authenticate", "Bearer")
        .expect("valid");
    let moved = status(307).header("Location", "/elsewhere").expect("valid");
    let page = status(200)
        .header("content-type", "text/html")
        .expect("valid");
    for (response, code, header, body) in [
        (login, 401, Some(("WWW-Authenticate", "Bearer")), ""),
        (moved, 307, Some(("Location", "/elsewhere")), ""),
        (status(403).body("no"), 403, None, "no"),
        (status(404), 404, None, ""),
        (status(503).body("later".to_string()), 503, None, "later"),
        (status(426), 426, None, ""),
        (status(599).body(vec![b'x'; 3]), 599, None, "xxx"),
        (
            page.body("<p>"),
            200,
            Some(("content-type", "text/html")),
            "<p>",
        ),
    ] {
        for lines in [websocket(), get("/")] {
            let answer = Answer::read(&respond(&lines, response.clone()));
            assert_eq!((answer.status, &answer.body[..]), (code, body.as_bytes()));
            if let Some((name, value)) = header {
                assert_eq!(answer.header(name), Some(value));
            }
        }
    }
}

// req: HS-32
#[test]
fn answers_are_written_in_full() {
    let response = status(404)
        .header("Content-Type", "text/plain")
        .expect("valid");
    assert_eq!(
        String::from_utf8_lossy(&respond(&websocket(), response.body("gone\n"))),
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
         Connection: close\r\n\r\ngone\n"
    );
    let large = respond(&get("/"), status(200).body(vec![7; 100_000]));
    assert_eq!(Answer::read(&large).body, [7; 100_000]);
}

// req: HS-32
#[test]
fn statuses_without_a_body_have_none() {
    for (code, length) in [(204, None), (205, Some("0")), (304, None)] {
        let answer = Answer::read(&respond(&get("/"), status(code).body("never")));
        assert_eq!(answer.header("Content-Length"), length);
        assert_eq!(answer.body, b"");
    }
}

#[test]
fn only_final_statuses_are_answers() {
    for code in [0, 99, 100, 101, 103, 199, 600, 999, 1000, u16::MAX] {
        let error = Response::new(code).expect_err("not a final status");
        assert_eq!(error.0, code);
        assert!(error.to_string().contains(&code.to_string()));
    }
    for code in 200..=599 {
        let answer = Answer::read(&respond(&websocket(), status(code)));
        assert_eq!(answer.status, code);
    }
}

// req: HS-50
#[test]
fn cookies_are_kept_apart_in_both_directions() {
    let lines = websocket()
        .and("Cookie", "a=1; b=\"2\"")
        .and("cookie", "c=\u{e9}");
    let add = |request: &mut framewire::server::Request| {
        request
            .add_header("Set-Cookie", "d=3; Path=/")
            .expect("valid");
        request.add_header("Set-Cookie", "e=4").expect("valid");
        request.add_header("X-Served-By", b"me").expect("valid");
    };
    let outcome = outcome_with(&Config::new(), &lines.bytes(), add);
    let Outcome::Upgraded {
        request, answer, ..
    } = outcome
    else {
        panic!("refused");
    };
    let cookies: Vec<_> = request
        .headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case("cookie"))
        .collect();
    assert_eq!(
        cookies[0],
        &("Cookie".to_string(), b"a=1; b=\"2\"".to_vec())
    );
    assert_eq!(
        cookies[1],
        &("cookie".to_string(), "c=\u{e9}".as_bytes().to_vec())
    );
    assert_eq!(
        answer.all("set-cookie").collect::<Vec<_>>(),
        ["d=3; Path=/", "e=4"]
    );
    assert_eq!(answer.header("X-Served-By"), Some("me"));
    assert_eq!(answer.headers.len(), 3 + 3);

    let response = status(302).header("Set-Cookie", "f=5").expect("valid");
    let response = response.header("Set-Cookie", "g=6").expect("valid");
    let answer = Answer::read(&respond(&websocket(), response));
    assert_eq!(answer.all("Set-Cookie").collect::<Vec<_>>(), ["f=5", "g=6"]);
}

// req: HS-51, HS-52
#[test]
fn headers_that_would_break_the_answer_are_refused() {
    for (name, value, error) in [
        ("x", &b"a\r\nSet-Cookie: b"[..], InvalidHeader::Value),
        ("x", b"a\rb", InvalidHeader::Value),
        ("x", b"a\nb", InvalidHeader::Value),
        ("x", b"a\0b", InvalidHeader::Value),
        ("x", b"\x7f", InvalidHeader::Value),
        ("x\r\ny", b"a", InvalidHeader::Name),
        ("x y", b"a", InvalidHeader::Name),
        ("x:", b"a", InvalidHeader::Name),
        ("", b"a", InvalidHeader::Name),
        ("\u{e9}", b"a", InvalidHeader::Name),
        ("x\0", b"a", InvalidHeader::Name),
        ("Upgrade", b"websocket", InvalidHeader::Reserved),
        ("connection", b"Upgrade", InvalidHeader::Reserved),
        ("SEC-WEBSOCKET-ACCEPT", b"a", InvalidHeader::Reserved),
        ("Sec-WebSocket-Protocol", b"chat", InvalidHeader::Reserved),
        ("Sec-WebSocket-Extensions", b"x", InvalidHeader::Reserved),
        ("Content-Length", b"0", InvalidHeader::Reserved),
        ("Transfer-Encoding", b"chunked", InvalidHeader::Reserved),
        ("Trailer", b"x", InvalidHeader::Reserved),
    ] {
        let mut request = request(&websocket());
        assert_eq!(request.add_header(name, value), Err(error), "{name:?}");
        assert_eq!(
            Response::new(200).expect("valid").header(name, value),
            Err(error)
        );
        // Nothing of it is left.
        let answer = Answer::read(&take(request.upgrade().send_buf()));
        assert_eq!(answer.headers.len(), 3);
    }
}

// req: HS-47, HS-54
#[test]
fn refusals_are_complete_and_repeat_nothing_of_the_request() {
    const MARK: &str = "MaRk";
    let marked = [
        get("/").first(format!("{MARK} / HTTP/1.1")),
        get("/").first(format!("GET {MARK} HTTP/1.1")),
        get("/").first(format!("GET / {MARK}")),
        get("/").with("Host", format!("{MARK} {MARK}")),
        get("/").and(&format!("{MARK} "), MARK),
        get("/").and("x", format!("{MARK}\0")),
        get(&format!("/{}", MARK.repeat(3000))),
        get("/").and("x", MARK.repeat(5000)),
        get("/").and("Content-Length", MARK),
        websocket().with("Upgrade", MARK),
        websocket().with("Connection", MARK),
        websocket().with("Sec-WebSocket-Version", MARK),
        websocket().with("Sec-WebSocket-Key", MARK),
        websocket().and("Sec-WebSocket-Protocol", format!("{MARK},{MARK}")),
        websocket().and("Sec-WebSocket-Extensions", format!("{MARK};")),
        websocket().and("Origin", format!("https://{MARK}")),
        websocket().first(format!("HEAD /{MARK} HTTP/1.1")),
    ];
    for lines in marked {
        let bytes = [
            lines.bytes(),
            websocket().bytes(),
            b"GET / HTTP/1.1\r\n".to_vec(),
        ]
        .concat();
        let Outcome::Rejected { error, answer } = outcome(&Config::new(), &bytes) else {
            panic!("{lines:?}");
        };
        assert_eq!(answer.status, error.status());
        assert!(!format!("{answer:?}").contains(MARK));
        assert!(!format!("{error} {error:?}").contains(MARK));
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
        assert_eq!(answer.header("Date"), None);
        if !lines.bytes().starts_with(b"HEAD") {
            assert_eq!(answer.body, format!("{error}\n").as_bytes());
        }
    }
}

// req: HS-54
#[test]
fn refusals_are_minimal() {
    let mut rx = framewire::RecvBuf::new();
    rx.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let mut handshake = Handshake::new(&Config::new());
    assert!(handshake.receive(&mut rx).is_some());
    assert_eq!(
        String::from_utf8_lossy(&take(&mut handshake.into_send_buf())),
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\
         Connection: close\r\n\r\nmissing Host\n"
    );
}

#[test]
fn debug_output_shows_no_credentials() {
    let lines = websocket()
        .first("GET /path?token=secret HTTP/1.1")
        .and("Authorization", "secret");
    let request = request(&lines);
    let text = format!("{request:?} {:?}", request.headers());
    assert!(text.contains("/path") && text.contains("Authorization"));
    assert!(!text.contains("secret"), "{text}");
}
