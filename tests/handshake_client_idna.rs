//! Host names beyond ASCII with the feature `idna` (RFC 6455 section 11.1.1, Unicode Technical
//! Standard 46): which A-labels they become, and that no character of theirs moves the end of the host.

use framewire::client::{InvalidUri as E, Request, Uri};
use proptest::prelude::*;

#[track_caller]
fn becomes(host: &str, ascii: &str) {
    for (scheme, behind) in [("ws", ""), ("wss", "/p?q"), ("ws", ":9?q")] {
        let text = format!("{scheme}://{host}{behind}");
        let uri: Uri = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(uri.host(), ascii, "{text}");
        let port = if behind.starts_with(':') { ":9" } else { "" };
        assert_eq!(uri.authority(), format!("{ascii}{port}"), "{text}");
        // It is the one that was asked for in this form.
        assert_eq!(format!("{scheme}://{ascii}{behind}").parse(), Ok(uri));
    }
}

#[track_caller]
fn refused(host: &str, error: E) {
    for behind in ["", "/", "/b", ":9/", "?q"] {
        let text = format!("ws://{host}{behind}");
        assert_eq!(text.parse::<Uri>(), Err(error), "{}", text.escape_unicode());
    }
}

// req: U-12
#[test]
fn hosts_beyond_ascii_become_their_xn_form() {
    for (host, ascii) in [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"), // decomposed
        ("例え.jp", "xn--r8jz45g.jp"),
        ("ü", "xn--tda"),
        ("ü.", "xn--tda."),
        ("a.ü.b-c.1d", "a.xn--tda.b-c.1d"),
        ("_srv._tcp.ü.example", "_srv._tcp.xn--tda.example"),
        ("r3---sn.ü", "r3---sn.xn--tda"),
        ("-ü-.example", "xn-----xka.example"),
        ("xn--bcher-kva.ü", "xn--bcher-kva.xn--tda"),
        ("XN--BCHER-KVA.ü", "xn--bcher-kva.xn--tda"),
    ] {
        becomes(host, ascii);
    }
    let request = Request::new("wss://bücher.example:8443/ü").expect("a host");
    assert_eq!(
        request.uri().to_string(),
        "wss://xn--bcher-kva.example:8443/%C3%BC"
    );
}

