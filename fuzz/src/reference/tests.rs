//! A few cases with known results, lest a reference and the library are wrong in the same way.

use super::{
    authority::{authority, uri},
    hash::accept,
    values::{extensions, offers},
};
use crate::http::{ACCEPT, KEY};

#[test]
fn sample_key_has_the_sample_answer() {
    assert_eq!(accept(KEY), ACCEPT);
}

#[test]
fn extensions_have_a_grammar() {
    let is_valid = |field: &str| {
        let wrong = extensions(&[field.into()]);
        !wrong.malformed && !wrong.too_many
    };
    for field in ["a", "a;b", "a ;\tb = c, ,d", "a;b=\"c\"", "a;b=\"\\c\"; d"] {
        assert!(is_valid(field), "{field}");
    }
    for field in [
        "",
        ",",
        "a;",
        "a b",
        "a=b",
        "a;b=",
        "a;b=\"\"",
        "a;b=\"c d\"",
        "a;b=\"c",
        "(a)",
    ] {
        assert!(!is_valid(field), "{field}");
    }
    assert!(is_valid(&["a"; 16].join(",")) && !is_valid(&["a"; 17].join(",")));
    assert!(is_valid(&["a"; 17].join(";")) && !is_valid(&["a"; 18].join(";")));
    assert!(!extensions(&[]).malformed);
}

#[test]
fn offers_are_unique_tokens() {
    let read = |fields: &[&str]| offers(&fields.iter().map(|&f| f.into()).collect::<Vec<_>>());
    assert_eq!(
        read(&["a, b", "", "A"]),
        Ok(vec!["a".into(), "b".into(), "A".into()])
    );
    assert!(read(&["a", "b,a"]).is_err() && read(&[","]).is_err() && read(&["a b"]).is_err());
}

#[test]
fn hosts_and_ports_have_a_grammar() {
    for text in [
        "h",
        "h:",
        "h:0080",
        "1.2.3.4:65535",
        "[::]",
        "[1::2:3.4.5.6]:1",
        "%20",
    ] {
        assert!(authority(text).is_some(), "{text}");
    }
    for text in [
        "",
        ":1",
        "h:65536",
        "h:+1",
        "::1",
        "[::1",
        "[1::2::3]",
        "[1:2]",
        "a,b",
        "%2",
        "[::1]1",
    ] {
        assert!(authority(text).is_none(), "{text}");
    }
    for address in [
        "1:2:3:4:5:6:7:8",
        "1::",
        "::8",
        "1:2:3:4:5:6:7::",
        "1:2:3:4:5:6:1.2.3.4",
    ] {
        assert!(authority(&format!("[{address}]")).is_some(), "{address}");
    }
    for address in [
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8::",
        ":1::",
        "12345::",
        "1.2.3.4::",
        "::01.2.3.4",
    ] {
        assert!(authority(&format!("[{address}]")).is_none(), "{address}");
    }
}

#[test]
fn uris_are_taken_apart() {
    let read = uri("WSS://u:p@h:99?\u{e9}").expect("a URI");
    assert_eq!((read.is_secure, &read.host[..], read.port), (true, "h", 99));
    assert_eq!(
        (&read.resource_name[..], read.userinfo.as_deref()),
        ("/?%C3%A9", Some("u:p"))
    );
    for text in [
        "http://h", "ws:/h", "ws://", "ws://h:0", "ws://h#", "ws://h ",
    ] {
        assert!(uri(text).is_none(), "{text}");
    }
}
