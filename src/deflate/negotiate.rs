//! The parameters of permessage-deflate, offered, accepted and confirmed (RFC 7692 sections 5 and 7.1).

use alloc::string::{String, ToString};
use core::{fmt, mem};

use super::{Deflate, MAX_WINDOW_BITS, MIN_SEND_WINDOW_BITS};
use crate::handshake::extension::{Extension, Param, Value};

/// The name of the extension, which is case-sensitive.
pub(crate) const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What both ends have agreed on, as this end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// The window to compress with: 8 to 15 bits.
    pub(crate) send_window_bits: u8,
    /// Whether we may refer to our messages before.
    pub(crate) send_takeover: bool,
    /// Whether the peer may refer to its messages before.
    pub(crate) receive_takeover: bool,
}

/// The server's response has parameters that don't follow RFC 7692 or were not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidResponse;

/// As a server: takes the first offer that it can, and gives the response to it.
///
/// Without any, the handshake goes on without the extension.
pub(crate) fn accept<'a>(
    options: &Deflate,
    offers: impl Iterator<Item = Extension<'a>>,
) -> Option<(Agreement, String)> {
    offers
        .filter(|offer| offer.name == NAME)
        .find_map(|offer| respond(options, &Params::of_offer(&offer)?))
}

fn respond(options: &Deflate, offer: &Params) -> Option<(Agreement, String)> {
    let demanded = offer.server_max_window_bits;
    let send_window_bits = options
        .send_window_bits
        .min(demanded.unwrap_or(MAX_WINDOW_BITS));
    if send_window_bits < MIN_SEND_WINDOW_BITS {
        return None;
    }
    let agreement = Agreement {
        send_window_bits,
        send_takeover: options.send_takeover && !offer.server_no_context_takeover,
        receive_takeover: options.receive_takeover.unwrap_or(false)
            && !offer.client_no_context_takeover,
    };
    let response = Params {
        server_no_context_takeover: !agreement.send_takeover,
        client_no_context_takeover: !agreement.receive_takeover,
        // "A server accepts [it] by including the 'server_max_window_bits' [...] parameter". A
        // smaller window may also be told to a client that did not ask.
        server_max_window_bits: (demanded.is_some() || send_window_bits < MAX_WINDOW_BITS)
            .then_some(send_window_bits),
        // Never in a response to an offer without it.
        client_max_window_bits: offer
            .client_max_window_bits
            .filter(|_| options.receive_window_bits < MAX_WINDOW_BITS)
            .map(|offered| options.receive_window_bits.min(offered)),
    };
    Some((agreement, response.to_string()))
}

/// As a client: the one offer that stands for `options`.
pub(crate) fn offer(options: &Deflate) -> String {
    Params::offered(options).to_string()
}

/// As a client: checks the server's response to [`offer`].
///
/// # Errors
///
/// If it is no response to that offer: the connection has to be failed then.
pub(crate) fn confirm(
    options: &Deflate,
    response: &Extension<'_>,
) -> Result<Agreement, InvalidResponse> {
    let offered = Params::offered(options);
    let response = Params::of_response(response).ok_or(InvalidResponse)?;
    if !offered.allows(&response) {
        return Err(InvalidResponse);
    }
    let demanded = response.client_max_window_bits.unwrap_or(MAX_WINDOW_BITS);
    Ok(Agreement {
        send_window_bits: options.send_window_bits.min(demanded),
        send_takeover: options.send_takeover && !response.client_no_context_takeover,
        receive_takeover: !response.server_no_context_takeover,
    })
}

/// The four parameters, of an offer or of a response.
#[derive(Debug, Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// Offered without a value it leaves the choice to the server, which is what 15 means too. A
    /// response of ours never says 15, so that it stands for the parameter without a value.
    client_max_window_bits: Option<u8>,
}

impl Params {
    /// What a client offers.
    fn offered(options: &Deflate) -> Self {
        let bits = options.receive_window_bits;
        Self {
            server_no_context_takeover: options.receive_takeover == Some(false),
            client_no_context_takeover: false,
            server_max_window_bits: (bits < MAX_WINDOW_BITS).then_some(bits),
            client_max_window_bits: Some(options.send_window_bits),
        }
    }

