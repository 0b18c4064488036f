//! WebSocket URIs (RFC 6455 section 3, RFC 3986): where to connect, what the Host header says and what
//! is asked for. Whatever is not clear is refused.

#[path = "support/http_client.rs"]
mod http_client;

use std::collections::HashSet;

use framewire::client::{InvalidRequest, InvalidUri as E, Request, Uri};
use http_client::asked;

fn uri(text: &str) -> Uri {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[track_caller]
fn refused(text: &str, expected: E) {
    assert_eq!(text.parse::<Uri>(), Err(expected), "{text:?}");
    // Nothing else takes what is no URI.
    let expected = Err(InvalidRequest::Uri(expected));
    assert_eq!(Request::new(text), expected, "{text:?}");
}

/// The target and the Host header of the request for it.
fn requested(text: &str) -> (String, String) {
    let asked = asked(&Request::new(text).expect(text));
    let host = asked.header("Host").expect("a host").to_vec();
    (asked.target, String::from_utf8(host).expect("ASCII"))
}

// req: U-01
#[test]
fn scheme_decides_between_plain_and_tls_in_any_letter_case() {
    for (text, secure) in [
        ("ws://h/", false),
        ("WS://h/", false),
        ("wS://h/", false),
        ("wss://h/", true),
        ("WSS://h/", true),
        ("WsS://h/", true),
    ] {
        assert_eq!(uri(text).is_secure(), secure, "{text}");
        assert_eq!(uri(text).host(), "h");
    }
}

// req: U-02
#[test]
fn other_schemes_are_refused() {
    for text in [
        "",
        "h",
        "h:80",
        "h/",
        "/",
        "//h",
        "://h",
        "ws",
        "ws:",
        "ws:h",
        "ws:/h",
        "ws:\\\\h",
        "ws//h",
        "http://h/",
        "https://h/",
        "HTTP://h/",
        "w://h",
        "wsss://h",
        "xws://h",
        "ws+unix://h",
        "http:ws://h",
        "/ws://h",
        "?ws://h",
        "file:///etc/passwd",
        "javascript:ws://h",
        "wſ://h",         // U+017F, which becomes S in upper case
        "ＷＳ://h",       // full width
        "\u{feff}ws://h", // byte order mark
    ] {
        refused(text, E::Scheme);
    }
}

// req: U-03, U-04
#[test]
fn host_header_has_the_port_when_it_is_not_the_default_of_the_scheme() {
    for (text, port, host) in [
        ("ws://h/", 80, "h"),
        ("wss://h/", 443, "h"),
        ("ws://h:80/", 80, "h"),
        ("ws://h:443/", 443, "h:443"),
        ("wss://h:80/", 80, "h:80"),
        ("wss://h:443/", 443, "h"),
        ("ws://h:9001", 9001, "h:9001"),
        ("wss://example.com:8443/chat", 8443, "example.com:8443"),
        ("ws://127.0.0.1", 80, "127.0.0.1"),
        ("ws://127.0.0.1:8080", 8080, "127.0.0.1:8080"),
        ("ws://EXAMPLE.com:1", 1, "EXAMPLE.com:1"),
        ("WSS://h:65535", 65535, "h:65535"),
    ] {
        let uri = uri(text);
        assert_eq!((uri.port(), &*uri.authority()), (port, host), "{text}");
        assert_eq!(requested(text).1, host, "{text}");
    }
}

// req: U-05
#[test]
fn empty_path_is_a_slash() {
    for (text, target) in [
        ("ws://h", "/"),
        ("ws://h:9", "/"),
        ("ws://h/", "/"),
        ("ws://h?", "/?"),
        ("ws://h?q", "/?q"),
        ("ws://h:9?q=/", "/?q=/"),
        ("wss://[::1]?q", "/?q"),
    ] {
        assert_eq!(uri(text).resource_name(), target, "{text}");
        assert_eq!(requested(text).0, target, "{text}");
    }
}

// req: U-06
#[test]
fn path_and_query_are_asked_for_byte_by_byte() {
    for target in [
        "/a%2Fb?x=%20&y",
        "/a%2fb",
        "/a/../b/./c",
        "/..//.",
        "//",
        "//evil.example/",
        "/%2e%2E/",
        "/%",
        "/%zz%4",
        "/a?b?c",
        "/?",
        "/a+b;c=d,e:@&=$!*'()~-._",
        "/ws://other/?http://h",
        "/user:password@h",
        "/\\..\\",
        "/\"<>[]^`{|}",
        "/A?B",
    ] {
        let text = format!("ws://h{target}");
        assert_eq!(uri(&text).resource_name(), target);
        assert_eq!(requested(&text), (target.into(), "h".into()));
        assert_eq!(uri(&text).to_string(), text);
    }
}

// req: U-07
#[test]
fn fragments_are_refused_and_encoded_number_signs_are_none() {
    for text in [
        "ws://h#",
        "ws://h#x",
        "ws://h/#",
        "ws://h/#x",
        "ws://h/a?b#c",
        "ws://h?#",
        "ws://#",
        "ws://#@h/",
        "wss://h:9#/",
    ] {
        refused(text, E::Fragment);
    }
    assert_eq!(requested("ws://h/%23?%23x").0, "/%23?%23x");
}

// req: U-08
#[test]
fn ipv6_addresses_are_connected_to_without_their_brackets_and_named_with_them() {
    for (text, connect, port, host) in [
        ("ws://[::1]:9/", "::1", 9, "[::1]:9"),
        ("ws://[::1]/", "::1", 80, "[::1]"),
        ("ws://[::1]:/", "::1", 80, "[::1]"),
        ("wss://[::]", "::", 443, "[::]"),
        (
            "wss://[2001:DB8::1]:80/",
            "2001:DB8::1",
            80,
            "[2001:DB8::1]:80",
        ),
        (
            "ws://[::ffff:192.0.2.1]?q",
            "::ffff:192.0.2.1",
            80,
            "[::ffff:192.0.2.1]",
        ),
        (
            "ws://[1:2:3:4:5:6:7:8]",
            "1:2:3:4:5:6:7:8",
            80,
            "[1:2:3:4:5:6:7:8]",
        ),
    ] {
        let uri = uri(text);
        assert_eq!((uri.host(), uri.port()), (connect, port), "{text}");
        assert_eq!(uri.authority(), host, "{text}");
        assert_eq!(requested(text).1, host, "{text}");
        // What to connect to is an address for the standard library too.
        assert!(uri.host().parse::<std::net::Ipv6Addr>().is_ok());
    }
}

// req: U-09
#[test]
fn brackets_hold_nothing_but_a_whole_ipv6_address() {
    for host in [
        "[::1",
        "[",
        "[/",
        "[]",
        "[]:80",
        "::1",
        "::1]",
        "[::1]]",
        "[[::1]]",
        "[::1]x",
        "[::1]80",
        "x[::1]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[fe80::1%251]",
        "[1.2.3.4]",
        "[h]",
        "[v1.a]",
        "[1:2:3:4:5:6:7:8:9]",
        "[:::]",
        "[g::]",
        "[::12345]",
    ] {
        refused(&format!("ws://{host}/"), E::Host);
    }
}

// req: U-10
#[test]
fn ports_are_digits_from_1_to_65535_or_nothing() {
    assert_eq!(uri("ws://h:/").port(), 80);
    assert_eq!(uri("wss://h:").port(), 443);
    assert_eq!(uri("ws://h:?q").authority(), "h");
    assert_eq!(uri("ws://h:1").port(), 1);
    assert_eq!(uri("ws://h:65535").port(), 65535);
    let zeros = format!("ws://h:{}443/", "0".repeat(1000));
    assert_eq!(uri(&zeros).authority(), "h:443");
    for port in [
        "0",
        "00000",
        "65536",
        "65616", // 80 with a carry
        "+80",
        "-1",
        "-0",
        "8e1",
        "0x50",
        "80.",
        "8_0",
        "80:",
        "80:80",
        ":80",
        "a",
        "80a",
        "４４３", // full width
        "4294967376",
        "99999999999999999999",
        "18446744073709551696",
        "340282366920938463463374607431768211536",
        "[",
        "%38%30",
    ] {
        refused(&format!("ws://h:{port}/"), E::Port);
        refused(&format!("wss://[::1]:{port}?"), E::Port);
    }
    refused("ws://h:8 0/", E::Character);
    refused(&format!("ws://h:{}/", "9".repeat(8000)), E::Port);
}

// req: U-11
#[test]
fn user_information_is_refused() {
    for userinfo in ["u:p", "u", ":", "", "u:", ":p", "u%40", "a@b", "%", "ü"] {
        refused(&format!("ws://{userinfo}@h/"), E::Userinfo);
        refused(&format!("wss://{userinfo}@[::1]:9?q"), E::Userinfo);
    }
    // It is none behind the authority.
    assert_eq!(requested("ws://h/u:p@x"), ("/u:p@x".into(), "h".into()));
    assert_eq!(requested("ws://h?u@x"), ("/?u@x".into(), "h".into()));
    // A part of the host is not taken for one, nor is one taken for the host.
    for text in ["ws://u@/", "ws://u:p@:80/", "ws://@"] {
        refused(text, E::Host);
    }
}

// req: U-12
#[cfg(not(feature = "idna"))]
#[test]
fn hosts_beyond_ascii_are_refused_with_the_advice_to_write_xn() {
    for host in [
        "bücher.example",
        "BÜCHER.example:80",
        "例え.jp",
        "h\u{200b}",  // zero width space
        "h\u{ad}",    // soft hyphen
        "h\u{3002}x", // ideographic full stop
        "ｈ",         // full width
        "\u{130}",
        "h\u{a0}",
        "\u{212a}.example", // Kelvin sign
    ] {
        refused(&format!("ws://{host}/"), E::NonAsciiHost);
    }
    let advice = E::NonAsciiHost.to_string();
    assert!(advice.contains("xn--") && advice.contains("feature idna"));
}

// req: U-12
#[test]
fn hosts_in_ascii_are_taken_as_they_are_also_with_xn() {
    for host in [
        "xn--bcher-kva.example",
        "XN--Bcher-KVA.example",
        // No name is encoded like these; nobody decodes them.
        "xn--example-.com",
        "xn--.com",
        "xn--a",
        "xn--\u{7e}",
        "r3---sn-a5mekn6k.example",
    ] {
        let (target, sent) = requested(&format!("ws://{host}/ü"));
        assert_eq!((&*target, &*sent), ("/%C3%BC", host));
        assert_eq!(uri(&format!("ws://{host}/")).host(), host);
    }
    // No resolver knows what to do with an encoded name.
    for host in ["b%C3%BCcher.example", "%68", "h%", "h%00"] {
        refused(&format!("ws://{host}/"), E::Host);
    }
}

// req: U-12, U-06
#[test]
fn path_and_query_beyond_ascii_become_percent_encoded_utf8() {
    for (written, target) in [
        ("/ü", "/%C3%BC"),
        ("/é?é", "/%C3%A9?%C3%A9"),
        ("?ü", "/?%C3%BC"),
        ("/€/🦀", "/%E2%82%AC/%F0%9F%A6%80"),
        ("/\u{80}\u{7ff}", "/%C2%80%DF%BF"),
        ("/\u{800}\u{ffff}", "/%E0%A0%80%EF%BF%BF"),
        ("/\u{10000}\u{10ffff}", "/%F0%90%80%80%F4%8F%BF%BF"),
        ("/\u{a0}\u{85}\u{2028}", "/%C2%A0%C2%85%E2%80%A8"), // spaces and line breaks of Unicode
        ("/\u{10a}\u{10d}", "/%C4%8A%C4%8D"),                // LF and CR in their low bytes
        ("/\u{202e}", "/%E2%80%AE"),                         // right-to-left override
        ("/%C3%BC%c3%bcü", "/%C3%BC%c3%bc%C3%BC"),
    ] {
        assert_eq!(requested(&format!("ws://h{written}")).0, target);
    }
}

// req: U-13
#[test]
fn spaces_and_control_characters_are_refused_everywhere() {
    let valid = "wss://host.example:443/path/to?query=1&x";
    for control in (0..=0x20).chain([0x7f]).map(char::from) {
        for place in 0..=valid.len() {
            let mut text = String::from(valid);
            text.insert(place, control);
            refused(&text, E::Character);
        }
    }
    refused("ws://h/ HTTP/1.1\r\nHost: evil\r\n\r\n", E::Character);
    refused("ws://h\r\nX: y/", E::Character);
    refused("ws://h/\0", E::Character);
    refused(" ws://h/", E::Character);
    // Encoded ones are passed on as they are: they can break no line.
    assert_eq!(requested("ws://h/%0d%0aX:%00%20").0, "/%0d%0aX:%00%20");
}

// req: U-14
#[test]
fn hosts_are_not_empty_and_are_names_or_addresses() {
    for host in [
        "", ":", ":80", ",", "a,b", "a\\b", "\\", "a\"b", "a<b", "a>b", "a^b", "a`b", "a{b", "a|b",
        "a}b", "a]b", "a[b",
    ] {
        for behind in ["", "/", "/x", "?q"] {
            let text = format!("ws://{host}{behind}");
            assert_eq!(text.parse::<Uri>(), Err(E::Host), "{text}");
        }
    }
    refused("ws:///x", E::Host);
    refused("ws:////", E::Host);
    refused("ws://?", E::Host);
    // Names are taken as they are: which of them exist is for the resolver to say.
    for host in ["a", "a.", "a-b_c~d", "1", "0x7f.1", "...", "a!$&'()*+;=b"] {
        assert_eq!(uri(&format!("ws://{host}/")).host(), host);
    }
}

// req: U-15
#[test]
fn uris_longer_than_8_kib_are_refused() {
    assert_eq!(Uri::MAX_LEN, 8192);
    let sized = |len: usize| format!("ws://h/{}", "a".repeat(len - 7));
    assert_eq!(uri(&sized(8192)).to_string().len(), 8192);
    for len in [8193, 10_000, 1 << 20] {
        refused(&sized(len), E::TooLong);
    }
    // Wherever the length is.
    refused(&"a".repeat(8193), E::TooLong);
    refused(&format!("ws://{}/", "a".repeat(8192)), E::TooLong);
    refused(&format!("ws://h:{}1/", "0".repeat(8192)), E::TooLong);
    refused(&format!("ws://{}@h/", "a".repeat(8192)), E::TooLong);
    refused(&"ü".repeat(4097), E::TooLong);
}

// req: U-15
#[test]
fn normalised_uri_is_within_the_limit_as_well() {
    // One byte below: the slash that is added fits. Exactly: it does not.
    let query = |len: usize| format!("ws://h?{}", "a".repeat(len - 7));
    assert_eq!(uri(&query(8191)).to_string().len(), 8192);
    // Each is three times as long when it is encoded.
    let encoded = format!("ws://h/{}", "ü".repeat(4000));
    for text in [query(8192), encoded] {
        match text.parse::<Uri>() {
            Err(error) => assert_eq!(error, E::TooLong),
            Ok(uri) => {
                let shown = uri.to_string();
                assert!(shown.len() <= Uri::MAX_LEN, "{} bytes", shown.len());
                assert_eq!(shown.parse(), Ok(uri));
            }
        }
    }
}

#[test]
fn what_is_shown_is_the_same_uri() {
    for (text, shown) in [
        ("ws://h", "ws://h/"),
        ("WS://h:80", "ws://h/"),
        ("wss://h:443?q", "wss://h/?q"),
        ("ws://h:0443/a?b", "ws://h:443/a?b"),
        ("wss://[::1]:80", "wss://[::1]:80/"),
        ("ws://H/ü", "ws://H/%C3%BC"),
    ] {
        assert_eq!(uri(text).to_string(), shown);
        assert_eq!(uri(shown), uri(text));
        let both = HashSet::from([uri(text), uri(shown)]);
        assert_eq!(both.len(), 1);
    }
    assert_ne!(uri("ws://h/"), uri("wss://h/"));
    assert_ne!(uri("ws://h/"), uri("ws://h:81/"));
    assert_ne!(uri("ws://h/"), uri("ws://h/?"));
}

#[test]
fn debug_output_leaves_the_query_out() {
    for (text, shown) in [
        ("wss://h:80/path?token=secret", "wss://h:80/path"),
        ("ws://h?secret?secret", "ws://h/"),
        ("ws://[::1]/?", "ws://[::1]/"),
    ] {
        assert_eq!(format!("{:?}", uri(text)), shown);
        assert_eq!(format!("{:#?}", uri(text)), shown);
    }
}
