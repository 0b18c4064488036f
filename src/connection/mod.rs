//! The connection after its opening handshake: one state machine for both roles.
//!
//! The parts follow RFC 6455: [`receive`] and `frames` turn bytes into messages (sections 5 and 6.2),
//! `send` turns messages into bytes (section 6.1), `closing` knows how a connection ends
//! (section 7), `clock` keeps the deadlines. All of them are `impl` blocks of [`Connection`].

mod clock;
mod closing;
mod control;
mod frames;
mod inflate;
mod located;
mod receive;
mod send;
mod settings;

use alloc::boxed::Box;
use core::fmt;

use crate::{
    Config, MessageKind, ProtocolError, Role, SendBuf, Stats, deflate::Codec, frame::MaskingKey,
    rng::Rng, utf8,
};
use clock::Clock;
use closing::Closing;
pub use closing::{Closed, ClosedBy, State};
use control::OtherFrames;
use inflate::Compression;
use located::Located;
use settings::Settings;

/// One WebSocket connection, without I/O: bytes go in, events come out, commands queue bytes.
///
/// It owns nothing of the peer's. Input lies in a [`RecvBuf`](crate::RecvBuf) that is lent to
/// [`receive`](Self::receive); output waits in [`send_buf`](Self::send_buf) until it is written.
/// The order of verbs is always *receive, clock, send, wait*; the [crate documentation](crate)
/// shows the loop.
///
/// An open connection of a server that waits for input owns no heap memory but the name of its
/// subprotocol, once [`SendBuf::release`] has been called, and 64 bytes once there were pings, pongs or
/// fragments. A client owns the generator of its masking
/// keys. One with a keepalive, a limit on pings or on the time of a message owns 144 bytes more. One that
/// has agreed on compression owns 312 bytes more, and what `Deflate` tells.
pub struct Connection {
    // What every received message needs comes first.
    phase: Phase,
    role: Role,
    /// Whether the configuration allows [`Phase::Idle`].
    short_frames: bool,
    /// What [`Connection::wants_read`] found and `receive` has not taken yet; whether it is a part of a
    /// message, which `receive` must not take for a whole one; and the phase to go on with.
    found: Option<Located>,
    found_is_part: bool,
    phase_after_found: Phase,
    /// Which buffer was lent last, and whether something was left in it.
    rx_id: usize,
    left: usize,
    stats: Counters,

    message: Incoming,
    /// Whether a message may be queued: open, and no message is being sent in parts.
    may_send: bool,
    tx: SendBuf,
    rng: Option<Rng>,
    /// If there were any.
    others: Option<Box<OtherFrames>>,
    outgoing: Option<Outgoing>,
    /// If permessage-deflate was agreed on.
    deflate: Option<Box<Compression>>,

    closing: Closing,
    clock: Clock,
    config: Settings,
    /// Boxed once more, because most connections have none, and a `Box<str>` is two words.
    subprotocol: Option<Box<Box<str>>>,
}

/// Where in its input the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Open, between two messages, and nothing keeps a short frame from the shortest path.
    Idle,
    /// Before the header of a frame.
    Header,
    /// In the payload of a data frame.
    Payload,
    /// Behind a Close frame, a failure or the end of the transport: input is discarded.
    Discard,
}

/// The message that is being received.
#[derive(Debug)]
struct Incoming {
    /// `None` between two messages.
    kind: Option<MessageKind>,
    /// Whether its parts are handed out as they arrive.
    streaming: bool,
    /// Of the frame in progress: its FIN bit, its size with its header, its missing payload bytes,
    /// and the key as it applies to the next of them.
    fin: bool,
    frame_size: u64,
    frame_left: u64,
    key: MaskingKey,
    /// Payload bytes that the headers so far announced.
    len: u64,
    fragments: u32,
    utf8: utf8::Incremental,
}

/// The message that is being sent in parts.
#[derive(Clone, Copy, Debug)]
struct Outgoing {
    kind: MessageKind,
    /// Whether a frame of it has been queued.
    begun: bool,
    compressed: bool,
    utf8: utf8::Incremental,
}

/// The counters behind [`Stats`]: what is counted for every message is counted once, and what is not for
/// every message in [`OtherFrames`].
#[derive(Debug, Default)]
struct Counters {
    messages_received: u64,
    bytes_received: u64,
    messages_sent: u64,
}

