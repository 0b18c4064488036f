//! The limits and time-outs of a connection: what a peer can make grow, and for how long.

use core::time::Duration;

use crate::deflate::Deflate;

/// Which end of the connection this is.
///
/// The role decides who masks (RFC 6455 section 5.1), who closes the transport first
/// (section 7.1.1) and who may send the close code 1010.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 knows two ends and no third"
)]
pub enum Role {
    /// The end that sent the opening handshake's request. It masks what it sends.
    Client,
    /// The end that accepted the request. It never masks.
    Server,
}

/// The kinds of messages that an endpoint accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Accepts {
    /// Text and binary messages.
    #[default]
    Both,
    /// Text alone: a binary message fails the connection with 1003.
    Text,
    /// Binary alone: a text message fails the connection with 1003.
    Binary,
}

/// When to ask a silent peer for a sign of life (RFC 6455 section 5.5.2).
///
/// Any received byte is a sign of life. A peer that sent nothing for `interval` gets a ping; one
/// that sends nothing for another `timeout` after the ping was written is gone:
/// [`TimedOut::Keepalive`](crate::TimedOut::Keepalive), and the close code is 1006.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "two figures, meant to be written out"
)]
pub struct Keepalive {
    /// How long the peer may be silent before it is pinged.
    pub interval: Duration,
    /// How long it may stay silent after that ping.
    pub timeout: Duration,
}

impl Default for Keepalive {
    /// 25 s and 20 s: below the 60 s after which proxies commonly drop a silent connection.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(25),
            timeout: Duration::from_secs(20),
        }
    }
}

/// The limits and time-outs of a [`Connection`](crate::Connection).
///
/// Every limit on memory is finite by default; on the rate of pings and on the time a message takes
/// there is none. Zero is a limit of zero, never "unlimited"; `usize::MAX` is
/// as good as no limit. Time-outs are kept in whole milliseconds (rounded up, at most 49 days) and
/// take effect in [`handle_timeout`](crate::Connection::handle_timeout).
///
/// # Examples
///
/// ```
/// use framewire::{Config, Keepalive};
///
/// let config = Config::new().max_message_size(64 * 1024).keepalive(Keepalive::default());
/// assert_eq!(config, Config::new().keepalive(Keepalive::default()).max_message_size(65_536));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) max_message_size: usize,
    pub(crate) max_frame_size: usize,
    pub(crate) max_fragments: u32,
    pub(crate) max_pings_per_second: u32,
    pub(crate) max_queued: usize,
    pub(crate) close_timeout: Millis,
    pub(crate) write_timeout: Millis,
    pub(crate) message_timeout: Millis,
    pub(crate) keepalive_interval: Millis,
    pub(crate) keepalive_timeout: Millis,
    pub(crate) accepts: Accepts,
    pub(crate) auto_pong: bool,
    pub(crate) receive_while_closing: bool,
    pub(crate) deflate: Option<Deflate>,
}