// req: U-12
#[test]
fn names_are_mapped_as_in_browsers() {
    for (host, ascii) in [
        // Deviations, which the transitional mapping of old had as `ss` and as nothing.
        ("faß.de", "xn--fa-hia.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("\u{915}\u{94d}\u{200d}\u{937}.com", "xn--11b2ezcw70k.com"), // ZWJ behind a virama
        ("STRAẞE.de", "xn--strae-oqa.de"),                            // capital sharp s
        // Emoji, as one character and with a selector of its form.
        ("🦀.example", "xn--zs9h.example"),
        ("\u{2764}\u{fe0f}.example", "xn--qei.example"),
        // From right to left.
        ("אב.example", "xn--4dbc.example"),
        ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
        // Nothing but ASCII is left of these.
        ("\u{ff48}\u{ff4f}st.example", "host.example"), // full width
        ("\u{212a}.example", "k.example"),              // Kelvin sign
        ("h\u{ad}ost", "host"),                         // soft hyphen
        ("h\u{200b}ost", "host"),                       // zero width space
        ("\u{2460}\u{2461}.example", "12.example"),     // circled digits
        ("\u{feff}host", "host"),                       // byte order mark
        // Underscores of vertical text.
        ("a\u{fe33}ü", "xn--a_-yka"),
        // What only looks like a slash is a letter like any other.
        ("a\u{2044}b", "xn--ab-c6t"),
        ("a\u{2215}b", "xn--ab-6bv"),
        // Dots of other scripts.
        ("a\u{3002}b", "a.b"),
        ("a\u{ff0e}b", "a.b"),
        ("a\u{ff61}b", "a.b"),
        ("evil\u{ff0e}example.com", "evil.example.com"),
    ] {
        becomes(host, ascii);
    }
}

// req: U-12
#[test]
fn no_character_becomes_a_delimiter() {
    for char in [
        '\u{ff0f}', // full width solidus
        '\u{2100}', // a/c
        '\u{2101}', // a/s
        '\u{2105}', // c/o
        '\u{2106}', // c/u
        '\u{ff1f}', // full width question mark
        '\u{2048}', // question and exclamation mark
        '\u{fe16}', // the same for vertical text
        '\u{ff03}', // full width number sign
        '\u{fe5f}', // small number sign
        '\u{ff20}', // full width commercial at
        '\u{fe6b}', // small commercial at
        '\u{ff1a}', // full width colon
        '\u{fe13}', // for vertical text
        '\u{fe55}', // small colon
        '\u{2a74}', // ::=
        '\u{ff05}', // full width percent sign
        '\u{fe6a}', // small percent sign
        '\u{ff3b}', // full width brackets
        '\u{ff3d}', //
        '\u{fe47}', // for vertical text
        '\u{ff3c}', // full width backslash
        '\u{fe68}', // small backslash
        '\u{ff01}', // full width exclamation mark
        '\u{ff0c}', // full width comma
        '\u{ff1b}', // full width semicolon
        '\u{ff1c}', // full width signs for less, equal and greater
        '\u{ff1d}', //
        '\u{ff1e}', //
        '\u{ff04}', // full width dollar sign
        '\u{ff06}', // full width ampersand
        '\u{2474}', // parenthesised digit one
        '\u{2488}', // digit one with a full stop
        '\u{2024}', // one dot leader
        '\u{2025}', // two dot leader
        '\u{2026}', // ellipsis
        '\u{a0}',   // no-break space
        '\u{3000}', // ideographic space
        '\u{2028}', // line separator
        '\u{85}',   // next line
        '\u{a8}',   // a diaeresis above a space
    ] {
        for host in [
            format!("a{char}b"),
            format!("{char}b"),
            format!("a{char}"),
            format!("{char}"),
            format!("ü{char}b.example"),
            format!("good.example{char}.evil.example"),
            format!("evil.example{char}good.example"),
        ] {
            refused(&host, E::Host);
        }
    }
}

// req: U-12
#[test]
fn delimiters_that_are_written_as_such_end_the_host_as_ever() {
    let uri: Uri = "ws://ü/\u{ff20}evil".parse().expect("a URI");
    assert_eq!(
        (uri.host(), uri.resource_name()),
        ("xn--tda", "/%EF%BC%A0evil")
    );
    let uri: Uri = "ws://ü?\u{ff0f}".parse().expect("a URI");
    assert_eq!(
        (uri.host(), uri.resource_name()),
        ("xn--tda", "/?%EF%BC%8F")
    );
    for (text, error) in [
        ("ws://ü@b/", E::Userinfo),
        ("ws://b@ü/", E::Userinfo),
        ("ws://ü#b", E::Fragment),
        ("ws://ü:b", E::Port),
        ("ws://ü:\u{ff18}\u{ff10}/", E::Port),
        ("ws://ü b/", E::Character),
        ("ws://ü\u{7f}/", E::Character),
    ] {
        assert_eq!(text.parse::<Uri>(), Err(error), "{text}");
    }
    let with_user = Request::with_userinfo("ws://ü:ü@ü/").expect("a URI");
    assert_eq!(with_user.uri().host(), "xn--tda");
}

// req: U-12
#[test]
fn no_name_becomes_an_address() {
    for host in [
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "127\u{3002}0\u{3002}0\u{3002}1",
        "127\u{ff0e}0\u{ff0e}0\u{ff0e}1.",
        "\u{ff10}x7f\u{ff0e}1",
        "\u{ff10}\u{ff38}7f000001",
        "\u{2460}.1",
        "1.0\u{ff38}",
        "\u{ff12}\u{ff11}\u{ff13}\u{ff10}\u{ff17}\u{ff10}\u{ff16}\u{ff14}\u{ff13}\u{ff13}",
        "127.0.0.\u{661}\u{ad}1\u{ad}",
        "ü.1",
        "1\u{ad}",
        "[::\u{ff11}]",
        "[\u{ff1a}\u{ff1a}1]",
        "\u{ff3b}::1\u{ff3d}",
        "[ü]",
        "[::1%ü]",
    ] {
        refused(host, E::Host);
    }
}

// req: U-12
#[test]
fn names_that_are_none_are_refused() {
    let long_label = "ü".repeat(64);
    let long_name = "ü.".repeat(40);
    let huge = "ü".repeat(4000);
    for host in [
        "\u{ad}",            // nothing is left
        "\u{200b}.example",  // nothing is left of a label
        "a..ü",              // nor is there one here
        ".ü",                //
        "ü..",               //
        "\u{200d}",          // ZWJ behind nothing
        "a\u{200d}b",        // and behind a letter
        "a\u{200c}b",        // ZWNJ
        "\u{301}a.example",  // a mark at the beginning
        "\u{5d0}a.example",  // both directions in a label
        "a\u{5d0}.example",  //
        "1\u{5d0}.example",  // a digit first, from right to left
        "\u{202e}ü.example", // right-to-left override
        "\u{2066}ü.example", // isolate
        "\u{fffd}",          // replacement character
        "\u{fffe}",          // noncharacter
        "\u{e000}",          // private use
        "\u{378}",           // unassigned
        "xn--example-.ü",    // encodes ASCII: another spelling of `example`
        "xn--.ü",            // encodes nothing
        "xn--a.ü",           // no Punycode
        "ü%62",              // percent-encoded
        "%C3%BC.ü",          //
        "ü\"b",              // ASCII that is no host
        "ü,b",
        "ü;b",
        "ü!",
        "ü$",
        "ü~",
        "ü*",
        "*.ü",
        "ü'",
        "ü\\b",
        "ü{b}",
        "ü<b",
        "ü|b",
        "ü^b",
        "ü`b",
        "ü[b]",
        &long_label,
        &long_name,
        &huge,
    ] {
        refused(host, E::Host);
    }
}

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{1,12}",
        "[a-zA-Z0-9._-]{0,5}[^\\x00-\\x7f][a-zA-Z0-9._-]{0,5}",
        "(xn--[a-z0-9-]{0,6}\\.)?[\u{ff01}-\u{ff5e}]{1,5}",
        "[\u{80}-\u{2ff}\u{2000}-\u{2fff}\u{fe00}-\u{ffff}]{1,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    // req: U-12
    #[test]
    fn whatever_the_host_is_it_ends_where_the_text_says(host in hosts()) {
        let end = host.find(['/', '?', '#', '@', ':', '[', ' ']);
        prop_assume!(end.is_none() && !host.is_ascii());
        match format!("ws://{host}:9/p").parse::<Uri>() {
            Ok(uri) => {
                let is_host = |byte: u8| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte)
                };
                prop_assert!(!uri.host().is_empty() && uri.host().bytes().all(is_host));
                prop_assert!(uri.host().len() <= 254);
                prop_assert!(uri.host().parse::<std::net::IpAddr>().is_err());
                prop_assert_eq!((uri.port(), uri.resource_name()), (9, "/p"));
                prop_assert_eq!(uri.to_string().parse(), Ok(uri));
            }
            Err(error) => prop_assert!([E::Host, E::Character].contains(&error), "{}", error),
        }
    }
}

// req: U-12
#[test]
fn every_character_beyond_ascii_is_refused_or_becomes_a_part_of_the_host() {
    for char in ('\u{80}'..=char::MAX).filter(|char| !('\u{20000}'..='\u{dffff}').contains(char)) {
        let text = format!("ws://a{char}b:9/p");
        match text.parse::<Uri>() {
            Ok(uri) => {
                let is_host = |byte: u8| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte)
                };
                assert!(uri.host().bytes().all(is_host), "{char:?}: {}", uri.host());
                let dots = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];
                assert_eq!(uri.host().contains('.'), dots.contains(&char), "{char:?}");
                assert_eq!((uri.port(), uri.resource_name()), (9, "/p"));
            }
            Err(error) => assert_eq!(error, E::Host, "{char:?}"),
        }
    }
}