impl Connection {
    /// Makes the server's end of a connection whose opening handshake is done.
    ///
    /// [`server::Handshake`](crate::server::Handshake) makes one itself. This is for handshakes
    /// that happened elsewhere: in a web framework, or over HTTP/2 (RFC 8441).
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::new(Role::Server, config, None)
    }

    /// Makes the client's end of a connection whose opening handshake is done.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bytes to give, which masking needs
    /// (RFC 6455 section 10.3).
    #[cfg(feature = "std")]
    #[must_use]
    pub fn client(config: Config) -> Self {
        Self::client_with_seed(config, crate::rng::system_seed())
    }

    /// Makes the client's end with a given seed for its masking keys.
    ///
    /// For targets without an operating system and for tests. The seed must be random, secret and
    /// fresh: who knows it can choose what bytes appear on the wire (RFC 6455 section 10.3).
    #[must_use]
    pub fn client_with_seed(config: Config, seed: [u8; 32]) -> Self {
        Self::new(Role::Client, config, Some(Rng::from_seed(seed)))
    }

    fn new(role: Role, config: Config, rng: Option<Rng>) -> Self {
        let (clock, config) = (Clock::new(&config), Settings::new(&config));
        let mut connection = Self {
            phase: Phase::Header,
            role,
            short_frames: config.allows_short_frames() && !clock.limits_pings(),
            found: None,
            found_is_part: false,
            phase_after_found: Phase::Header,
            rx_id: 0,
            left: 0,
            stats: Counters::default(),
            message: Incoming {
                kind: None,
                streaming: false,
                fin: false,
                frame_size: 0,
                frame_left: 0,
                key: MaskingKey::new([0; 4]),
                len: 0,
                fragments: 0,
                utf8: utf8::Incremental::default(),
            },
            may_send: true,
            tx: SendBuf::new(),
            rng,
            others: None,
            outgoing: None,
            deflate: None,
            closing: Closing::default(),
            clock,
            config,
            subprotocol: None,
        };
        connection.phase = connection.phase_between_frames();
        connection
    }

    /// Makes the end of a connection whose opening handshake is done, for that handshake: what it has
    /// queued goes in front of everything that will be sent, and it may have a generator already.
    pub(crate) fn opened(
        role: Role,
        config: Config,
        rng: Option<Rng>,
        tx: SendBuf,
        subprotocol: Option<&str>,
        deflate: Option<Codec>,
    ) -> Self {
        let mut connection = Self::new(role, config, rng);
        connection.deflate = deflate.map(Compression::new).map(Box::new);
        connection.tx = tx;
        connection.tx.begin_frames();
        connection.subprotocol = subprotocol.map(|name| Box::new(Box::from(name)));
        connection
    }

    /// Which end this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The subprotocol that the opening handshake agreed on (RFC 6455 section 1.9).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_ref().map(|name| &***name)
    }

    /// Whether the opening handshake agreed on permessage-deflate (RFC 7692), so that messages may come and go
    /// compressed. A server may still have demanded of a client what no compressor here can keep to, see
    /// `Deflate::send_window_bits`: then they only come.
    #[must_use]
    pub fn can_compress(&self) -> bool {
        self.deflate.is_some()
    }

    /// Whether messages are compressed from the next one on, where they can be and it makes them smaller.
    /// They are, until this is called: switch it off for what is compressed already, such as pictures,
    /// and for secrets next to which a stranger can put words (the length of a compressed message tells
    /// whether they are alike).
    pub fn set_compression(&mut self, on: bool) {
        if let Some(deflate) = &mut self.deflate {
            deflate.codec.switch(on);
        }
    }

    /// The bytes to write. Look again after every [`receive`](Self::receive),
    /// [`handle_timeout`](Self::handle_timeout) and command: each can queue some.
    #[inline]
    pub fn send_buf(&mut self) -> &mut SendBuf {
        self.place_waiting_pong();
        &mut self.tx
    }

    /// Changes [`Config::max_message_size`] and [`Config::max_frame_size`], for instance after the
    /// peer has authenticated itself. Holds from the next frame on.
    pub fn set_max_message_size(&mut self, bytes: usize) {
        self.config.max_message_size = bytes;
        self.config.max_frame_size = bytes;
        self.short_frames = self.config.allows_short_frames() && !self.clock.limits_pings();
        let between = self.phase_between_frames();
        let phase = if self.found.is_some() {
            &mut self.phase_after_found
        } else {
            &mut self.phase
        };
        if *phase == Phase::Idle || *phase == Phase::Header {
            *phase = between;
        }
    }

    /// What the connection has seen so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (counters, others) = (&self.stats, self.others.as_deref());
        Stats {
            frames_received: counters.messages_received + others.map_or(0, OtherFrames::received),
            messages_received: counters.messages_received,
            bytes_received: counters.bytes_received,
            pings_received: self.pings_received(),
            pongs_received: others.map_or(0, |others| others.pongs_received),
            frames_sent: counters.messages_sent + others.map_or(0, |others| others.sent),
            messages_sent: counters.messages_sent,
            bytes_sent: self.tx.queued().unsigned_abs(),
            pings_sent: self.pings_sent(),
            round_trip_time: self.clock.round_trip_time(),
            close_code_sent: self.closing.sent(),
            close_code_received: self.closing.received(),
        }
    }

    /// The failure that ended the connection, if the peer broke a rule. It was reported as
    /// [`Event::Failed`](crate::Event::Failed) as well.
    #[must_use]
    pub fn failure(&self) -> Option<ProtocolError> {
        self.closing.failure()
    }

    /// The phase between two frames.
    fn phase_between_frames(&self) -> Phase {
        if self.short_frames && self.message.kind.is_none() && self.closing.is_open() {
            Phase::Idle
        } else {
            Phase::Header
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("state", &self.state())
            .field("send_buf", &self.tx)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn connection_stays_small() {
        // A server with many idle connections pays for every byte. What only some of them need
        // belongs into a box.
        const { assert!(size_of::<Connection>() <= 264) }
    }
}
