//! Which proxy leads to which server: one for all of them, none, or what variables say.

use framewire::client::Uri;
use framewire::connect::{InvalidEnvironment, InvalidProxy, Proxies, Proxy};
use proptest::prelude::*;

fn uri(text: &str) -> Uri {
    text.parse().expect("a URI")
}

fn parse(vars: &[(&str, &str)]) -> Result<Proxies, InvalidEnvironment> {
    let var = |name: &str| {
        let found = vars.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| String::from(*value))
    };
    Proxies::from_vars(var)
}

/// Which proxy these variables name for a server, or an empty text.
fn chosen(vars: &[(&str, &str)], server: &str) -> String {
    let proxies = parse(vars).expect("they are valid");
    let chosen = proxies.for_uri(&uri(server));
    chosen.map_or(String::new(), |proxy| proxy.to_string())
}

const WS: &str = "ws://server.example";
const WSS: &str = "wss://server.example";

#[test]
fn each_scheme_has_its_variable() {
    for (vars, ws, wss) in [
        (&[][..], "", ""),
        (&[("http_proxy", "http://a")], "http://a:80", ""),
        (&[("https_proxy", "http://a")], "", "http://a:80"),
        (
            &[("all_proxy", "socks5://a")],
            "socks5://a:1080",
            "socks5://a:1080",
        ),
        (
            &[("ALL_PROXY", "socks5h://a")],
            "socks5h://a:1080",
            "socks5h://a:1080",
        ),
        (
            &[
                ("http_proxy", "http://a"),
                ("https_proxy", "https://b"),
                ("all_proxy", "http://c"),
            ],
            "http://a:80",
            "https://b:443",
        ),
        (
            &[("HTTPS_PROXY", "http://a"), ("ALL_PROXY", "http://c")],
            "http://c:80",
            "http://a:80",
        ),
        (
            &[("HTTP_PROXY", "http://a"), ("http_proxy", "http://b")],
            "http://b:80",
            "",
        ),
        (
            &[("HTTPS_PROXY", "http://a"), ("https_proxy", "http://b")],
            "",
            "http://b:80",
        ),
        (
            &[("HTTP_PROXY", "http://a"), ("http_proxy", "")],
            "http://a:80",
            "",
        ),
        (
            &[("http_proxy", ""), ("https_proxy", ""), ("all_proxy", "")],
            "",
            "",
        ),
        (
            &[("http_proxy", "a.example:3128")],
            "http://a.example:3128",
            "",
        ),
        (
            &[("http_proxy", "u:p@192.0.2.1")],
            "http://192.0.2.1:80",
            "",
        ),
        (
            &[("https_proxy", "localhost:8080/")],
            "",
            "http://localhost:8080",
        ),
        (&[("https_proxy", "[::1]:8080")], "", "http://[::1]:8080"),
    ] {
        assert_eq!(chosen(vars, WS), ws, "{vars:?}");
        assert_eq!(chosen(vars, WSS), wss, "{vars:?}");
    }
}

#[test]
fn header_named_proxy_is_no_variable_of_a_cgi_program() {
    let cgi = ("REQUEST_METHOD", "GET");
    let header = ("HTTP_PROXY", "http://evil");
    assert_eq!(chosen(&[cgi, header], WS), "");
    assert_eq!(chosen(&[("REQUEST_METHOD", ""), header], WS), "");
    assert_eq!(
        chosen(&[cgi, header, ("all_proxy", "http://a")], WS),
        "http://a:80"
    );
    // Not even one that is invalid.
    assert_eq!(chosen(&[cgi, ("HTTP_PROXY", "evil://")], WS), "");
    // What no header can set is as good as ever.
    assert_eq!(
        chosen(&[cgi, ("HTTPS_PROXY", "http://a")], WSS),
        "http://a:80"
    );
    if !cfg!(windows) {
        assert_eq!(
            chosen(&[cgi, header, ("http_proxy", "http://a")], WS),
            "http://a:80"
        );
    }
}

#[test]
fn servers_of_the_list_are_reached_without_a_proxy() {
    let list = "intranet.example, .sub.example 192.0.2.0/24,[2001:db8::1]:443,other.example:8080";
    let with = |name| [("all_proxy", "http://a"), (name, list)];
    for server in [
        "ws://intranet.example",
        "wss://chat.Intranet.Example.",
        "ws://a.sub.example",
        "ws://192.0.2.77:9",
        "wss://[2001:DB8:0::1]",
        "ws://other.example:8080",
    ] {
        assert_eq!(chosen(&with("no_proxy"), server), "", "{server}");
        assert_eq!(chosen(&with("NO_PROXY"), server), "", "{server}");
    }
    for server in [
        "ws://example",
        "ws://sub.example",
        "ws://192.0.3.1",
        "ws://[2001:db8::1]",
        "ws://other.example",
        "ws://fakeintranet.example",
    ] {
        assert_eq!(chosen(&with("no_proxy"), server), "http://a:80", "{server}");
    }
    let both = [
        ("all_proxy", "http://a"),
        ("no_proxy", "x"),
        ("NO_PROXY", "*"),
    ];
    assert_eq!(chosen(&both, WS), "http://a:80");
    let star = [
        ("all_proxy", "http://a"),
        ("no_proxy", ""),
        ("NO_PROXY", "*"),
    ];
    assert_eq!(chosen(&star, WS), "");
}

