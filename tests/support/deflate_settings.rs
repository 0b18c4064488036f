//! Any options of ours, against any demands of a peer, and what comes of the two.

use framewire::{Config, Connection, Deflate, Role};
use proptest::{option, prelude::*};

use super::support::deflate::agreed;

/// What both ends have agreed on about the messages of one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direction {
    pub(crate) role: Role,
    pub(crate) takeover: bool,
    /// 8 of a client stands for no compression.
    pub(crate) window_bits: u8,
}

/// What an endpoint of ours is told to do, and what its peer demands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) options: Deflate,
    pub(crate) threshold: usize,
    pub(crate) send_takeover: bool,
    pub(crate) window_bits: u8,
    /// The largest window the peer can inflate with. A server declines 8.
    pub(crate) demanded: Option<u8>,
    pub(crate) peer_forbids_takeover: bool,
}

impl Settings {
    pub(crate) fn connect(self, role: Role) -> (Connection, Direction) {
        let (takeover, bits) = match role {
            Role::Client => ("client_no_context_takeover", "client_max_window_bits"),
            Role::Server => ("server_no_context_takeover", "server_max_window_bits"),
        };
        // An answer must not exceed what was offered; and 8 is for clients.
        let demanded = self.demanded.map(|demanded| match role {
            Role::Client => demanded.min(self.window_bits),
            Role::Server => demanded.max(9),
        });
        let mut params = String::new();
        if self.peer_forbids_takeover {
            params += &format!("; {takeover}");
        }
        if let Some(demanded) = demanded {
            params += &format!("; {bits}={demanded}");
        }
        let conn = agreed(
            role,
            &params,
            Config::new().max_queued(usize::MAX).deflate(self.options),
        );
        let direction = Direction {
            role,
            takeover: self.send_takeover && !self.peer_forbids_takeover,
            window_bits: self.window_bits.min(demanded.unwrap_or(15)),
        };
        (conn, direction)
    }
}

pub(crate) fn any_settings() -> impl Strategy<Value = Settings> {
    let level = prop::sample::select(vec![1, 6, 9]);
    let threshold = prop::sample::select(vec![0, 128, 10_000]);
    let demanded = option::weighted(0.4, 8_u8..=15);
    (
        level,
        threshold,
        any::<bool>(),
        9_u8..=15,
        demanded,
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(level, threshold, send_takeover, window_bits, demanded, peer_forbids_takeover)| {
                let options = Deflate::new().level(level).threshold(threshold);
                Settings {
                    options: options
                        .send_takeover(send_takeover)
                        .send_window_bits(window_bits),
                    threshold,
                    send_takeover,
                    window_bits,
                    demanded,
                    peer_forbids_takeover,
                }
            },
        )
}

pub(crate) fn any_options() -> impl Strategy<Value = (Deflate, usize)> {
    let level = prop::sample::select(vec![1, 6, 9]);
    let threshold = prop::sample::select(vec![0, 128, 10_000]);
    let receive = option::of(any::<bool>());
    (
        level,
        threshold,
        any::<bool>(),
        receive,
        9_u8..=15,
        8_u8..=15,
    )
        .prop_map(
            |(level, threshold, send, receive, send_bits, receive_bits)| {
                let mut options = Deflate::new().level(level).threshold(threshold);
                options = options.send_takeover(send).send_window_bits(send_bits);
                options = options.receive_window_bits(receive_bits);
                if let Some(receive) = receive {
                    options = options.receive_takeover(receive);
                }
                (options, threshold)
            },
        )
}

/// What this answer of the server says about the messages of either end.
pub(crate) fn direction(answer: &str, role: Role) -> Direction {
    let end = match role {
        Role::Client => "client",
        Role::Server => "server",
    };
    let bits = answer.split(&format!("{end}_max_window_bits=")).nth(1);
    let bits = bits.map(|rest| rest.split(';').next().expect("there is always one"));
    Direction {
        role,
        takeover: !answer.contains(&format!("{end}_no_context_takeover")),
        window_bits: bits.map_or(15, |bits| bits.parse().expect("a number")),
    }
}
