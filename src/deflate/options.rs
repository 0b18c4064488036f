//! What the application wants of permessage-deflate.

use super::{MAX_WINDOW_BITS, MIN_SEND_WINDOW_BITS};

/// How messages are compressed, and what a peer may ask for: the extension permessage-deflate
/// ([RFC 7692](https://www.rfc-editor.org/rfc/rfc7692)).
///
/// # Memory
///
/// What a message is compressed or decompressed with is a state of fixed size:
///
/// | state | bytes |
/// |---|---|
/// | to decompress, whatever the window | 47 552 |
/// | to compress, window of 15 bits | 279 680 |
/// | to compress, window of 12 bits | 164 992 |
/// | to compress, window of 9 bits | 150 656 |
///
/// (A unit test holds this table against an allocator that counts.) Without *context takeover*, which is
/// the default for what is sent, a state is needed only for the time of one message: an idle connection
/// holds none. Each thread keeps up to four of either kind to use them again, and 64 KiB for what comes out:
/// many connections of one thread share these, but a thread that has one connection alone has one of each
/// for it. With context takeover the window outlives the message, which compresses small messages that
/// resemble each other much better, and every connection holds a state for each such direction from the
/// first compressed message to its end.
///
/// A message that does not become complete holds its state as long as it takes; see
/// [`Config::message_timeout`](crate::Config::message_timeout).
///
/// # Messages
///
/// [`Connection::set_compression`](crate::Connection::set_compression) switches compression off and on between
/// messages, and [`PreparedMessage::compress`](crate::PreparedMessage::compress) compresses one for many
/// connections.
///
/// # Limits
///
/// A peer that ends the deflate stream of a message by a final block (BFINAL, RFC 7692 section 7.2.3.4) has
/// to begin the next message without context, as all compressors do that are known to send such blocks.
///
/// # Security
///
/// Compressing a secret together with text that an attacker chooses tells the attacker about the
/// secret by the length of the message (CRIME, BREACH); with context takeover also across messages.
///
/// # Examples
///
/// ```
/// use framewire::Deflate;
///
/// // Many small messages that resemble each other, on few connections.
/// let deflate = Deflate::new().send_takeover(true).send_window_bits(12).threshold(32);
/// # let _ = deflate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(crate) level: u8,
    pub(crate) threshold: u32,
    pub(crate) send_takeover: bool,
    pub(crate) receive_takeover: Option<bool>,
    pub(crate) send_window_bits: u8,
    pub(crate) receive_window_bits: u8,
    pub(crate) max_takeovers: u32,
}

