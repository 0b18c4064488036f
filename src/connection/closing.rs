//! How a connection ends (RFC 6455 section 7): by a closing handshake, by failing it, by the end of
//! the transport, or by a deadline.

use alloc::boxed::Box;

use super::{Connection, Phase, clock::Deadline};
use crate::{CloseCode, ProtocolError, Role, SendError, UnexpectedEof};

/// The states of RFC 6455 after the opening handshake (sections 4.1, 7.1.3 and 7.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the RFC's states")]
pub enum State {
    /// Messages can be sent and received.
    Open,
    /// A Close frame was sent or received, or the connection failed or lost its peer: what is
    /// queued can still be written, nothing more can be sent.
    Closing,
    /// Nothing is left to do: drop the transport.
    Closed,
}

/// How a connection closed, from [`Connection::closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the peer's Close frame; 1005 if it had none, 1006 if there was no such frame
    /// (RFC 6455 section 7.1.5).
    pub code: CloseCode,
    /// Whether the closing handshake was done (RFC 6455 section 7.1.4).
    pub clean: bool,
    /// Who began it.
    pub by: ClosedBy,
}

/// Who began to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum ClosedBy {
    /// This end: by a command, or because the peer broke a rule or missed a deadline.
    Us,
    /// The peer: by its Close frame, or by ending the transport.
    Peer,
}

/// How far the end of a connection has come. Boxed, because an open connection has none of it.
#[derive(Debug, Default)]
pub(super) struct Closing(Option<Box<Ending>>);

/// What has happened of the end of a connection.
#[derive(Debug)]
struct Ending {
    sent: Option<CloseCode>,
    received: Option<CloseCode>,
    by: Option<ClosedBy>,
    failure: Option<ProtocolError>,
    /// We failed the connection, for `failure` or for a reason of the application's.
    failed: bool,
    eof: bool,
    /// A deadline has passed: nothing is worth waiting for.
    over: bool,
    /// The transport takes no more bytes.
    mute: bool,
    /// Bytes that were queued were dropped, and so our Close frame if there was one.
    cut_off: bool,
    /// When it must have come to an end.
    deadline: Deadline,
}

impl Closing {
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.0.is_none()
    }

    fn get(&self) -> &Ending {
        self.0.as_deref().unwrap_or(&Ending::NOT_BEGUN)
    }

    /// To take note of the first thing that happens, or of the next.
    fn begin(&mut self) -> &mut Ending {
        self.0.get_or_insert_with(|| Box::new(Ending::NOT_BEGUN))
    }

    pub(super) fn sent(&self) -> Option<CloseCode> {
        self.get().sent
    }

    pub(super) fn received(&self) -> Option<CloseCode> {
        self.get().received
    }

    pub(super) fn failure(&self) -> Option<ProtocolError> {
        self.get().failure
    }

    pub(super) fn handshake_done(&self) -> bool {
        self.get().handshake_done()
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.get().deadline
    }

    /// The deadline, to be armed once closing has begun.
    pub(super) fn deadline_mut(&mut self) -> Option<&mut Deadline> {
        self.0.as_mut().map(|ending| &mut ending.deadline)
    }
}

impl Ending {
    const NOT_BEGUN: Self = Self {
        sent: None,
        received: None,
        by: None,
        failure: None,
        failed: false,
        eof: false,
        over: false,
        mute: false,
        cut_off: false,
        deadline: Deadline::NEVER,
    };

    /// Whether both Close frames have been seen.
    fn handshake_done(&self) -> bool {
        self.sent.is_some() && self.received.is_some()
    }

    /// Whether no Close frame is waited for: both have been seen, or ours can't be sent any more.
    fn handshake_over(&self) -> bool {
        self.received.is_some() && (self.sent.is_some() || self.mute)
    }

    /// Whether only the end of the transport, or of what is queued, is waited for.
    fn nothing_to_receive(&self, role: Role) -> bool {
        // The server ends the transport first, a client waits for it to do so (section 7.1.1).
        let handshake_over = match role {
            Role::Server => self.handshake_over(),
            // If we can't answer, there is nothing that the server would wait for.
            Role::Client => self.mute && self.handshake_over(),
        };
        self.eof || self.failed || handshake_over
    }
}

