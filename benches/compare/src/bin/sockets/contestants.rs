//! Who takes part, and in what.

use std::fmt;

use crate::wire::Wire;

/// A server, in one of its idioms.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    pub name: &'static str,
    pub idiom: Idiom,
    pub wire: Wire,
    /// Whether there is an opening handshake of its own to be measured.
    pub opens: bool,
    /// Whether it asks silent peers for signs of life by itself.
    pub keeps_alive: bool,
    /// Whether it is measured sending one message to many.
    pub broadcasts: bool,
}

/// How the library is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idiom {
    /// As its README does; where that has no server, its documentation or its examples.
    Readme,
    /// The fastest way that it documents or allows.
    Best,
}

impl Idiom {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readme => "readme",
            Self::Best => "best",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Readme, Self::Best]
            .into_iter()
            .find(|idiom| idiom.name() == name)
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.idiom.name())
    }
}

pub const FRAMEWIRE: &str = "framewire";
pub const FRAMEWIRE_OWNED: &str = "framewire, owned messages";
pub const FLOOR: &str = "floor";
pub const RAW: &str = "raw TCP";
pub const TUNGSTENITE: &str = "tokio-tungstenite";
pub const FASTWEBSOCKETS: &str = "fastwebsockets";
pub const TOKIO_WEBSOCKETS: &str = "tokio-websockets";
pub const YAWC: &str = "yawc";
pub const SOCKUDO: &str = "sockudo-ws";
pub const SOKETTO: &str = "soketto";
pub const WEB_SOCKET: &str = "web-socket";

/// All of them, each in all of its idioms.
pub const ALL: &[Contestant] = &[
    // Its README shows the best way.
    Contestant {
        keeps_alive: true,
        ..best(FRAMEWIRE)
    },
    // Messages that are handed over rather than lent: not what the README shows first.
    Contestant {
        broadcasts: false,
        ..readme(FRAMEWIRE_OWNED)
    },
    Contestant {
        broadcasts: false,
        ..best(FRAMEWIRE_OWNED)
    },
    best(FLOOR),
    // It knows neither frames nor handshakes: what is sent comes back.
    Contestant {
        wire: Wire::Raw,
        opens: false,
        broadcasts: false,
        ..best(RAW)
    },
    readme(TUNGSTENITE),
    best(TUNGSTENITE),
    readme(FASTWEBSOCKETS),
    best(FASTWEBSOCKETS),
    readme(TOKIO_WEBSOCKETS),
    best(TOKIO_WEBSOCKETS),
    readme(YAWC),
    best(YAWC),
    Contestant {
        keeps_alive: true,
        ..readme(SOCKUDO)
    },
    best(SOCKUDO),
    readme(SOKETTO),
    best(SOKETTO),
    // It leaves the handshake to its users.
    Contestant {
        opens: false,
        ..readme(WEB_SOCKET)
    },
    Contestant {
        opens: false,
        ..best(WEB_SOCKET)
    },
];

const fn readme(name: &'static str) -> Contestant {
    Contestant {
        idiom: Idiom::Readme,
        ..best(name)
    }
}

const fn best(name: &'static str) -> Contestant {
    Contestant {
        name,
        idiom: Idiom::Best,
        wire: Wire::WebSocket,
        opens: true,
        keeps_alive: false,
        broadcasts: true,
    }
}