impl Deflate {
    /// The defaults, which stand at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: 1,
            threshold: 128,
            send_takeover: false,
            receive_takeover: None,
            send_window_bits: MAX_WINDOW_BITS,
            receive_window_bits: MAX_WINDOW_BITS,
            max_takeovers: 1024,
        }
    }

    /// How much work is spent on compressing, from 1, the least, to 9. 1 by default.
    ///
    /// It changes no memory. Bytes of a frame, and time to make it, for messages of JSON with numbers and words,
    /// each by itself (`cargo bench --bench deflate`):
    ///
    /// | message | level 1 | level 2 | level 6 | level 9 |
    /// |---|---|---|---|---|
    /// | 64 | 66 (plain), 1.8 µs | 66, 4.6 µs | 66, 4.7 µs | 66, 4.8 µs |
    /// | 128 | 125, 2.2 µs | 113, 6.7 µs | 113, 6.9 µs | 114, 7.2 µs |
    /// | 256 | 190, 2.7 µs | 167, 8.5 µs | 167, 8.9 µs | 167, 9.4 µs |
    /// | 1 Ki | 547, 4.8 µs | 438, 14 µs | 426, 16 µs | 424, 19 µs |
    /// | 4 Ki | 1 871, 14 µs | 1 388, 29 µs | 1 303, 43 µs | 1 288, 59 µs |
    /// | 16 Ki | 6 991, 47 µs | 5 039, 95 µs | 4 501, 226 µs | 4 471, 282 µs |
    /// | 64 Ki | 26 832, 190 µs | 19 393 | 16 447, 1 155 µs | 16 375 |
    ///
    /// Prose gets less small: of 128 bytes 117 are left at level 1 and 105 at level 6, of 1 KiB 726 and 544, of
    /// 4 KiB 2 315 and 1 704. To decompress 2 KiB of JSON takes 3 to 5 µs, and 64 KiB 100 µs, whatever the level.
    ///
    /// Level 1 is the default because it wins much of what can be won with a fraction of the work, and 128 the
    /// [`threshold`](Self::threshold) because that is where it begins to win anything. With
    /// [context takeover](Self::send_takeover) small messages win more: of 128 bytes 56 are left at level 1.
    ///
    /// # Panics
    ///
    /// If it is not in `1..=9`.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        assert!(1 <= level && level <= 9, "the level is in 1..=9");
        self.level = level;
        self
    }

    /// The least payload in bytes that is worth compressing: a smaller message is sent as it is, as is one that
    /// becomes no smaller (with [context takeover](Self::send_takeover) it may become some bytes longer, so that
    /// the next one can refer to it). 128 by default.
    ///
    /// A message that is [sent in parts](crate::Connection::start_message) is compressed in any case: nobody
    /// knows its size. Each part can be decompressed when it arrives, which costs some bytes for each.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = saturate(bytes);
        self
    }

    /// Whether messages may be compressed with reference to those before, if the peer agrees. Off by
    /// default.
    ///
    /// If on, the connection keeps its state to compress.
    #[must_use]
    pub const fn send_takeover(mut self, on: bool) -> Self {
        self.send_takeover = on;
        self
    }

    /// Whether the peer may compress with reference to its messages before.
    ///
    /// If it may, the connection keeps its state to decompress. By default a server forbids it
    /// (`client_no_context_takeover`), and a client leaves the choice to the server: to forbid it has
    /// to be asked for (`server_no_context_takeover`), and a server may refuse the whole extension
    /// for that.
    #[must_use]
    pub const fn receive_takeover(mut self, on: bool) -> Self {
        self.receive_takeover = Some(on);
        self
    }

    /// How far back a message may refer, as the base-2 logarithm of bytes. 15 by default; the peer
    /// may demand less.
    ///
    /// If the peer demands 8 of a server, its offer is declined, and a client does not compress then:
    /// no compressor here can keep to so small a window.
    ///
    /// # Panics
    ///
    /// If it is not in `9..=15`.
    #[must_use]
    pub const fn send_window_bits(mut self, bits: u8) -> Self {
        assert!(
            MIN_SEND_WINDOW_BITS <= bits && bits <= MAX_WINDOW_BITS,
            "the window to compress with has 9 to 15 bits"
        );
        self.send_window_bits = bits;
        self
    }

    /// How far back the peer's messages may refer, as the base-2 logarithm of bytes. 15 by default.
    ///
    /// It is what the peer is asked for and saves memory there alone: whatever was agreed, a message
    /// is decompressed with a window of 32 KiB.
    ///
    /// # Panics
    ///
    /// If it is not in `8..=15`.
    #[must_use]
    pub const fn receive_window_bits(mut self, bits: u8) -> Self {
        assert!(
            8 <= bits && bits <= MAX_WINDOW_BITS,
            "the window of a peer has 8 to 15 bits"
        );
        self.receive_window_bits = bits;
        self
    }

    /// How many connections of this process may compress with
    /// [context takeover](Self::send_takeover) at the same time: one more does without. 1024 by
    /// default, which bounds their states to 273 MiB.
    #[must_use]
    pub const fn max_takeovers(mut self, connections: usize) -> Self {
        self.max_takeovers = saturate(connections);
        self
    }
}

/// Kept in half the room: each connection has its options.
#[expect(clippy::cast_possible_truncation, reason = "it was compared")]
const fn saturate(number: usize) -> u32 {
    if number < u32::MAX as usize {
        number as u32
    } else {
        u32::MAX
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}