    /// `None` if it "contains an extension parameter not defined for use", one "with an invalid
    /// value" or several "with the same name" (section 7.1).
    fn of_offer(extension: &Extension<'_>) -> Option<Self> {
        Self::parse(extension, Some(MAX_WINDOW_BITS))
    }

    /// As for an offer, but `client_max_window_bits` needs a value here.
    fn of_response(extension: &Extension<'_>) -> Option<Self> {
        Self::parse(extension, None)
    }

    /// `bare` is what `client_max_window_bits` without a value means.
    fn parse(extension: &Extension<'_>, bare: Option<u8>) -> Option<Self> {
        let mut params = Self::default();
        for Param { name, value } in extension.params() {
            let known = match (name, value) {
                (SERVER_NO_CONTEXT_TAKEOVER, None) => {
                    mem::replace(&mut params.server_no_context_takeover, true)
                }
                (CLIENT_NO_CONTEXT_TAKEOVER, None) => {
                    mem::replace(&mut params.client_no_context_takeover, true)
                }
                (SERVER_MAX_WINDOW_BITS, Some(value)) => {
                    let bits = window_bits(value)?;
                    params.server_max_window_bits.replace(bits).is_some()
                }
                (CLIENT_MAX_WINDOW_BITS, value) => {
                    let bits = value.map_or(bare, window_bits)?;
                    params.client_max_window_bits.replace(bits).is_some()
                }
                _ => return None,
            };
            if known {
                return None;
            }
        }
        Some(params)
    }

    /// Whether a server may answer `response` to this offer.
    fn allows(&self, response: &Self) -> bool {
        // What was asked of the server is in its response, or it has not accepted the offer.
        let server_bits = response.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS);
        (response.server_no_context_takeover || !self.server_no_context_takeover)
            && server_bits <= self.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS)
            && match (response.client_max_window_bits, self.client_max_window_bits) {
                (None, _) => true,
                (Some(bits), offered) => offered.is_some_and(|offered| bits <= offered),
            }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        if self.client_no_context_takeover {
            write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        match self.client_max_window_bits {
            None => Ok(()),
            Some(MAX_WINDOW_BITS) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            Some(bits) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
        }
    }
}

