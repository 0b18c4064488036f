use std::{format, string::ToString as _};

use super::*;

fn credentials(uri: &str) -> Option<Credentials> {
    Proxy::new(uri).expect(uri).credentials
}

#[test]
fn proxies_are_taken_by_their_uri() {
    for (text, host, port, shown) in [
        ("http://p", "p", 80, "http://p:80"),
        #[cfg(feature = "idna")]
        (
            "http://ü.example",
            "xn--tda.example",
            80,
            "http://xn--tda.example:80",
        ),
        ("https://p/", "p", 443, "https://p:443"),
        ("SOCKS5://p", "p", 1080, "socks5://p:1080"),
        ("socks5h://p:9050/", "p", 9050, "socks5h://p:9050"),
        (
            "HTTP://P.Example:3128",
            "P.Example",
            3128,
            "http://P.Example:3128",
        ),
        ("http://p:", "p", 80, "http://p:80"),
        (
            "http://192.0.2.1:8080",
            "192.0.2.1",
            8080,
            "http://192.0.2.1:8080",
        ),
        ("socks5://[::1]:1", "::1", 1, "socks5://[::1]:1"),
        (
            "https://u:p@[2001:DB8::1]",
            "2001:DB8::1",
            443,
            "https://[2001:DB8::1]:443",
        ),
        ("http://@p", "p", 80, "http://p:80"),
        ("http://u:p%40ss@p:1", "p", 1, "http://p:1"),
    ] {
        let proxy = Proxy::new(text).expect(text);
        assert_eq!((proxy.host(), proxy.port()), (host, port), "{text}");
        assert_eq!(proxy.to_string(), shown, "{text}");
        assert_eq!(format!("{proxy:?}"), format!("Proxy({shown:?})"), "{text}");
        assert_eq!(proxy.is_secure(), shown.starts_with("https"), "{text}");
        let again: Proxy = shown.parse().expect(shown);
        assert_eq!(again.to_string(), shown);
    }
}

#[test]
fn what_is_not_clear_is_refused() {
    use InvalidProxy as E;
    for (text, error) in [
        ("", E::Scheme),
        ("p:80", E::Scheme),
        ("//p", E::Scheme),
        ("ws://p", E::Scheme),
        ("socks://p", E::Scheme),
        ("socks4://p", E::Scheme),
        ("socks5:p", E::Scheme),
        ("http://", E::Host),
        ("http:///", E::Host),
        ("http://u@", E::Host),
        ("http://:80", E::Host),
        ("http://a,b", E::Host),
        ("http://a%41", E::Host),
        ("http://a\\b", E::Host),
        ("http://::1", E::Host),
        ("http://[::1", E::Host),
        ("http://[fe80::1%25eth0]", E::Host),
        #[cfg(not(feature = "idna"))]
        ("http://ü", E::NonAsciiHost),
        #[cfg(feature = "idna")]
        ("http://ü℀", E::Host),
        ("http://p:0", E::Port),
        ("http://p:65536", E::Port),
        ("http://p:+1", E::Port),
        ("http://p:80:80", E::Port),
        ("http://p//", E::Path),
        ("http://p/path", E::Path),
        ("http://p?query", E::Path),
        ("http://p/#", E::Path),
        ("http://p/@q", E::Path),
        ("http://p p", E::Character),
        ("http://p\r\nx", E::Character),
        (" http://p", E::Character),
        ("http://a@b@p", E::Userinfo),
        ("http://[@p", E::Userinfo),
        ("http://u:%4@p", E::Userinfo),
        ("http://%ff@p", E::Userinfo),
        ("http://a%3Ab:c@p", E::Credentials),
        ("http://a:b%0d%0a@p", E::Credentials),
        ("socks5://user@p", E::Credentials),
        ("socks5://:password@p", E::Credentials),
    ] {
        assert_eq!(Proxy::new(text), Err(error), "{text}");
    }
    let long = format!("http://{}", "a".repeat(Uri::MAX_LEN));
    assert_eq!(Proxy::new(&long), Err(E::TooLong));
}

#[test]
fn credentials_are_decoded_and_fit_the_scheme() {
    let basic = |value: &str| Some(Credentials::Basic(value.into()));
    // base64 of `Aladdin:open sesame`, as in RFC 7617 section 2.
    let aladdin = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    assert!(credentials("http://Aladdin:open%20sesame@p") == basic(aladdin));
    assert!(credentials("http://a@p") == basic("Basic YTo="));
    assert!(credentials("http://p").is_none() && credentials("http://@p").is_none());
    let socks = |user: &str, password: &str| Some(Credentials::Socks(user.into(), password.into()));
    assert!(credentials("socks5://a%3Ab:c:d@p") == socks("a:b", "c:d"));
    assert!(credentials("socks5h://%C3%BC:%01@p") == socks("ü", "\u{1}"));

    let proxy = |uri| Proxy::new(uri).expect("a proxy");
    let long = "x".repeat(256);
    assert!(proxy("http://p").credentials(&long, "").is_ok());
    assert!(proxy("http://p").credentials("a:b", "c").is_err());
    assert!(proxy("http://p").credentials("a", "c\n").is_err());
    assert!(
        proxy("socks5://p")
            .credentials(&long[1..], &long[1..])
            .is_ok()
    );
    for (user, password) in [("", "a"), ("a", ""), (&*long, "a"), ("a", &*long)] {
        let refused = proxy("socks5://p").credentials(user, password);
        assert_eq!(refused, Err(InvalidProxy::Credentials));
    }
    // The later ones replace the earlier ones.
    let replaced = proxy("http://x:y@p").credentials("Aladdin", "open sesame");
    assert!(replaced.expect("valid").credentials == basic(aladdin));
}

#[test]
fn nothing_shows_the_credentials() {
    for scheme in ["http", "https", "socks5"] {
        let proxy = Proxy::new(&format!("{scheme}://ann:s3cret@p")).expect("a proxy");
        let shown = format!("{proxy} {proxy:?} {:?}", Proxies::from(proxy.clone()));
        assert!(
            !shown.contains("s3cret") && !shown.contains("ann"),
            "{shown}"
        );
        assert!(!shown.contains("YW5uOnMzY3JldA"), "{shown}");
    }
}