#[test]
fn this_machine_is_reached_without_a_proxy_of_the_environment() {
    let proxy = Proxy::new("http://a").expect("a proxy");
    let always = Proxies::from(proxy.clone());
    for server in [
        "ws://localhost",
        "wss://127.0.0.1:8443",
        "ws://[::1]",
        "ws://a.localhost.",
    ] {
        assert_eq!(chosen(&[("all_proxy", "http://a")], server), "", "{server}");
        assert_eq!(always.for_uri(&uri(server)), Some(&proxy), "{server}");
        assert_eq!(Proxies::none().for_uri(&uri(server)), None);
    }
    assert_eq!(Proxies::none(), Proxies::default());
    assert_eq!(always.for_uri(&uri(WSS)), Some(&proxy));
    assert_eq!(Proxies::none().for_uri(&uri(WSS)), None);
}

#[test]
fn variable_that_holds_no_proxy_is_named_without_its_value() {
    for (name, value, reason) in [
        ("http_proxy", "ftp://s3cret", InvalidProxy::Scheme),
        ("HTTP_PROXY", "http://s3cret/path", InvalidProxy::Path),
        (
            "https_proxy",
            "http://ann:s3cret%@a",
            InvalidProxy::Userinfo,
        ),
        ("HTTPS_PROXY", "s3cret:port", InvalidProxy::Port),
        ("all_proxy", "socks://s3cret", InvalidProxy::Scheme),
        ("ALL_PROXY", "socks5://s3cret@a", InvalidProxy::Credentials),
    ] {
        let error = parse(&[(name, value)]).expect_err("it is invalid");
        assert_eq!((error.variable, error.reason), (name, reason));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(name) && !shown.contains("s3cret"), "{shown}");
        assert_eq!(
            error.to_string(),
            format!("the variable {name} is invalid: {reason}")
        );
    }
    // What does not count may be anything.
    let covered = [
        ("http_proxy", "a"),
        ("https_proxy", "a"),
        ("all_proxy", "socks://a"),
    ];
    assert!(parse(&covered).is_ok());
    assert!(parse(&[("http_proxy", "a"), ("HTTP_PROXY", "x://")]).is_ok());
    assert!(parse(&[("no_proxy", "\0,://,[,é,%")]).is_ok());
}

#[test]
fn environment_of_the_tests_can_be_read() {
    // What it says is not known here; that it is the same twice is.
    assert_eq!(Proxies::from_env(), Proxies::from_env());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: P-INV
    #[test]
    fn any_proxy_is_taken_as_it_is_shown_or_not_at_all(
        text in prop_oneof![
            "(http|https|socks5|socks5h)://([a-z%:@]{0,6}@)?[a-z.\\[\\]:0-9]{0,9}(:[0-9]{0,6})?/?",
            any::<String>(),
        ],
    ) {
        if let Ok(proxy) = text.parse::<Proxy>() {
            prop_assert!(!proxy.host().is_empty() && proxy.host().is_ascii() && proxy.port() > 0);
            let shown = proxy.to_string();
            prop_assert!(!shown.contains('@'));
            let again: Proxy = shown.parse().expect("it is taken again");
            prop_assert_eq!((again.host(), again.port()), (proxy.host(), proxy.port()));
            prop_assert_eq!(again.is_secure(), proxy.is_secure());
        }
    }

    // req: P-INV
    #[test]
    fn any_list_is_taken(
        list in prop_oneof!["([a-z.*:/0-9\\[\\]%]{0,9}[, ]?){0,9}", any::<String>()],
        host in "[a-z0-9.]{1,9}|\\[::[0-9a-f]{1,4}\\]",
    ) {
        let proxies = parse(&[("all_proxy", "a"), ("no_proxy", &list)]).expect("no list is invalid");
        if let Ok(server) = format!("ws://{host}").parse::<Uri>() {
            let _ = proxies.for_uri(&server);
            // A server that is listed is excepted.
            let listed = format!("{list},{host}");
            let proxies = parse(&[("all_proxy", "a"), ("no_proxy", &listed)]).expect("as before");
            let is_rule = host.trim_matches('.').len() + 1 >= host.len() && !host.starts_with('.');
            prop_assert!(!is_rule || proxies.for_uri(&server).is_none(), "{listed}");
        }
    }
}