/// "a decimal integer value without leading zeroes between 8 to 15, inclusive"
fn window_bits(value: Value<'_>) -> Option<u8> {
    let mut chars = value.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some(digit @ b'8'..=b'9'), None, None) => Some(digit - b'0'),
        (Some(b'1'), Some(digit @ b'0'..=b'5'), None) => Some(10 + digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::handshake::extension::extensions;

    /// The extensions of a field, as far as they follow the grammar.
    fn parse(field: &str) -> impl Iterator<Item = Extension<'_>> {
        extensions(core::iter::once(field.as_bytes())).map_while(Result::ok)
    }

    fn response(options: &Deflate, offers: &str) -> Option<String> {
        accept(options, parse(offers)).map(|(_, response)| response)
    }

    fn confirmed(options: &Deflate, response: &str) -> Result<Agreement, InvalidResponse> {
        confirm(options, &parse(response).next().ok_or(InvalidResponse)?)
    }

    const BOTH_TAKEOVERS: Deflate = Deflate::new().send_takeover(true).receive_takeover(true);

    // req: N-01, N-06, N-07, N-09, N-10, N-11, N-12, N-13, N-14, N-27, N-28
    #[test]
    fn server_accepts_the_first_acceptable_offer() {
        for (offers, expected) in [
            ("permessage-deflate", ""),
            ("permessage-deflate; client_max_window_bits", ""),
            ("permessage-deflate; client_max_window_bits=10", ""),
            ("permessage-deflate ; client_max_window_bits = 10", ""),
            (
                "permessage-deflate; server_no_context_takeover",
                "; server_no_context_takeover",
            ),
            (
                "permessage-deflate; client_no_context_takeover",
                "; client_no_context_takeover",
            ),
            (
                "permessage-deflate; server_max_window_bits=9",
                "; server_max_window_bits=9",
            ),
            (
                "permessage-deflate; server_max_window_bits=\"1\\0\"",
                "; server_max_window_bits=10",
            ),
            (
                "permessage-deflate; server_max_window_bits=15",
                "; server_max_window_bits=15",
            ),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate",
                "",
            ),
            ("permessage-deflate; foo, permessage-deflate", ""),
            (
                "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=12, permessage-deflate",
                "; server_max_window_bits=12",
            ),
        ] {
            let expected = format!("permessage-deflate{expected}");
            assert_eq!(
                response(&BOTH_TAKEOVERS, offers),
                Some(expected),
                "{offers}"
            );
        }
    }

    // req: N-01, N-02, N-03, N-04, N-05, N-06
    #[test]
    fn server_declines_offers_it_cannot_keep_or_read() {
        for params in [
            "foo",
            "foo=1",
            "Server_no_context_takeover",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "server_max_window_bits=10; server_max_window_bits=10",
            "client_max_window_bits; client_max_window_bits",
            "client_max_window_bits=10; client_max_window_bits",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "client_no_context_takeover=\"\"",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=8",
            "server_max_window_bits=16",
            "server_max_window_bits=0",
            "server_max_window_bits=015",
            "server_max_window_bits=08",
            "server_max_window_bits=+9",
            "server_max_window_bits=9.0",
            "server_max_window_bits=1e1",
            "server_max_window_bits=99999999999999999999",
            "server_max_window_bits=-9",
            "server_max_window_bits=\"8 \"",
            "server_max_window_bits=\"9 \"",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=010",
            "client_max_window_bits=1",
            "client_max_window_bits=100",
        ] {
            let offer = format!("permessage-deflate; {params}");
            assert_eq!(response(&Deflate::new(), &offer), None, "{offer}");
        }
        for name in ["permessage-bzip2", "Permessage-Deflate", "deflate", ""] {
            assert_eq!(response(&Deflate::new(), name), None, "{name}");
        }
    }

    // req: N-07, N-08, N-09, N-10, N-12
    #[test]
    fn server_answers_by_its_own_options() {
        let small = BOTH_TAKEOVERS.send_window_bits(10).receive_window_bits(11);
        for (options, offer, expected) in [
            (
                Deflate::new(),
                "permessage-deflate; client_max_window_bits",
                "; server_no_context_takeover; client_no_context_takeover",
            ),
            (small, "permessage-deflate", "; server_max_window_bits=10"),
            (
                small,
                "permessage-deflate; client_max_window_bits; server_max_window_bits=9",
                "; server_max_window_bits=9; client_max_window_bits=11",
            ),
            (
                small,
                "permessage-deflate; client_max_window_bits=8; server_max_window_bits=12",
                "; server_max_window_bits=10; client_max_window_bits=8",
            ),
        ] {
            let expected = format!("permessage-deflate{expected}");
            assert_eq!(response(&options, offer), Some(expected), "{offer}");
        }
    }

    // req: N-31
    #[test]
    fn client_offers_by_its_options() {
        for (options, expected) in [
            (Deflate::new(), "; client_max_window_bits"),
            (BOTH_TAKEOVERS, "; client_max_window_bits"),
            (
                Deflate::new().receive_takeover(false),
                "; server_no_context_takeover; client_max_window_bits",
            ),
            (
                Deflate::new().send_window_bits(9).receive_window_bits(8),
                "; server_max_window_bits=8; client_max_window_bits=9",
            ),
        ] {
            assert_eq!(offer(&options), format!("permessage-deflate{expected}"));
        }
    }

    // req: N-20, N-21, N-23, N-24, N-25, N-27, D-32
    #[test]
    fn client_confirms_what_it_can_keep() {
        let agreement = |send_window_bits, send_takeover, receive_takeover| Agreement {
            send_window_bits,
            send_takeover,
            receive_takeover,
        };
        for (response, expected) in [
            ("", agreement(15, true, true)),
            ("; server_no_context_takeover", agreement(15, true, false)),
            ("; client_no_context_takeover", agreement(15, false, true)),
            ("; server_max_window_bits=8", agreement(15, true, true)),
            ("; server_max_window_bits=15", agreement(15, true, true)),
            ("; client_max_window_bits=8", agreement(8, true, true)),
            ("; client_max_window_bits=\"10\"", agreement(10, true, true)),
            (
                "; client_max_window_bits=15; server_max_window_bits=\"9\"; client_no_context_takeover; server_no_context_takeover",
                agreement(15, false, false),
            ),
        ] {
            let response = format!("permessage-deflate{response}");
            assert_eq!(
                confirmed(&BOTH_TAKEOVERS, &response),
                Ok(expected),
                "{response}"
            );
        }
        let ten = Deflate::new().send_window_bits(10).receive_window_bits(10);
        for response in [
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
        ] {
            assert_eq!(
                confirmed(&ten, response),
                Ok(agreement(10, false, true)),
                "{response}"
            );
        }
    }

    // req: N-16, N-17, N-18, N-19, N-21, N-22
    #[test]
    fn client_refuses_what_was_not_offered() {
        for params in [
            "foo",
            "client_max_window_bits=10; client_max_window_bits=10",
            "server_max_window_bits=10; server_max_window_bits=9",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "server_no_context_takeover=1",
            "client_max_window_bits",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=015",
            "client_max_window_bits=7",
            "client_max_window_bits=16",
            "client_max_window_bits=09",
        ] {
            let response = format!("permessage-deflate; {params}");
            let verdict = confirmed(&Deflate::new(), &response);
            assert_eq!(verdict, Err(InvalidResponse), "{response}");
        }
        let ten = Deflate::new().send_window_bits(10).receive_window_bits(10);
        let fresh = Deflate::new().receive_takeover(false);
        for (options, params) in [
            (ten, ""),
            (ten, "; server_max_window_bits=11"),
            (
                ten,
                "; server_max_window_bits=10; client_max_window_bits=11",
            ),
            (fresh, ""),
            (fresh, "; client_no_context_takeover"),
        ] {
            let response = format!("permessage-deflate{params}");
            let verdict = confirmed(&options, &response);
            assert_eq!(verdict, Err(InvalidResponse), "{response}");
        }
        let not_offered = Params::default();
        let bits = Params {
            client_max_window_bits: Some(15),
            ..Params::default()
        };
        assert!(!not_offered.allows(&bits));
    }

    /// Every choice that both ends can make.
    fn choices() -> impl Iterator<Item = Deflate> {
        let takeovers = [None, Some(false), Some(true)];
        let takeovers = takeovers.map(|receive| [(false, receive), (true, receive)]);
        takeovers.into_iter().flatten().flat_map(|(send, receive)| {
            let options = Deflate::new().send_takeover(send);
            let options = receive.map_or(options, |on| options.receive_takeover(on));
            (9..=15).flat_map(move |send| {
                (8..=15)
                    .map(move |receive| options.send_window_bits(send).receive_window_bits(receive))
            })
        })
    }

    #[test]
    fn both_ends_agree_on_the_same() {
        for client in choices() {
            let offer = offer(&client);
            for server in choices() {
                let Some((of_server, response)) = accept(&server, parse(&offer)) else {
                    assert_eq!(client.receive_window_bits, 8, "{offer}");
                    continue;
                };
                let of_client = confirmed(&client, &response).expect("it was accepted");
                assert_eq!(of_client.receive_takeover, of_server.send_takeover);
                // Either end may do without.
                assert!(of_server.receive_takeover || !of_client.send_takeover);
                assert!(of_server.send_window_bits <= client.receive_window_bits);
                assert!(of_client.send_window_bits <= server.receive_window_bits);
            }
        }
    }

    /// Other clients offer what ours never does.
    #[test]
    fn any_legal_offer_gets_a_legal_response() {
        let window = |name: &str, bits: u8| match bits {
            7 => String::new(),
            16 => format!("; {name}"),
            bits => format!("; {name}={bits}"),
        };
        for (server, client) in (7..=15).flat_map(|s| (7..=16).map(move |c| (s, c))) {
            for flags in 0..4 {
                let mut offer = String::from(NAME);
                offer += &window(SERVER_MAX_WINDOW_BITS, server);
                if flags & 1 != 0 {
                    offer += "; server_no_context_takeover";
                }
                offer += &window(CLIENT_MAX_WINDOW_BITS, client);
                if flags & 2 != 0 {
                    offer += "; client_no_context_takeover";
                }
                let offered = Params::of_offer(&parse(&offer).next().expect("one"));
                let offered = offered.expect("it is legal");
                for options in choices() {
                    let Some(response) = response(&options, &offer) else {
                        assert_eq!(server, 8, "{offer}");
                        continue;
                    };
                    let parsed = Params::of_response(&parse(&response).next().expect("one"));
                    let parsed = parsed.expect("it is legal");
                    assert!(offered.allows(&parsed), "{offer} -> {response}");
                }
            }
        }
    }
}
