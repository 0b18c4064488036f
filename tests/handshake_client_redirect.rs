//! Redirects (RFC 9110 section 15.4, RFC 3986 section 5): the request for where a refusal points to, and
//! what of the first request must not get there.

#[path = "support/http_client.rs"]
mod http_client;

use framewire::RecvBuf;
use framewire::client::{
    Config, Handshake, InvalidRedirect as E, InvalidUri, Outcome, Request, Response, Uri,
};
use http_client::{Lines, asked, status};
use proptest::{collection::vec, prelude::*, string::string_regex};

/// The codes that point to where the same may be asked for.
const CODES: [u16; 5] = [301, 302, 303, 307, 308];

fn response(lines: &Lines) -> Response {
    let request = Request::new("ws://h/").expect("a URI");
    let config = Config::new().max_head_size(64 * 1024);
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(&lines.clone().and("Content-Length", "0").bytes());
    match Handshake::with_seed(&request, &config, [7; 32]).receive(&mut rx) {
        Some(Outcome::Refused(response)) => response,
        other => panic!("{lines:?}: {other:?}"),
    }
}

fn follow(request: &Request, location: impl AsRef<[u8]>) -> Result<Option<Request>, E> {
    request.redirected(&response(&status(307).and("Location", location)))
}

fn from(uri: &str, location: impl AsRef<[u8]>) -> Result<String, E> {
    let request = Request::new(uri).expect(uri);
    let next = follow(&request, location)?.expect("307 is a redirect");
    Ok(next.uri().to_string())
}

#[track_caller]
fn leads(base: &str, location: &str, target: &str) {
    assert_eq!(from(base, location).as_deref(), Ok(target), "{location:?}");
}

#[track_caller]
fn unusable(location: impl AsRef<[u8]>, error: InvalidUri) {
    let location = location.as_ref();
    let shown = String::from_utf8_lossy(location);
    for base in ["ws://a/b/c/d;p?q", "wss://a:1/"] {
        assert_eq!(from(base, location), Err(E::Location(error)), "{shown:?}");
    }
}

/// A request with all that may be secret, and all that is not.
fn full(uri: &str) -> Request {
    Request::new(uri)
        .and_then(|request| request.header("X-First", "1"))
        .and_then(|request| request.cookie("session", "secret"))
        .and_then(|request| request.bearer("secret"))
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.header("proxy-authorization", "Basic secret"))
        .and_then(|request| request.header("Proxy-Authorization", "Basic secret2"))
        .and_then(|request| request.origin("https://site.example"))
        .and_then(|request| request.header("Authorization-Info", "not the one"))
        .and_then(|request| request.host("virtual.example:9"))
        .expect("all of it may be asked for")
}

// req: HC-11
#[test]
fn only_five_codes_point_to_another_request() {
    let request = Request::new("ws://h/").expect("a URI");
    for code in (200..=599).filter(|code| !CODES.contains(code)) {
        let elsewhere = response(&status(code).and("Location", "ws://other/"));
        assert_eq!(request.redirected(&elsewhere), Ok(None), "{code}");
        // Whatever the Location is like.
        let unusable = response(&status(code).and("Location", "\\").and("Location", ":"));
        assert_eq!(request.redirected(&unusable), Ok(None), "{code}");
    }
    for code in CODES {
        let elsewhere = response(&status(code).and("location", " \thttp://other/x \t"));
        let next = request.redirected(&elsewhere);
        assert_eq!(next, Ok(Some(Request::new("ws://other/x").expect("a URI"))));
    }
}

// req: HC-11
#[test]
fn location_is_there_once() {
    let request = Request::new("ws://h/").expect("a URI");
    for code in CODES {
        let without = response(&status(code).and("Content-Location", "/"));
        assert_eq!(request.redirected(&without), Err(E::MissingLocation));
        for second in ["/a", "/b", ""] {
            let lines = status(code).and("Location", "/a").and("LOCATION", second);
            let repeated = request.redirected(&response(&lines));
            assert_eq!(repeated, Err(E::RepeatedLocation), "{second}");
        }
    }
}

