//! The receive buffer: bytes of the transport, decoded where they lie.

#[cfg(feature = "nonblocking")]
mod pooled;

use alloc::{string::String, vec::Vec};
use core::{
    fmt,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::inflated::Inflated;

/// What an empty buffer grows to: the usual room for a read, and the slack for its alignment.
const USUAL_READ: usize = 16 * 1024;
/// Room below this is not worth a read: it is worth moving or growing.
const LEAST_READ: usize = USUAL_READ / 2;
/// A frame that lacks as much is read exactly to its end, so that nothing behind it has to be moved.
const LARGE_FRAME: usize = USUAL_READ;
/// Larger reads bring nothing.
const MAX_READ: usize = 256 * 1024;
/// As many bytes are moved to have the next read start at a cache line: that costs less than
/// copying the read to a misaligned target does.
const CHEAP_MOVE: usize = 4096;
/// The slack that all storage has for that alignment.
const CACHE_LINE: usize = 64;
const PAGE: usize = 4096;

/// The bytes that a transport has delivered and a [`Connection`](crate::Connection) has not used
/// up yet.
///
/// It belongs to the caller and is lent to [`Connection::receive`](crate::Connection::receive),
/// whose events borrow from it. One buffer goes with one connection as long as undecoded bytes or
/// a part of a message are left in it; when [`is_empty`](Self::is_empty) says so it can serve
/// another connection, go to a pool or be [released](Self::release).
///
/// ```text
///   storage  | used up | joined | headers | undecoded | room |
///                      ^        ^         ^           ^
///                   message   joined    start        end
/// ```
///
/// `joined` are the fragments so far of a binary message: each payload is moved to the left over
/// its header, so that a fragmented message is contiguous without a second buffer. Text that comes
/// in pieces is collected in a `String` instead, since safe Rust can't make a `&str` of bytes
/// without looking at all of them again.
///
/// # Cost
///
/// Storage grows with what arrives, never with what a header promises: at most twice the bytes
/// held, plus 16 KiB; and for compressed messages what the largest text and the largest binary one were
/// decompressed to. It is zeroed once, when it grows. Bytes are moved only to make room, and each
/// of them not more than once for every doubling.
///
/// # Examples
///
/// ```
/// use framewire::RecvBuf;
///
/// let mut rx = RecvBuf::new();
/// rx.unfilled()[..2].copy_from_slice(b"\x8a\x00"); // what a transport would read
/// rx.filled(2);
/// assert!(!rx.is_empty());
/// ```
pub struct RecvBuf {
    /// All of it is initialised; the length is what may be used.
    storage: Vec<u8>,
    /// The message in progress lies at `message..joined`; empty if there is none.
    message: usize,
    joined: usize,
    /// Undecoded bytes lie at `start..end`.
    start: usize,
    end: usize,
    /// The text so far of a message that comes in pieces.
    text: String,
    /// What a compressed message inflates to.
    inflated: Inflated,
    /// Whether a message is in progress, be it in `storage` or in `text`.
    in_progress: bool,
    /// The room that was given last, as far as it is not filled.
    room: usize,
    /// Whether an event lies before `start` that a connection has announced and not given yet.
    announced: bool,
    /// How many bytes a large frame still lacks; 0 if none is in progress.
    missing: usize,
    /// Which buffer this is, see [`Self::id`].
    id: usize,
}

impl RecvBuf {
    /// Makes an empty buffer, without storage.
    #[must_use]
    pub fn new() -> Self {
        Self {
            storage: Vec::new(),
            message: 0,
            joined: 0,
            start: 0,
            end: 0,
            text: String::new(),
            inflated: Inflated::default(),
            in_progress: false,
            missing: 0,
            room: 0,
            announced: false,
            id: next_id(),
        }
    }

    /// The room to read into: never empty. Tell with [`filled`](Self::filled) how much was read.
    ///
    /// Makes room where there is little, by moving what is held to the front or by growing: at
    /// least 8 KiB, at most 256 KiB, and in the middle of a large frame no more than the frame
    /// lacks, so that nothing behind it has to be moved.
    #[must_use]
    pub fn unfilled(&mut self) -> &mut [u8] {
        let most = self.most_room().min(MAX_READ);
        self.reserve(
            LEAST_READ.min(most),
            self.held().clamp(USUAL_READ, MAX_READ),
        );
        self.room = most.min(self.storage.len() - self.end);
        &mut self.storage[self.end..self.end + self.room]
    }

    /// Takes the first `n` bytes of [`unfilled`](Self::unfilled) as received.
    ///
    /// # Panics
    ///
    /// If `n` is more than the room that was given: a transport that claims to have read more than
    /// it could is broken.
    pub fn filled(&mut self, n: usize) {
        assert!(
            n <= self.room,
            "the transport claims more bytes than it had room for"
        );
        self.room -= n;
        self.end += n;
    }

    /// Reads once from `transport`, as much as it gives at once, and returns how much: 0 is the end.
    ///
    /// # Errors
    ///
    /// Those of `transport`. Nothing is lost by them.
    ///
    /// # Panics
    ///
    /// If `transport` claims to have read more than it was given room for.
    #[cfg(feature = "std")]
    pub fn read_from(&mut self, transport: &mut impl std::io::Read) -> std::io::Result<usize> {
        let n = transport.read(self.unfilled())?;
        self.filled(n);
        Ok(n)
    }

    /// Appends a copy of `bytes`.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len(), bytes.len() + self.held().max(USUAL_READ));
        self.storage[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
        self.room = 0;
    }

    /// Whether nothing is left in it that a connection needs: neither undecoded bytes nor a part of
    /// a message. An event still borrowed from it keeps it from being touched at all.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end && !self.in_progress && !self.announced && self.missing == 0
    }

    /// Drops everything that is held, so that it [is empty](Self::is_empty): behind a connection
    /// that has ended, which leaves what it did not look at. Storage is kept.
    pub fn clear(&mut self) {
        self.discard();
    }

    /// How many bytes of storage it holds, also while it is empty.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.capacity() + self.text.capacity() + self.inflated.capacity()
    }

    /// Gives all storage back if it is empty; otherwise does nothing.
    ///
    /// Storage is never given back on its own, for a busy connection would pay for that with every
    /// message. A good time is before waiting for a peer that has been silent.
    pub fn release(&mut self) {
        if self.is_empty() {
            *self = Self {
                id: self.id,
                ..Self::new()
            };
        }
    }

    /// Bytes that must survive making room.
    fn held(&self) -> usize {
        (self.joined - self.message) + (self.end - self.start)
    }

    /// More room than this is of no use: in the middle of a large frame, what it lacks.
    fn most_room(&self) -> usize {
        if self.missing == 0 {
            usize::MAX
        } else {
            self.missing
        }
    }

    /// Makes room for `least` bytes behind `end`; where storage has to grow, for `preferred`.
    fn reserve(&mut self, least: usize, preferred: usize) {
        let fits = self.storage.len() - self.end >= least;
        if self.announced {
            // Nothing may be moved.
            if !fits {
                self.storage.resize(self.end + preferred, 0);
            }
            return;
        }
        if !fits && self.end - self.start <= self.start - self.joined {
            // Paid for by the headers between the two.
            self.close_gap();
        }
        let held = self.held();
        // Moving is paid for by the bytes that were used up since the last time.
        let paid = self.end - held >= held;
        let fits = self.storage.len() - self.end >= least;
        if fits && !(paid && held <= CHEAP_MOVE) {
            return;
        }
        // Twice what is held, so that growing is rare; but the rest of a large frame is enough, if
        // nothing behind it is to come as well.
        let most = if least > self.most_room() {
            usize::MAX
        } else {
            self.most_room().saturating_add(CACHE_LINE)
        };
        let len = held + preferred.max(held).min(most).max(least + CACHE_LINE);
        if self.storage.len() >= len || paid && self.storage.len() >= held + least + CACHE_LINE {
            self.move_to_front();
        } else if !fits {
            self.grow(len);
        }
        debug_assert!(self.storage.len() - self.end >= least, "there is room now");
    }

    /// Moves the undecoded bytes to the left, over used-up headers, to the end of the joined ones.
    fn close_gap(&mut self) {
        if self.message == self.joined {
            (self.message, self.joined) = (self.start, self.start);
        }
        if self.start < self.end {
            self.storage.copy_within(self.start..self.end, self.joined);
        }
        self.end -= self.start - self.joined;
        self.start = self.joined;
    }

    /// Moves everything that is held to the front, so that what is read behind it starts at a cache
    /// line.
    fn move_to_front(&mut self) {
        self.close_gap();
        let held = self.held();
        let aligned = self.storage.as_ptr().align_offset(CACHE_LINE) % CACHE_LINE;
        let mut front = (aligned + CACHE_LINE - held % CACHE_LINE) % CACHE_LINE;
        if held > 0 && self.is_slow_to_move_to(front) {
            front = if self.is_slow_to_move_to(0) {
                CACHE_LINE - 1
            } else {
                0
            };
        }
        let front = front.min(self.storage.len() - held);
        if held > 0 {
            self.storage.copy_within(self.message..self.end, front);
        }
        let joined = self.joined - self.message;
        (self.message, self.joined) = (front, front + joined);
        (self.start, self.end) = (front + joined, front + held);
    }

    /// Whether a place at `front` has an address that is a little higher, within a page, than the one that is moved
    /// from: there, processors copy byte by byte what they are told to copy by one instruction, thirty times slower.
    fn is_slow_to_move_to(&self, front: usize) -> bool {
        self.message.wrapping_sub(front) % PAGE > PAGE - CACHE_LINE
    }

    /// Makes storage `len` bytes long, which is more than it is.
    #[inline(never)]
    fn grow(&mut self, len: usize) {
        if self.held() == 0 {
            self.storage = Vec::new();
            (self.message, self.joined, self.start, self.end) = (0, 0, 0, 0);
        }
        // What lies between the two parts is not in `len`.
        self.close_gap();
        self.storage.reserve_exact(len - self.storage.len());
        self.storage.resize(len, 0);
        if self.held() == 0 || self.message >= CACHE_LINE {
            self.move_to_front();
        }
    }
}

