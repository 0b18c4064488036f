//! Which proxy is for which server: none, one for all, or what the environment says.

use alloc::string::String;
use std::{env, ffi::OsString};

use thiserror::Error;

use super::{InvalidProxy, Proxy, exceptions::Exceptions};
use crate::client::Uri;

/// Which proxy leads to which server, if any does.
///
/// [`none`](Self::none) is the default: the environment counts for nothing unless it is
/// [asked](Self::from_env). A [`Proxy`] is turned into one that is used for every server, this very
/// machine included.
///
/// # Examples
///
/// ```
/// use framewire::client::Uri;
/// use framewire::connect::{Proxies, Proxy};
///
/// let secure: Uri = "wss://example.com/".parse()?;
/// assert!(Proxies::none().for_uri(&secure).is_none());
///
/// let always = Proxies::from(Proxy::new("socks5://localhost")?);
/// assert_eq!(always.for_uri(&secure).expect("a proxy").port(), 1080);
///
/// let variables = |name: &str| match name {
///     "https_proxy" => Some("http://proxy.example:3128".into()),
///     "no_proxy" => Some("intranet.example, 192.0.2.0/24".into()),
///     _ => None,
/// };
/// let proxies = Proxies::from_vars(variables)?;
/// assert_eq!(proxies.for_uri(&secure).expect("a proxy").host(), "proxy.example");
/// assert!(proxies.for_uri(&"wss://chat.intranet.example".parse()?).is_none());
/// assert!(proxies.for_uri(&"ws://example.com".parse()?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    ws: Option<Proxy>,
    wss: Option<Proxy>,
    /// `None`: there are no exceptions, not even this machine.
    exceptions: Option<Exceptions>,
}

impl Proxies {
    /// No proxy for any server.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// What the variables of the environment say, as most programs understand them:
    ///
    /// - `http_proxy` is for `ws`, `https_proxy` for `wss`, and `all_proxy` for each of them that has none
    ///   of its own. A value is the URI of a [`Proxy`]; without a scheme, it is `http`.
    /// - `no_proxy` lists the servers that are reached without a proxy, separated by commas or spaces:
    ///   `example.com` is this name and all below it, `.example.com` and `*.example.com` only those below
    ///   it; IP addresses (IPv6 with or without brackets) and blocks of them such as `192.0.2.0/24` are
    ///   compared with addresses, not with what a name resolves to; a port may follow behind a colon, but
    ///   for blocks; `*` is every server. Letter case and a dot at the end of a name do not count. Names
    ///   beyond ASCII are written in their `xn--` form. What is none of this matches nothing, and is no
    ///   error: other programs understand more.
    /// - Names in capitals are the same, but the others come first. Empty is as good as not there.
    ///
    /// Servers on this very machine (`localhost`, names below it, loopback addresses) are always reached
    /// without a proxy: another machine's would find a server of its own there.
    ///
    /// `HTTP_PROXY` is ignored where there is a `REQUEST_METHOD`, which is a CGI program: there it is a
    /// header of the request, `Proxy`, and anybody can send one (CVE-2016-5385). On Windows, where names
    /// in capitals are no others, `http_proxy` is ignored as well.
    ///
    /// # Errors
    ///
    /// [`InvalidEnvironment`] if a variable that counts holds no proxy. `all_proxy` does not count if both
    /// of the others are there.
    pub fn from_env() -> Result<Self, InvalidEnvironment> {
        Self::parse(|name| env::var_os(name))
    }

    /// The same with other variables than those of the environment: `var` is asked for each by its name.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidEnvironment> {
        Self::parse(|name| var(name).map(OsString::from))
    }

    fn parse(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, InvalidEnvironment> {
        let is_cgi = var("REQUEST_METHOD").is_some();
        let http: &[&str] = match (is_cgi, cfg!(windows)) {
            (false, _) => &["http_proxy", "HTTP_PROXY"],
            (true, false) => &["http_proxy"],
            (true, true) => &[],
        };
        let ws = parse_first(http, &var)?;
        let wss = parse_first(&["https_proxy", "HTTPS_PROXY"], &var)?;
        let all = match (&ws, &wss) {
            (Some(_), Some(_)) => None,
            (None, _) | (_, None) => parse_first(&["all_proxy", "ALL_PROXY"], &var)?,
        };
        let list = first(&["no_proxy", "NO_PROXY"], &var);
        let list = list.map(|(_, list)| list.to_string_lossy().into_owned());
        Ok(Self {
            ws: ws.or_else(|| all.clone()),
            wss: wss.or(all),
            exceptions: Some(Exceptions::parse(&list.unwrap_or_default())),
        })
    }

    /// The proxy that leads to the server of `uri`. `None`: none does, connect to the server itself.
    #[must_use]
    pub fn for_uri(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = if uri.is_secure() { &self.wss } else { &self.ws };
        let is_excepted = |exceptions: &Exceptions| exceptions.contain(uri);
        proxy
            .as_ref()
            .filter(|_| !self.exceptions.as_ref().is_some_and(is_excepted))
    }
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self {
            ws: Some(proxy.clone()),
            wss: Some(proxy),
            exceptions: None,
        }
    }
}

/// The first of these variables that is there and not empty.
fn first(
    names: &[&'static str],
    var: impl Fn(&str) -> Option<OsString>,
) -> Option<(&'static str, OsString)> {
    let mut values = names.iter().filter_map(|&name| Some((name, var(name)?)));
    values.find(|(_, value)| !value.is_empty())
}

/// The proxy in it.
fn parse_first(
    names: &[&'static str],
    var: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Proxy>, InvalidEnvironment> {
    let Some((variable, value)) = first(names, var) else {
        return Ok(None);
    };
    let invalid = |reason| InvalidEnvironment { variable, reason };
    let value = value.into_string();
    let mut value = value.map_err(|_| invalid(InvalidProxy::NotUnicode))?;
    if !value.contains("://") {
        value.insert_str(0, "http://");
    }
    Proxy::new(&value).map(Some).map_err(invalid)
}

/// A variable of the environment holds no proxy. The value is not in here, because there may be a password
/// in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the variable {variable} is invalid: {reason}")]
#[non_exhaustive]
pub struct InvalidEnvironment {
    /// Its name, in the letter case it was found by.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub reason: InvalidProxy,
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn proxy_that_is_not_unicode_is_refused_and_such_a_list_is_not() {
        let value = || OsString::from_vec(b"http://a:\xff@b".to_vec());
        let error = Proxies::parse(|name| (name == "http_proxy").then(value));
        let expected = InvalidEnvironment {
            variable: "http_proxy",
            reason: InvalidProxy::NotUnicode,
        };
        assert_eq!(error, Err(expected));
        let list = || OsString::from_vec(b"\xff, server.example".to_vec());
        let proxies = Proxies::parse(|name| match name {
            "all_proxy" => Some("a".into()),
            "no_proxy" => Some(list()),
            _ => None,
        });
        let proxies = proxies.expect("they are valid");
        let for_uri = |uri: &str| proxies.for_uri(&uri.parse().expect("a URI"));
        assert!(for_uri("ws://server.example").is_none() && for_uri("ws://b").is_some());
    }
}
