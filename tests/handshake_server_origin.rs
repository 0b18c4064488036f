//! Which web sites may connect (RFC 6455 section 10.2).

#[path = "support/http.rs"]
mod http;

use framewire::server::{AllowedOrigins, Config, HandshakeError as E, OriginPolicy};
use http::{Outcome, websocket};

// req: HS-30, HS-31
#[test]
fn pages_of_other_origins_are_refused_by_default() {
    let from = |origin: &[u8], host: &str| websocket().with("Host", host).and("Origin", origin);
    for (origin, host) in [
        ("https://good.example", "good.example"),
        ("http://good.example", "good.example"),
        ("https://GOOD.example", "Good.Example"),
        ("https://good.example:443", "good.example"),
        ("https://good.example", "good.example:443"),
        ("http://localhost:8080", "localhost:8080"),
    ] {
        from(origin.as_bytes(), host).accepted();
    }
    for origin in [
        &b"https://good.example.evil.example"[..],
        b"https://evil-good.example",
        b"https://good.example:8443",
        b"https://good.example@evil.example",
        b"https://good.example/",
        b"null",
        b"",
        b"good.example",
        b"\xff",
    ] {
        assert_eq!(from(origin, "good.example").refused(), E::OriginNotAllowed);
    }
    assert_eq!(E::OriginNotAllowed.status(), 403);
    let two = from(b"https://good.example", "good.example").and("origin", "https://good.example");
    assert_eq!(two.refused(), E::RepeatedOrigin);
    // The host of an absolute target is what counts.
    let absolute = from(b"https://good.example", "evil.example");
    absolute
        .clone()
        .first("GET https://good.example/ HTTP/1.1")
        .accepted();
    assert_eq!(absolute.refused(), E::OriginNotAllowed);
}

// req: HS-30, HS-31
#[test]
fn list_of_origins_and_no_policy_are_kept() {
    let list = AllowedOrigins::new(["https://good.example", "http://localhost:8080"]);
    let config = Config::new().origin(OriginPolicy::List(list.expect("two origins")));
    let is_allowed = |config: &Config, origin: &str| {
        let outcome = websocket().and("Origin", origin).at(config);
        matches!(outcome, Outcome::Upgraded { .. })
    };
    for origin in [
        "https://good.example",
        "https://Good.Example:443",
        "http://localhost:8080",
    ] {
        assert!(is_allowed(&config, origin), "{origin}");
    }
    for origin in [
        "http://good.example",
        "https://good.example.evil.example",
        "https://evil-good.example",
        "http://localhost",
        "https://server.example",
        "null",
        "",
    ] {
        assert!(!is_allowed(&config, origin), "{origin}");
        assert!(is_allowed(&Config::new().origin(OriginPolicy::Any), origin));
    }
}

// req: HS-30, HS-49
#[test]
fn origin_is_shown_as_it_came_and_absent_is_not_empty() {
    let config = Config::new().origin(OriginPolicy::Any);
    let seen = |lines: http::Lines| match lines.at(&config) {
        Outcome::Upgraded { request, .. } => request.origin,
        other => panic!("{other:?}"),
    };
    assert_eq!(seen(websocket()), None);
    for origin in [&b""[..], b"null", b"HTTPS://A:443", b"\xff x"] {
        assert_eq!(
            seen(websocket().and("Origin", origin)),
            Some(origin.to_vec())
        );
    }
    websocket().accepted();
}