impl Connection {
    /// Starts the closing handshake (RFC 6455 section 7.1.2) with a Close frame behind everything
    /// that is queued. Nothing can be sent afterwards; messages of the peer that are on their way
    /// are still received, up to its Close frame.
    ///
    /// A message that was begun with [`start_message`](Self::start_message) stays incomplete, which
    /// the RFC allows.
    ///
    /// # Errors
    ///
    /// [`CodeNotSendable`](SendError::CodeNotSendable), [`ReasonTooLong`](SendError::ReasonTooLong)
    /// for a reason of more than 123 bytes, and [`Closed`](SendError::Closed) if a Close frame was
    /// sent before, also as the answer to the peer's.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{CloseCode, Config, Connection, SendError, State};
    ///
    /// let mut conn = Connection::server(Config::new());
    /// conn.close(CloseCode::GOING_AWAY, "back in a minute")?;
    /// assert_eq!(conn.state(), State::Closing);
    /// assert_eq!(conn.send_text("one more"), Err(SendError::Closed));
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.queue_close(code, reason)?;
        self.closing_begun(ClosedBy::Us);
        Ok(())
    }

    /// Fails the connection for a reason of the application's (RFC 6455 section 7.1.7): as
    /// [`close`](Self::close), but nothing more is received. For a peer that breaks the rules of
    /// the application (1008), or after an error of our own (1011).
    ///
    /// The transport can be dropped as soon as the Close frame is written:
    /// [`is_closed`](Self::is_closed) tells. Also possible after `close`, to wait no longer.
    ///
    /// # Errors
    ///
    /// As `close`, but [`Closed`](SendError::Closed) only if there is nothing left to fail: after the
    /// peer's Close frame, a failure, the end of the transport or a deadline. If `close` was called
    /// before, its code and reason have been sent, and these are not looked at.
    pub fn fail(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let ending = self.closing.get();
        if ending.received.is_some() || ending.failed || ending.eof || ending.over {
            return Err(SendError::Closed);
        }
        if ending.sent.is_none() {
            self.queue_close(code, reason)?;
        }
        self.failed();
        Ok(())
    }

    /// Fails the connection because the peer broke a rule (RFC 6455 section 7.1.7).
    pub(super) fn fail_for(&mut self, error: ProtocolError) {
        let ending = self.closing.begin();
        ending.failure = Some(error);
        if ending.sent.is_none() {
            self.push_close(Some(error.close_code()), "");
        }
        self.failed();
    }

    fn failed(&mut self) {
        self.closing.begin().failed = true;
        self.closing_begun(ClosedBy::Us);
        self.receive_no_more();
    }

    /// Takes note of the peer's Close frame and answers it (RFC 6455 section 5.5.1): with the same
    /// code, once.
    pub(super) fn close_received(&mut self, code: Option<CloseCode>) {
        let ending = self.closing.begin();
        ending.received = Some(code.unwrap_or(CloseCode::NO_STATUS));
        if ending.sent.is_none() {
            // 1010 is for clients only: a server that got it has no code of that meaning.
            let answer = code.map(|code| {
                if code.is_sendable(self.role) {
                    code
                } else {
                    CloseCode::NORMAL
                }
            });
            self.push_close(answer, "");
        }
        self.closing_begun(ClosedBy::Peer);
        self.receive_no_more();
    }

    /// Takes note that the transport has ended: all that it delivered must have been received.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`] if neither the peer's Close frame came before nor the connection was
    /// failed: the close code is 1006 (RFC 6455 section 7.1.5). What is queued can still be
    /// written, to a peer that only ended its own direction.
    pub fn receive_eof(&mut self) -> Result<(), UnexpectedEof> {
        let ending = self.closing.begin();
        ending.eof = true;
        let expected = ending.received.is_some() || ending.failed;
        self.closing_begun(ClosedBy::Peer);
        self.receive_no_more();
        if expected { Ok(()) } else { Err(UnexpectedEof) }
    }

    /// Takes note that the transport takes no more bytes, as a write that failed tells: what is queued
    /// is dropped, and nothing can be sent any more.
    ///
    /// What the peer has sent can still be received: a peer that has said all it wanted, closed, and
    /// gone is the most common reason for such a failure. Go on reading until the transport ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use framewire::{CloseCode, Config, Connection, Event, RecvBuf};
    ///
    /// let (mut conn, mut rx) = (Connection::client(Config::new()), RecvBuf::new());
    /// conn.send_text("anybody there?")?;
    /// conn.handle_write_error(); // broken pipe
    /// rx.extend_from_slice(b"\x88\x02\x03\xe9"); // what had come before
    /// assert!(matches!(conn.receive(&mut rx), Some(Event::Close(Some(_)))));
    /// conn.receive_eof()?;
    /// assert!(conn.is_closed());
    /// let closed = conn.closed().expect("it is");
    /// assert_eq!((closed.code, closed.clean), (CloseCode::GOING_AWAY, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_write_error(&mut self) {
        let ending = self.closing.begin();
        ending.mute = true;
        // Nobody knows how much of what was written before has arrived.
        ending.cut_off = true;
        self.tx.clear();
        self.closing_begun(ClosedBy::Peer);
    }

    /// The state in the words of RFC 6455. May change with every call that takes `&mut self`, and
    /// when queued bytes are written.
    #[must_use]
    pub fn state(&self) -> State {
        if self.is_closed() {
            State::Closed
        } else if self.closing.is_open() {
            State::Open
        } else {
            State::Closing
        }
    }

    /// Whether nothing is left to be done: drop the transport.
    ///
    /// True when the last queued byte is written and, as RFC 6455 section 7.1.1 wants it, a server
    /// has seen both Close frames, or a client the end of the transport behind them; or when the
    /// connection failed or lost its peer. True at once when a deadline has passed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing.0.as_ref().is_some_and(|ending| {
            ending.over || self.tx.is_empty() && ending.nothing_to_receive(self.role)
        })
    }

    /// How the connection closed; `None` as long as it is open or the closing handshake is going on.
    ///
    /// Final when [`is_closed`](Self::is_closed) says so: a closing handshake that looks clean is not
    /// if a deadline passes before our Close frame has been written.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        let ending = self.closing.get();
        let done = ending.handshake_over() || ending.failed || ending.eof || ending.over;
        let by = ending.by.filter(|_| done)?;
        Some(Closed {
            code: ending.received.unwrap_or(CloseCode::ABNORMAL),
            clean: ending.handshake_done() && !ending.cut_off,
            by,
        })
    }

    /// Whether nothing that comes is looked at any more.
    #[cfg(feature = "std")]
    pub(crate) fn receives_no_more(&self) -> bool {
        self.phase == Phase::Discard
    }

    /// How long the closing handshake may take.
    #[cfg(feature = "std")]
    pub(crate) fn close_timeout(&self) -> Option<core::time::Duration> {
        self.config.close_timeout.get()
    }

    /// How long queued bytes may wait.
    #[cfg(feature = "std")]
    pub(crate) fn write_timeout(&self) -> Option<core::time::Duration> {
        self.config.write_timeout.get()
    }

    /// Whether a message is being handed out in parts.
    #[cfg(feature = "std")]
    pub(crate) fn is_streaming(&self) -> bool {
        self.message.kind.is_some() && self.message.streaming
    }

    /// Whether a message is being joined, to be handed out as a whole.
    #[cfg(feature = "std")]
    pub(crate) fn is_joining(&self) -> bool {
        self.message.kind.is_some() && !self.message.streaming
    }

    /// Ends the connection at once, because a deadline has passed.
    pub(crate) fn give_up(&mut self) {
        self.closing_begun(ClosedBy::Us);
        let ending = self.closing.begin();
        ending.over = true;
        ending.cut_off |= !self.tx.is_empty();
        self.tx.clear();
        self.tx.release();
        self.receive_no_more();
    }

    /// Whether a received message is for the application (after our Close frame that is its choice).
    pub(super) fn delivers_messages(&self) -> bool {
        self.closing.is_open() || self.config.receive_while_closing
    }

    fn queue_close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if !self.closing.is_open() {
            return Err(SendError::Closed);
        }
        if !code.is_sendable(self.role) {
            return Err(SendError::CodeNotSendable(code));
        }
        if reason.len() > 123 {
            return Err(SendError::ReasonTooLong { size: reason.len() });
        }
        // The newest ping of a peer that has sent no Close frame must be answered (section 5.5.2).
        self.push_waiting_pong();
        self.push_close(Some(code), reason);
        Ok(())
    }

    fn push_close(&mut self, code: Option<CloseCode>, reason: &str) {
        let ending = self.closing.begin();
        if ending.mute {
            return;
        }
        ending.sent = Some(code.unwrap_or(CloseCode::NO_STATUS));
        // Pongs that did not find room in time are not owed any more (section 5.5.2).
        self.drop_waiting_pong();
        let mut payload = [0; 125];
        let mut len = 0;
        if let Some(code) = code {
            payload[..2].copy_from_slice(&code.get().to_be_bytes());
            len = 2 + reason.len();
            payload[2..len].copy_from_slice(reason.as_bytes());
        }
        self.push_control(0x88, &payload[..len]);
    }

    fn closing_begun(&mut self, by: ClosedBy) {
        self.closing.begin().by.get_or_insert(by);
        self.may_send = false;
        self.outgoing = None;
        self.drop_waiting_pong();
        if let Some(deflate) = &mut self.deflate {
            deflate.codec.end_sending();
        }
        for phase in [&mut self.phase, &mut self.phase_after_found] {
            if *phase == Phase::Idle {
                *phase = Phase::Header;
            }
        }
    }

    fn receive_no_more(&mut self) {
        self.phase = Phase::Discard;
        self.message.kind = None;
        self.found = None;
        self.left = 0;
        if let Some(deflate) = &mut self.deflate {
            deflate.codec.end_receiving();
        }
    }
}