// req: HC-11
#[test]
fn schemes_of_http_stand_for_those_of_websocket() {
    for (location, target) in [
        ("http://b/x", "ws://b/x"),
        ("HTTP://b:80/x", "ws://b/x"),
        ("ws://b:443", "ws://b:443/"),
        ("https://b/x?y", "wss://b/x?y"),
        ("HttpS://b:443", "wss://b/"),
        ("wss://b:80", "wss://b:80/"),
        ("WSS://[::1]:444/", "wss://[::1]:444/"),
    ] {
        leads("ws://a/", location, target);
    }
    for location in [
        "ftp://b/",
        "javascript://b/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "mailto:a@b",
        "httpx://b/",
        "xhttp://b/",
        "http ://b/",
        "://b/",
        ":",
        ":80/",
        "h:80/",
        "ü:b",
        // RFC 3986 section 5.4.2 lets a parser take these for a path, and browsers take the last two
        // for another host.
        "http:",
        "http:b",
        "http:/b",
        "https:\\\\b",
    ] {
        unusable(location, InvalidUri::Scheme);
    }
    // Without a colon it is a path.
    leads("ws://a/b", "http", "ws://a/http");
}

// req: HC-11
#[test]
fn tls_is_never_left() {
    let request = full("wss://a/");
    for location in ["http://a/", "ws://a/", "HTTP://a:443/", "ws://b:443"] {
        assert_eq!(follow(&request, location), Err(E::Insecure), "{location}");
    }
    for location in ["/x", "//b/", "https://b", "wss://a:80"] {
        let next = follow(&request, location).expect(location).expect(location);
        assert!(next.uri().is_secure(), "{location}");
    }
}