impl Config {
    /// The defaults, which stand at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_message_size: 16 << 20,
            max_frame_size: 16 << 20,
            max_fragments: 131_072,
            max_pings_per_second: u32::MAX,
            max_queued: 1 << 20,
            close_timeout: Millis(10_000),
            write_timeout: Millis(30_000),
            message_timeout: Millis::NEVER,
            keepalive_interval: Millis::NEVER,
            keepalive_timeout: Millis::NEVER,
            accepts: Accepts::Both,
            auto_pong: true,
            receive_while_closing: true,
            deflate: None,
        }
    }

    /// The largest message in bytes, over all its fragments, inclusive. 16 MiB by default.
    ///
    /// A larger one fails the connection with 1009, at the header of the frame that would cross
    /// the limit. Of a compressed message counts what it is decompressed to, while that happens; on the
    /// wire it may be longer by an eighth, 64 bytes, and 16 for each frame.
    ///
    /// With [`receive_part`](crate::Connection::receive_part), which joins nothing, `usize::MAX` lifts
    /// the limit altogether.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// The largest payload of one frame in bytes, inclusive. 16 MiB by default; a larger one fails
    /// the connection with 1009 at its header. Of a compressed message it is the payload on the wire, with
    /// as much more as there.
    #[must_use]
    pub const fn max_frame_size(mut self, bytes: usize) -> Self {
        self.max_frame_size = bytes;
        self
    }

    /// The most frames that one message may come in, empty ones included. 131 072 by default; one
    /// more fails the connection with 1008.
    #[must_use]
    pub const fn max_fragments(mut self, frames: u32) -> Self {
        self.max_fragments = frames;
        self
    }

    /// The most pings a peer may send in a second; more fail the connection with 1008. No limit by
    /// default: an answer costs nothing that is not bounded otherwise.
    ///
    /// The seconds are those of [`handle_timeout`](crate::Connection::handle_timeout): a caller
    /// that never tells the time gives the peer this many pings in all, and one that is busy for
    /// longer than a second should tell it before it receives.
    #[must_use]
    pub const fn max_pings_per_second(mut self, pings: u32) -> Self {
        self.max_pings_per_second = pings;
        self
    }

    /// How many unsent bytes may be queued before a message is refused with
    /// [`SendError::BufferFull`](crate::SendError::BufferFull). 1 MiB by default.
    ///
    /// The test is made before a message is queued, so that a message of any size passes an empty
    /// queue: the peak is this bound and one message. Close frames and the connection's own answers
    /// to pings are never refused; the latter have a bound of their own, 4 KiB.
    #[must_use]
    pub const fn max_queued(mut self, bytes: usize) -> Self {
        self.max_queued = bytes;
        self
    }

    /// How long the closing handshake may take from the first Close frame to the end of the
    /// transport. 10 s by default.
    #[must_use]
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = Millis::from_duration(timeout);
        self
    }

    /// How long queued bytes may wait without a single one being taken. 30 s by default.
    #[must_use]
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = Millis::from_duration(timeout);
        self
    }

    /// How long one message may take from its first frame to its last; a slower one fails the
    /// connection with 1008. No limit by default.
    ///
    /// Since it is the clock that finds it, the event comes with the next call of `receive`; a loop
    /// that ends before has it from [`failure`](crate::Connection::failure).
    #[must_use]
    pub const fn message_timeout(mut self, timeout: Duration) -> Self {
        self.message_timeout = Millis::from_duration(timeout);
        self
    }

    /// Offers and accepts permessage-deflate (RFC 7692): messages are compressed if the peer can do so as
    /// well. Off by default. It is for the opening handshakes of this crate; [`Deflate`] tells what it costs.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{Config, Deflate, client, server};
    ///
    /// let connection = Config::new().deflate(Deflate::new());
    /// let accepting = server::Config::new().connection(connection);
    /// let connecting = client::Config::new().connection(connection);
    /// # let request = client::Request::new("ws://h/")?;
    /// # let mut handshake = client::Handshake::new(&request, &connecting);
    /// # let mut bytes = Vec::new();
    /// # while !handshake.send_buf().is_empty() { handshake.send_buf().write_to(&mut bytes)?; }
    /// # let mut rx = framewire::RecvBuf::new();
    /// # rx.extend_from_slice(&bytes);
    /// # let opening = server::Handshake::new(&accepting).receive(&mut rx);
    /// # let Some(server::Opening::Upgrade(request)) = opening else { panic!("{opening:?}") };
    /// let conn = request.upgrade(); // of a client that offers compression
    /// assert!(conn.can_compress());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub const fn deflate(mut self, deflate: Deflate) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// Switches pings to a silent peer on. Off by default.
    #[must_use]
    pub const fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive_interval = Millis::from_duration(keepalive.interval);
        self.keepalive_timeout = Millis::from_duration(keepalive.timeout);
        self
    }

    /// The kinds of messages that are accepted; another kind fails the connection with 1003. Both
    /// by default.
    #[must_use]
    pub const fn accepts(mut self, kinds: Accepts) -> Self {
        self.accepts = kinds;
        self
    }

    /// Whether pings are answered by the connection itself, which is the default. If not,
    /// answering is up to the caller, with [`send_pong`](crate::Connection::send_pong).
    #[must_use]
    pub const fn auto_pong(mut self, on: bool) -> Self {
        self.auto_pong = on;
        self
    }

    /// Whether messages that arrive between our Close frame and the peer's are delivered, which is
    /// the default, or dropped. Dropped or not, they have to keep the rules.
    #[must_use]
    pub const fn receive_while_closing(mut self, on: bool) -> Self {
        self.receive_while_closing = on;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// A time-out in whole milliseconds: a quarter of a `Duration`, for every connection holds five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Millis(u32);

impl Millis {
    pub(crate) const NEVER: Self = Self(u32::MAX);

    #[expect(
        clippy::cast_possible_truncation,
        reason = "compared with u32::MAX before"
    )]
    pub(crate) const fn from_duration(duration: Duration) -> Self {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        // The largest value means "never": the longest time-out is one millisecond below it.
        if millis < u32::MAX as u128 {
            Self(millis as u32)
        } else {
            Self(u32::MAX - 1)
        }
    }

    /// `None`: never.
    pub(crate) const fn get(self) -> Option<Duration> {
        if self.0 == u32::MAX {
            None
        } else {
            Some(Duration::from_millis(self.0 as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_rounded_up_to_milliseconds() {
        let millis = |duration| Millis::from_duration(duration).get();
        assert_eq!(millis(Duration::ZERO), Some(Duration::ZERO));
        assert_eq!(
            millis(Duration::from_micros(1)),
            Some(Duration::from_millis(1))
        );
        assert_eq!(
            millis(Duration::from_millis(1500)),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            millis(Duration::MAX),
            Some(Duration::from_millis(u64::from(u32::MAX - 1)))
        );
        assert_eq!(Millis::NEVER.get(), None);
    }
}
