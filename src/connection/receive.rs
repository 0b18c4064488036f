//! Receiving (RFC 6455 section 6.2): the calls of the application, and the shortest path.
//!
//! Nearly every message of a real connection is one short frame that lies in the buffer completely.
//! For those, one lookup of the first byte decides opcode, FIN and reserved bits, one compare of
//! the second decides mask and length, and the payload is unmasked inline. Everything else (longer
//! frames, fragments, split frames, errors) takes the out-of-line steps of `frames`.
//!
//! What crosses that boundary is [`Located`], two words that travel in registers. With anything
//! larger, a struct with a one-byte tag say, the caller reads by wide loads what was just written
//! by narrow stores: a failed store forward on every message, which costs more than the rest of it.

use super::{
    Connection, Phase,
    located::{Kind, Located},
};
use crate::{
    CloseFrame, Event, PartEvent, ProtocolError, RecvBuf, Role,
    frame::{MaskingKey, unmask_short},
    utf8,
};

/// What a frame is whose first byte is the index, if it is a complete message or a ping or pong;
/// everything that needs a closer look is [`Short::No`].
static SHORT: [Short; 256] = {
    let mut table = [Short::No; 256];
    table[0x81] = Short::Text;
    table[0x82] = Short::Binary;
    table[0x89] = Short::Ping;
    table[0x8a] = Short::Pong;
    table
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Short {
    No,
    Text,
    Binary,
    Ping,
    Pong,
}

impl Connection {
    /// Takes the next event out of `rx`, or `None` if more input is needed for one.
    ///
    /// Call it until it says `None`, then fill `rx` and call again. It never fails: what the peer
    /// does wrong is the event [`Failed`](Event::Failed), after which it says `None` for ever, as
    /// it does after [`Close`](Event::Close).
    ///
    /// # Cost
    ///
    /// A message in one frame is handed out where it lies: no copy, no allocation. Fragments of a
    /// binary message are moved together in place; text that comes in pieces is copied once. A compressed
    /// message is decompressed into storage of the buffer.
    ///
    /// # Panics
    ///
    /// If `rx` is not the buffer that holds the rest of the input, and if it is called in the middle
    /// of a message that [`receive_part`](Self::receive_part) began.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{Config, Connection, Event, RecvBuf};
    ///
    /// let mut conn = Connection::server(Config::new());
    /// let mut rx = RecvBuf::new();
    /// rx.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    /// assert_eq!(conn.receive(&mut rx), Some(Event::Text("Hello")));
    /// assert_eq!(conn.receive(&mut rx), None);
    /// ```
    #[inline]
    pub fn receive<'b>(&mut self, rx: &'b mut RecvBuf) -> Option<Event<'b>> {
        self.check_buffer(rx);
        if self.phase == Phase::Idle
            && let Some((kind, header, len)) = self.short_frame(rx.undecoded())
        {
            return Some(self.short_event(rx, kind, header, len));
        }
        let located = self.step(rx, false)?;
        Some(self.event(rx, located))
    }

    /// As [`receive`](Self::receive), but hands the parts of a message out as they arrive.
    ///
    /// Nothing is joined, so that the memory a message takes does not depend on its size. Limits
    /// and UTF-8 are checked as usual: what is wrong with a message shows after its first parts
    /// have been delivered.
    ///
    /// # Panics
    ///
    /// As `receive`; and if it is called in the middle of a message that `receive` has begun to
    /// join.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{Config, Connection, PartEvent, RecvBuf};
    ///
    /// let mut conn = Connection::client(Config::new().max_message_size(usize::MAX));
    /// let mut rx = RecvBuf::new();
    /// rx.extend_from_slice(b"\x02\x05Hel"); // the first frame, incomplete
    /// assert_eq!(
    ///     conn.receive_part(&mut rx),
    ///     Some(PartEvent::Binary { part: b"Hel", last: false })
    /// );
    /// rx.extend_from_slice(b"lo\x80\x01!");
    /// assert_eq!(conn.receive_part(&mut rx), Some(PartEvent::Binary { part: b"lo", last: false }));
    /// assert_eq!(conn.receive_part(&mut rx), Some(PartEvent::Binary { part: b"!", last: true }));
    /// ```
    pub fn receive_part<'b>(&mut self, rx: &'b mut RecvBuf) -> Option<PartEvent<'b>> {
        self.check_buffer(rx);
        let located = self.step(rx, true)?;
        let last = self.message.kind.is_none();
        Some(match self.event(rx, located) {
            Event::Text(part) => PartEvent::Text { part, last },
            Event::Binary(part) => PartEvent::Binary { part, last },
            Event::Ping(payload) => PartEvent::Ping(payload),
            Event::Pong(payload) => PartEvent::Pong(payload),
            Event::Close(frame) => PartEvent::Close(frame),
            Event::Failed(error) => PartEvent::Failed(error),
        })
    }

    /// Whether `rx` holds no event, so that it takes more input to get one.
    ///
    /// For adapters that return an event from a loop around reading: the borrow checker forbids
    /// returning from such a loop what `receive` lends. Ask this in the loop, `receive` behind it,
    /// with nothing between them: a command that ends the connection, the end of the transport or a
    /// passed deadline drops an event that was found and not taken.
    ///
    /// # Panics
    ///
    /// As [`receive`](Self::receive).
    #[inline]
    pub fn wants_read(&mut self, rx: &mut RecvBuf) -> bool {
        self.check_buffer(rx);
        if self.phase == Phase::Idle {
            let bytes = rx.undecoded();
            if bytes.is_empty() {
                return true;
            }
            if self.short_frame(bytes).is_some() {
                self.left = bytes.len();
                return false;
            }
        }
        self.found.is_none() && self.find(rx, false)
    }

    /// As [`wants_read`](Self::wants_read), for [`receive_part`](Self::receive_part).
    ///
    /// # Panics
    ///
    /// As [`receive_part`](Self::receive_part).
    pub fn wants_read_part(&mut self, rx: &mut RecvBuf) -> bool {
        self.check_buffer(rx);
        self.found.is_none() && self.find(rx, true)
    }

    /// Looks for an event and keeps it; `true` if there is none.
    #[inline(never)]
    fn find(&mut self, rx: &mut RecvBuf, streaming: bool) -> bool {
        match self.step(rx, streaming) {
            None => true,
            Some(located) => {
                let is_data = matches!(located.kind(), Kind::Text | Kind::Binary | Kind::Inflated);
                self.keep_found(located, streaming && is_data, self.phase);
                // Not `Idle`, so that the next call comes by and takes what was found; and what was
                // found lies in this buffer.
                self.phase = Phase::Header;
                self.left = usize::MAX;
                rx.set_announced(true);
                false
            }
        }
    }

    /// Takes an empty buffer for the one that it was lent last, so that an adapter can lend it another one
    /// each time.
    #[cfg(feature = "nonblocking")]
    pub(crate) fn adopt(&self, rx: &mut RecvBuf) {
        debug_assert!(self.left == 0, "the rest of its input is in the last one");
        if self.rx_id != 0 {
            rx.set_id(self.rx_id);
        }
    }

    /// Notices when another buffer is passed although this connection's input is in the last one.
    #[inline]
    fn check_buffer(&mut self, rx: &mut RecvBuf) {
        if self.rx_id != rx.id() {
            self.change_buffer(rx);
        }
    }

    #[cold]
    fn change_buffer(&mut self, rx: &mut RecvBuf) {
        assert!(
            self.left == 0,
            "the rest of this connection's input is in another RecvBuf: pass that one"
        );
        rx.change_owner();
        self.rx_id = rx.id();
    }

    /// The kind, the header's and the payload's length of a short frame that is there completely.
    #[inline]
    fn short_frame(&self, bytes: &[u8]) -> Option<(Short, usize, usize)> {
        let [first, second, ..] = *bytes else {
            return None;
        };
        let kind = SHORT[usize::from(first)];
        // With the wrong mask bit the length comes out as 128 and more.
        let (header, len) = match self.role {
            Role::Server => (6, usize::from(second ^ 0x80)),
            Role::Client => (2, usize::from(second)),
        };
        let short = kind != Short::No && len < 126 && header + len <= bytes.len();
        short.then_some((kind, header, len))
    }

    #[inline]
    fn short_event<'b>(
        &mut self,
        rx: &'b mut RecvBuf,
        kind: Short,
        header: usize,
        len: usize,
    ) -> Event<'b> {
        let (frame, left) = rx.take(header + len);
        self.left = left;
        self.stats.bytes_received += (header + len) as u64;
        let (head, payload) = frame.split_at_mut(header);
        if let Some(key) = head[2..].first_chunk() {
            unmask_short(payload, MaskingKey::new(*key));
        }
        // The commonest first: cheaper than a jump table as long as it is predicted.
        if kind == Short::Binary {
            self.stats.messages_received += 1;
            return Event::Binary(payload);
        }
        if kind == Short::Text {
            return match utf8::validate(payload) {
                Some(text) => {
                    self.stats.messages_received += 1;
                    Event::Text(text)
                }
                None => {
                    self.stats.bytes_received -= (header + len) as u64;
                    self.fail_for(ProtocolError::InvalidUtf8);
                    Event::Failed(ProtocolError::InvalidUtf8)
                }
            };
        }
        if kind == Short::Ping {
            self.ping_received(payload);
            return Event::Ping(payload);
        }
        self.pong_received(payload);
        Event::Pong(payload)
    }

    /// The event of what a step has found.
    #[inline]
    fn event<'b>(&mut self, rx: &'b RecvBuf, located: Located) -> Event<'b> {
        match located.kind() {
            Kind::Binary => Event::Binary(rx.at(located.range())),
            Kind::Text => Event::Text(rx.text()),
            Kind::Inflated => Event::Binary(rx.inflated()),
            Kind::UncheckedText => match utf8::validate(rx.at(located.range())) {
                Some(text) => Event::Text(text),
                None => {
                    self.uncount_message();
                    self.fail_for(ProtocolError::InvalidUtf8);
                    Event::Failed(ProtocolError::InvalidUtf8)
                }
            },
            Kind::Ping => Event::Ping(rx.at(located.range())),
            Kind::Pong => Event::Pong(rx.at(located.range())),
            // Was valid when it was found, a moment ago.
            Kind::Close => {
                Event::Close(CloseFrame::parse(rx.at(located.range())).unwrap_or_default())
            }
            Kind::Failed => {
                Event::Failed(self.closing.failure().unwrap_or(ProtocolError::InvalidUtf8))
            }
        }
    }
}