// req: HC-11
#[test]
fn references_are_resolved_as_in_the_examples_of_rfc_3986() {
    // Sections 5.4.1 and 5.4.2, all of them but for `g:h` and `http:g`.
    for (reference, target) in [
        ("g", "ws://a/b/c/g"),
        ("./g", "ws://a/b/c/g"),
        ("g/", "ws://a/b/c/g/"),
        ("/g", "ws://a/g"),
        ("//g", "ws://g/"), // An empty path is a slash.
        ("?y", "ws://a/b/c/d;p?y"),
        ("g?y", "ws://a/b/c/g?y"),
        ("#s", "ws://a/b/c/d;p?q"),
        ("g#s", "ws://a/b/c/g"),
        ("g?y#s", "ws://a/b/c/g?y"),
        (";x", "ws://a/b/c/;x"),
        ("g;x", "ws://a/b/c/g;x"),
        ("g;x?y#s", "ws://a/b/c/g;x?y"),
        ("", "ws://a/b/c/d;p?q"),
        (".", "ws://a/b/c/"),
        ("./", "ws://a/b/c/"),
        ("..", "ws://a/b/"),
        ("../", "ws://a/b/"),
        ("../g", "ws://a/b/g"),
        ("../..", "ws://a/"),
        ("../../", "ws://a/"),
        ("../../g", "ws://a/g"),
        ("../../../g", "ws://a/g"),
        ("../../../../g", "ws://a/g"),
        ("/./g", "ws://a/g"),
        ("/../g", "ws://a/g"),
        ("g.", "ws://a/b/c/g."),
        (".g", "ws://a/b/c/.g"),
        ("g..", "ws://a/b/c/g.."),
        ("..g", "ws://a/b/c/..g"),
        ("./../g", "ws://a/b/g"),
        ("./g/.", "ws://a/b/c/g/"),
        ("g/./h", "ws://a/b/c/g/h"),
        ("g/../h", "ws://a/b/c/h"),
        ("g;x=1/./y", "ws://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "ws://a/b/c/y"),
        ("g?y/./x", "ws://a/b/c/g?y/./x"),
        ("g?y/../x", "ws://a/b/c/g?y/../x"),
        ("g#s/./x", "ws://a/b/c/g"),
        ("g#s/../x", "ws://a/b/c/g"),
    ] {
        leads("ws://a/b/c/d;p?q", reference, target);
        let secure = target.replace("ws://", "wss://");
        leads("wss://a/b/c/d;p?q", reference, &secure);
        if let Some(resource) = target.strip_prefix("ws://a/") {
            let elsewhere = format!("wss://[::1]:9/{resource}");
            leads("wss://[::1]:9/b/c/d;p?q", reference, &elsewhere);
        }
    }
    for reference in ["g:h", "http:g"] {
        unusable(reference, InvalidUri::Scheme);
    }
}

// req: HC-11
#[test]
fn paths_are_resolved_where_the_location_brings_one() {
    for (base, location, target) in [
        ("ws://a", "", "ws://a/"),
        ("ws://a", "g", "ws://a/g"),
        ("ws://a?q/r", "g", "ws://a/g"),
        ("ws://a?q/r", "?", "ws://a/?"),
        ("ws://a/b", "/", "ws://a/"),
        ("ws://a/b", "http://a?q#", "ws://a/?q"),
        ("ws://a/b", "http://c/d/../e/./f/..", "ws://c/e/"),
        ("ws://a/b", "//c/..//d", "ws://c//d"),
        // An empty segment is one.
        ("ws://a/b//c", "../d", "ws://a/b/d"),
        ("ws://a/b", "/c//../d", "ws://a/c/d"),
        ("ws://a/b", "/..//evil.example/", "ws://a//evil.example/"),
        ("ws://a/b", ".//c", "ws://a//c"),
        // What was asked for stays as it was written.
        ("ws://a/./b/../c", "?y", "ws://a/./b/../c?y"),
        ("ws://a/./b/../c", "#", "ws://a/./b/../c"),
        ("ws://a/./b/../c", "d", "ws://a/d"),
        // Dots in another spelling are for the server to understand.
        ("ws://a/b/c", "%2e%2E/d", "ws://a/b/%2e%2E/d"),
        // A colon or a double slash further behind is neither a scheme nor a host.
        ("ws://a/b/c", "./d:e", "ws://a/b/d:e"),
        ("ws://a/b/c", "?d:e//f", "ws://a/b/c?d:e//f"),
        ("ws://a/b/c", "/d://e", "ws://a/d://e"),
        // Where browsers see another host, the same one is asked.
        (
            "ws://a/b/c",
            "\\\\evil.example/",
            "ws://a/b/\\\\evil.example/",
        ),
        ("ws://a/b/c", "/\\evil.example/", "ws://a/\\evil.example/"),
        ("ws://a/", "ü?ü#ü", "ws://a/%C3%BC?%C3%BC"),
    ] {
        leads(base, location, target);
    }
}

// req: HC-11
#[test]
fn location_follows_the_rules_of_uris() {
    for location in ["//u@b/", "http://u:p@b/", "//@b", "https://a\\@b/"] {
        unusable(location, InvalidUri::Userinfo);
    }
    for location in [
        "//",
        "///x",
        "http://",
        "https:///x",
        "//:80",
        "//a@",
        "//[::1/",
        "//a%62/",
        "//a\\b/",
    ] {
        unusable(location, InvalidUri::Host);
    }
    for location in ["//b:0/", "//b:65536", "http://b:x/", "//b:+1"] {
        unusable(location, InvalidUri::Port);
    }
    for location in ["a b", "a\tb", "/?a b", "//b c/", "http://b\tc"] {
        unusable(location, InvalidUri::Character);
    }
    // What is dropped is not looked at, but what it is.
    leads("ws://a/", "/x#a b#c%", "ws://a/x");
    for location in [&b"/\xff"[..], b"/\xc3", b"//\xe9/", b"/#\xff"] {
        assert_eq!(from("ws://a/", location), Err(E::Encoding));
    }
}

// req: HC-11
#[test]
fn location_is_not_longer_than_a_uri() {
    let long = |len: usize| format!("/{}", "a".repeat(len - 1));
    // "ws://a" stands before it.
    let next = from("ws://a/", long(Uri::MAX_LEN - 6)).expect("not too long");
    assert_eq!(next.len(), Uri::MAX_LEN);
    for location in [
        long(Uri::MAX_LEN - 4),
        long(Uri::MAX_LEN + 1),
        "/..".repeat(Uri::MAX_LEN / 3 + 1),
        "/.".repeat(20_000),
        "ü".repeat(3000),
        format!("#{}", "a".repeat(Uri::MAX_LEN)),
    ] {
        unusable(&location, InvalidUri::TooLong);
    }
    assert_eq!(from("ws://a/", "/..".repeat(2000)), Ok("ws://a/".into()));
    // The request that is redirected counts as well.
    let base = format!("ws://a/{}/", "a".repeat(8000));
    let result = from(&base, "b".repeat(500));
    assert_eq!(result, Err(E::Location(InvalidUri::TooLong)));
    let result = from(&base, format!("/{}", "b".repeat(500)));
    assert!(result.is_ok());
}

// req: HC-11
#[test]
fn credentials_and_replaced_host_stay_with_their_origin() {
    for (base, location, host) in [
        ("ws://a/", "ws://b/", "b"),
        ("ws://a/", "//b/", "b"),
        ("ws://a/", "//a:81/", "a:81"),
        ("ws://a/", "//a.a/", "a.a"),
        ("ws://a.a/", "//a/", "a"),
        ("ws://a/", "//a./", "a."),
        ("ws://a/", "https://a/", "a"),
        ("ws://a:443/", "https://a/", "a"),
        ("ws://a/", "wss://a:80/", "a:80"),
        ("wss://a/", "//a:444/", "a:444"),
        ("wss://a:444/", "https://a/", "a"),
        ("wss://a/", "https://b/", "b"),
        ("wss://a:1/", "https://a:2/", "a:2"),
        ("ws://[::1]/", "//[::2]/", "[::2]"),
        ("ws://[::1]/", "//[0::1]/", "[0::1]"),
        ("ws://127.0.0.1/", "//localhost/", "localhost"),
        // The name in the replaced Host is not that of the server.
        ("ws://a/", "//virtual.example/", "virtual.example"),
    ] {
        let next = follow(&full(base), location).expect(location);
        let next = asked(&next.expect("a redirect"));
        let kept: [(&str, &[u8]); 4] = [
            ("Sec-WebSocket-Protocol", b"chat"),
            ("X-First", b"1"),
            ("Origin", b"https://site.example"),
            ("Authorization-Info", b"not the one"),
        ];
        assert_eq!(next.extra(), kept, "{base} {location}");
        assert_eq!(next.header("Host"), Some(host.as_bytes()), "{location}");
    }
}

// req: HC-11
#[test]
fn nothing_is_taken_from_a_request_to_the_same_origin() {
    for (base, location) in [
        ("ws://a/", ""),
        ("ws://a/x", "/y"),
        ("ws://a/x", "y?z"),
        ("ws://a/x", "//a"),
        ("ws://a/", "http://A:80/"),
        ("ws://A:80/", "ws://a/"),
        ("ws://a:81/", "//a:081/"),
        ("wss://Example.COM/", "https://eXAMPLE.com:443/"),
        ("wss://[2001:DB8::1]/", "//[2001:db8::1]/"),
    ] {
        let request = full(base);
        let next = follow(&request, location).expect(location);
        let next = next.expect("a redirect");
        let (before, after) = (asked(&request), asked(&next));
        assert_eq!(after.headers, before.headers, "{base} {location}");
        assert_eq!(after.header("Host"), Some(&b"virtual.example:9"[..]));
        assert_eq!(after.target, next.uri().resource_name());
    }
}

// req: HC-11
#[test]
fn credentials_are_found_however_they_were_given() {
    let request = || Request::new("wss://a/").expect("a URI");
    let basic = Request::with_userinfo("wss://user:password@a/").expect("a URI");
    for with in [
        request().header("AUTHORIZATION", "x"),
        request().header("authorization", b"\xff\t"),
        request().header("cookie", "a=b"),
        request().header("COOKIE", ""),
        request().cookie("a", "b"),
        request().basic("user", "password"),
        request().bearer("x"),
        request().header("pROXY-aUTHORIZATION", "x"),
        request().host("b"),
        Ok(basic),
    ] {
        let with = with.expect("a request");
        assert_ne!(with, request());
        let next = follow(&with, "//b/").expect("a URI").expect("a redirect");
        assert_eq!(next, Request::new("wss://b/").expect("a URI"));
        // What was taken away does not come back, and can be given again.
        let back = follow(&next, "//a/").expect("a URI").expect("a redirect");
        assert_eq!(back, request());
        assert!(back.cookie("a", "b").and_then(|r| r.bearer("x")).is_ok());
        // The first request is as it was.
        assert_ne!(with, request());
    }
}

#[test]
fn errors_name_the_cause_and_hold_nothing_of_the_peer() {
    for (error, text) in [
        (E::MissingLocation, "redirect without a Location"),
        (E::RepeatedLocation, "redirect with several Locations"),
        (E::Encoding, "redirect with a Location that is not UTF-8"),
        (
            E::Location(InvalidUri::Userinfo),
            "redirect with an unusable Location: the URI has user information in it",
        ),
        (E::Insecure, "redirect from wss to ws"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

fn uris() -> impl Strategy<Value = String> {
    let regex = "wss?://(a|A|b\\.c|\\[::1\\])(:(80|443|8080))?(/[a-z./%]{0,9})?(\\?[a-z/.]{0,4})?";
    string_regex(regex).expect("a regular expression")
}

/// Anything that a header can hold, most of it not far from a URI.
fn locations() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        8 => prop::sample::select(b":/?#@.[]%1aAb\\hws".to_vec()),
        1 => any::<u8>().prop_filter("a character", |byte| !byte.is_ascii_control()),
    ];
    let scheme = prop::sample::select(vec!["", "//", "http://", "https://", "ws:", "wSS://a", "/"]);
    prop_oneof![
        (scheme, vec(bytes, 0..24)).prop_map(|(scheme, rest)| [scheme.as_bytes(), &rest].concat()),
        "\\PC{0,24}".prop_map(String::into_bytes),
        uris().prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    // req: HC-11
    #[test]
    fn any_location_is_an_error_or_leads_to_a_valid_uri_without_the_secrets_of_another(
        base in uris(),
        location in locations(),
    ) {
        let request = full(&base);
        if let Ok(next) = follow(&request, &location) {
            let next = next.expect("a redirect");
            let shown = next.uri().to_string();
            prop_assert!(shown.len() <= Uri::MAX_LEN);
            prop_assert_eq!(shown.parse(), Ok(next.uri().clone()));
            prop_assert!(next.uri().is_secure() || !request.uri().is_secure());
            let origin = |uri: &Uri| (uri.is_secure(), uri.host().to_ascii_lowercase(), uri.port());
            let is_same = origin(next.uri()) == origin(request.uri());
            let asked = asked(&next);
            for name in ["Authorization", "Cookie", "Proxy-Authorization"] {
                prop_assert_eq!(asked.all(name).next().is_some(), is_same, "{}", name);
            }
            let host = asked.header("Host").expect("a host");
            let own = next.uri().authority();
            prop_assert_eq!(host, if is_same { b"virtual.example:9" } else { own.as_bytes() });
        }
    }

    #[test]
    fn absolute_uris_lead_to_themselves_without_dots(base in uris(), target in uris()) {
        let expected: Uri = target.parse().expect("a URI");
        match from(&base, &target) {
            Ok(next) => {
                let next: Uri = next.parse().expect("a URI");
                prop_assert_eq!(next.authority(), expected.authority());
                let path = next.resource_name().split('?').next().expect("a path");
                prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
                let query = |uri: &Uri| uri.resource_name().split_once('?').map(|(_, q)| q.to_owned());
                prop_assert_eq!(query(&next), query(&expected));
            }
            Err(error) => {
                prop_assert_eq!(error, E::Insecure);
                prop_assert!(base.starts_with("wss") && !expected.is_secure());
            }
        }
    }
}