/// What decoders do with it.
impl RecvBuf {
    /// Never the same for two buffers or two owners of one: by it a connection notices that it got
    /// another buffer than the one that holds the rest of its input.
    #[inline]
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    #[inline]
    pub(crate) fn undecoded(&self) -> &[u8] {
        &self.storage[self.start..self.end]
    }

    #[inline]
    pub(crate) fn undecoded_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.end]
    }

    /// Takes the first `n` undecoded bytes as used up; gives them and tells how many are left.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> (&mut [u8], usize) {
        let taken = self.start..self.start + n;
        self.start += n;
        (&mut self.storage[taken], self.end - self.start)
    }

    /// Takes the first `n` undecoded bytes as used up, and tells where they lie.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) -> Range<usize> {
        let consumed = self.start..self.start + n;
        self.start += n;
        consumed
    }

    /// The bytes at places that [`Self::consume`] or [`Self::take_joined`] told.
    #[inline]
    pub(crate) fn at(&self, range: Range<usize>) -> &[u8] {
        &self.storage[range]
    }

    /// Keeps everything where it is until the announced event is taken.
    pub(crate) fn set_announced(&mut self, announced: bool) {
        self.announced = announced;
    }

    /// Uses up everything, also a message in progress.
    pub(crate) fn discard(&mut self) {
        self.announced = false;
        self.start = self.end;
        (self.message, self.joined) = (self.end, self.end);
        self.text.clear();
        self.inflated.clear();
        self.end_message();
    }

    /// Becomes another buffer, for another owner: the one before will notice should it come back
    /// for something that it has left here. Undecoded bytes go over to the new one.
    ///
    /// Panics if a connection has left a part of a message here, which nobody else can make sense of.
    pub(crate) fn change_owner(&mut self) {
        assert!(
            !self.in_progress && !self.announced && self.missing == 0,
            "the RecvBuf holds a part of a message of another connection: clear it or pass another one"
        );
        self.id = next_id();
    }

    /// Tells how many bytes the frame in progress still lacks. Only large frames are remembered,
    /// and those to their end.
    pub(crate) fn set_missing(&mut self, bytes: usize) {
        if self.missing > 0 || bytes >= LARGE_FRAME {
            self.missing = bytes;
        }
    }

    /// Begins a message whose parts are kept here until it is complete.
    pub(crate) fn begin_message(&mut self) {
        self.in_progress = true;
        (self.message, self.joined) = (self.start, self.start);
        self.clear_parts();
    }

    pub(crate) fn end_message(&mut self) {
        self.in_progress = false;
        self.missing = 0;
    }

    /// Uses up `n` bytes and appends them to the message in progress.
    pub(crate) fn join(&mut self, n: usize) {
        if self.message == self.joined {
            // Nothing is held yet: the message begins where this payload lies.
            (self.message, self.joined) = (self.start, self.start);
        }
        if self.joined != self.start {
            self.storage
                .copy_within(self.start..self.start + n, self.joined);
        }
        self.joined += n;
        self.start += n;
    }

    /// Ends the message in progress, and tells where it lies.
    pub(crate) fn take_joined(&mut self) -> Range<usize> {
        let message = self.message..self.joined;
        (self.message, self.joined) = (self.start, self.start);
        message
    }

    /// The text of a message that comes in pieces.
    #[inline]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What a compressed message inflated to.
    pub(crate) fn inflated(&self) -> &[u8] {
        self.inflated.bytes()
    }

    /// Drops what has been handed out or is about to be collected: text and inflated bytes.
    pub(crate) fn clear_parts(&mut self) {
        self.text.clear();
        self.inflated.clear();
    }

    /// Both at once: the undecoded bytes to take pieces from, and the text to append them to.
    pub(crate) fn undecoded_and_text(&mut self) -> (&[u8], &mut String) {
        (&self.storage[self.start..self.end], &mut self.text)
    }

    /// All at once: the undecoded bytes to inflate, and where to.
    pub(crate) fn undecoded_to_inflate(&mut self) -> (&[u8], &mut Inflated, &mut String) {
        let undecoded = &self.storage[self.start..self.end];
        (undecoded, &mut self.inflated, &mut self.text)
    }
}

/// Never the same twice in a process, as far as its words are wide.
fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Default for RecvBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RecvBuf {
    /// Sizes only: the bytes are the peer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBuf")
            .field("joined", &(self.joined - self.message))
            .field("text", &self.text.len())
            .field("undecoded", &(self.end - self.start))
            .field("capacity", &self.capacity())
            .finish()
    }
}
