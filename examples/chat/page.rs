//! What is served by HTTP: the page with its style and its script, and refusals.

use framewire::server::Response;

use crate::Outcome;

/// Where the WebSocket is.
pub(crate) const WEBSOCKET: &str = "/chat";

/// The page needs nothing but its own style, script, icon and WebSocket, and nobody may put it into a frame.
///
/// `connect-src 'self'` allows a WebSocket to the same host and port (CSP level 3); Safari does so since 2022.
/// Naming `ws://HOST` for older ones would mean to believe what the client says about our name.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// With every answer of ours; what is no valid request is refused by the library.
const HEADERS: &[(&str, &str)] = &[
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
];

/// The answer to a request that does not ask for a WebSocket.
pub(crate) fn answer(path: &str) -> Outcome<Response> {
    match path {
        "/" => response(200, "text/html", include_str!("index.html")),
        "/chat.css" => response(200, "text/css", include_str!("chat.css")),
        "/chat.js" => response(200, "text/javascript", include_str!("chat.js")),
        "/chat.svg" => response(200, "image/svg+xml", include_str!("chat.svg")),
        WEBSOCKET => refusal(426, "this is a WebSocket; the page is at /\n"),
        _ => refusal(404, "not here; the page is at /\n"),
    }
}

/// An answer that says why there is nothing else.
pub(crate) fn refusal(status: u16, why: &'static str) -> Outcome<Response> {
    response(status, "text/plain", why)
}

fn response(status: u16, kind: &str, body: &'static str) -> Outcome<Response> {
    let mut response = Response::new(status)?
        .header("Content-Type", format!("{kind}; charset=utf-8"))?
        .body(body);
    for (name, value) in HEADERS {
        response = response.header(name, value)?;
    }
    Ok(response)
}
