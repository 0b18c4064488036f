//! The send buffer: frames that wait to be written.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::{fmt, mem};

use bytes::{Buf, Bytes};

use crate::frame::{EncodedHeader, Header, MaskingKey, copy_masked};

/// Payloads of this size and more are chained by reference where they need no mask; below, a copy
/// is cheaper than a reference count and a further slice of a vectored write.
pub(crate) const CHAIN_FROM: usize = 8 * 1024;

/// Bytes that a [`Connection`](crate::Connection) wants written to the transport, in order.
///
/// A caller takes them as a [`bytes::Buf`]: writes what [`chunk`](Buf::chunk) or
/// [`chunks_vectored`](Buf::chunks_vectored) give and [advances](Buf::advance) by what the
/// transport took. Short writes lose nothing.
///
/// ```text
///   storage  | written | frames ....... header | frames ............. | room |
///                      ^                       ^                      ^
///                    start                 chained: a large payload  end
/// ```
///
/// Frames are written into one piece of storage, masked while they are copied. Large payloads that
/// need no mask and are given as [`Bytes`] are chained: kept beside it with the place they belong
/// to.
pub struct SendBuf {
    /// All of it is initialised.
    storage: Box<[u8]>,
    start: usize,
    end: usize,
    /// Boxed, because most connections never chain a payload. Kept once made.
    chain: Option<Box<Chain>>,
    /// Bytes of frames that the transport ever took. Below zero as long as it has not taken what was
    /// queued ahead of them, the opening handshake.
    taken: i64,
}

#[derive(Default)]
struct Chain {
    /// The bytes of all of them: 0 if and only if there are none.
    len: usize,
    /// In order; each belongs before the byte of the storage at its place.
    payloads: VecDeque<Chained>,
}

struct Chained {
    at: usize,
    data: Bytes,
}

impl SendBuf {
    pub(crate) fn new() -> Self {
        Self {
            storage: Box::default(),
            start: 0,
            end: 0,
            chain: None,
            taken: 0,
        }
    }

    /// Whether everything has been taken.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end && self.chained_len() == 0
    }

    /// How many bytes of storage it holds, also while it is empty; chained payloads apart.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// Gives all storage back if it is empty; otherwise does nothing.
    ///
    /// Storage is never given back on its own, for a busy connection would pay for that with every
    /// flush.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.storage = Box::default();
            self.chain = None;
            (self.start, self.end) = (0, 0);
        }
    }
}

/// What adapters do with its storage.
#[cfg(feature = "nonblocking")]
impl SendBuf {
    /// Gives its storage away, if nothing waits in it.
    pub(crate) fn take_storage(&mut self) -> Box<[u8]> {
        if !self.is_empty() {
            return Box::default();
        }
        self.chain = None;
        (self.start, self.end) = (0, 0);
        mem::take(&mut self.storage)
    }

    /// Takes what another one has given away. It must have no storage of its own.
    pub(crate) fn lend_storage(&mut self, storage: Box<[u8]>) {
        debug_assert!(self.storage.is_empty(), "it has storage");
        self.storage = storage;
    }
}

/// What the connection does with it.
impl SendBuf {
    /// How many bytes of frames the transport ever took: by it a stalled one is found.
    #[inline]
    pub(crate) fn taken(&self) -> i64 {
        self.taken
    }

    /// How many bytes of frames were ever queued.
    #[inline]
    pub(crate) fn queued(&self) -> i64 {
        self.taken.wrapping_add_unsigned(self.remaining() as u64)
    }

    /// Takes note that frames are queued from now on: what has been so far is none.
    pub(crate) fn begin_frames(&mut self) {
        self.taken = 0;
        self.taken -= self.queued();
    }

    /// Queues a frame. `first` is the first byte of its header.
    #[inline]
    pub(crate) fn push_frame(&mut self, first: u8, payload: &[u8], key: Option<MaskingKey>) {
        let pushed = match key {
            None => self.push_short_frame(first, payload),
            Some(key) => self.push_short_masked_frame(first, payload, key),
        };
        if pushed.is_none() {
            self.push_any_frame(first, payload, key);
        }
    }

    /// The shortest path: a payload of up to 125 bytes, with room for it. `None`: not here.
    #[inline]
    fn push_short_frame(&mut self, first: u8, payload: &[u8]) -> Option<()> {
        let len = short_len(payload)?;
        let [b0, b1, body @ ..] = self.spare(2 + payload.len())? else {
            return None;
        };
        (*b0, *b1) = (first, len);
        body.copy_from_slice(payload);
        self.end += 2 + payload.len();
        Some(())
    }

    #[inline]
    fn push_short_masked_frame(
        &mut self,
        first: u8,
        payload: &[u8],
        key: MaskingKey,
    ) -> Option<()> {
        let len = short_len(payload)?;
        let [b0, b1, k0, k1, k2, k3, body @ ..] = self.spare(6 + payload.len())? else {
            return None;
        };
        (*b0, *b1) = (first, 0x80 | len);
        [*k0, *k1, *k2, *k3] = key.get();
        copy_masked(body, payload, key);
        self.end += 6 + payload.len();
        Some(())
    }

    /// The next `n` bytes of storage, if there are as many.
    #[inline]
    fn spare(&mut self, n: usize) -> Option<&mut [u8]> {
        self.storage.get_mut(self.end..self.end + n)
    }

    #[inline(never)]
    fn push_any_frame(&mut self, first: u8, payload: &[u8], key: Option<MaskingKey>) {
        let header = EncodedHeader::new(first, payload.len() as u64, key);
        let frame = self.room(header.len() + payload.len());
        header.write(frame);
        let (_, body) = frame.split_at_mut(header.len());
        match key {
            None => body.copy_from_slice(payload),
            Some(key) => copy_masked(body, payload, key),
        }
        self.end += header.len() + payload.len();
    }

    /// Queues an unmasked frame whose payload may be shared instead of copied.
    pub(crate) fn push_shared_frame(&mut self, first: u8, payload: Bytes) {
        if payload.len() < CHAIN_FROM {
            return self.push_frame(first, &payload, None);
        }
        let header = EncodedHeader::new(first, payload.len() as u64, None);
        header.write(self.room(Header::MAX_SIZE));
        self.end += header.len();
        self.chain(payload);
    }

    /// Queues bytes that are a frame already, sharing them if they are many.
    #[inline]
    pub(crate) fn push_encoded(&mut self, frame: &Bytes) {
        if frame.len() < CHAIN_FROM {
            self.push_bytes(frame);
        } else {
            self.chain(frame.clone());
        }
    }

    /// Queues bytes as they are.
    #[inline]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Counts bytes of a frame that went to the transport without having been here.
    #[cfg(feature = "std")]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.taken = self.taken.wrapping_add_unsigned(bytes as u64);
    }

    fn chain(&mut self, data: Bytes) {
        let chain = self.chain.get_or_insert_default();
        chain.len += data.len();
        chain.payloads.push_back(Chained { at: self.end, data });
    }

    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn is_chained(&self) -> bool {
        self.chained_len() > 0
    }

    #[inline]
    fn chained_len(&self) -> usize {
        self.chain.as_ref().map_or(0, |chain| chain.len)
    }

    /// What is chained, in order.
    fn chained(&self) -> impl Iterator<Item = &Chained> {
        self.chain.iter().flat_map(|chain| &chain.payloads)
    }

    /// Drops everything that waits.
    pub(crate) fn clear(&mut self) {
        // They were queued, and stay counted as such.
        self.taken = self.queued();
        self.chain = None;
        (self.start, self.end) = (0, 0);
    }

    /// The next `n` bytes of storage, which is moved to the front or grown if it has not as many.
    #[inline]
    fn room(&mut self, n: usize) -> &mut [u8] {
        if self.storage.len() - self.end < n {
            self.make_room(n);
        }
        &mut self.storage[self.end..self.end + n]
    }

    #[inline(never)]
    fn make_room(&mut self, n: usize) {
        let waiting = self.end - self.start;
        // Moving is paid for by the bytes that were written since the last time.
        if self.start >= waiting {
            self.storage.copy_within(self.start..self.end, 0);
            for chained in self.chain.iter_mut().flat_map(|chain| &mut chain.payloads) {
                chained.at -= self.start;
            }
            (self.start, self.end) = (0, waiting);
        }
        let needed = self.end + n;
        if self.storage.len() < needed {
            let mut storage = Vec::from(mem::take(&mut self.storage));
            storage.reserve(needed - storage.len());
            storage.resize(storage.capacity(), 0);
            self.storage = storage.into_boxed_slice();
        }
    }
}

/// The length of a payload that needs no extended one.
#[inline]
fn short_len(payload: &[u8]) -> Option<u8> {
    u8::try_from(payload.len()).ok().filter(|len| *len < 126)
}

impl Buf for SendBuf {
    #[inline]
    fn remaining(&self) -> usize {
        self.end - self.start + self.chained_len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        match self.chain.as_ref().and_then(|chain| chain.payloads.front()) {
            None => &self.storage[self.start..self.end],
            Some(chained) if chained.at == self.start => &chained.data,
            Some(chained) => &self.storage[self.start..chained.at],
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let slots = slices.len();
        let (mut start, mut count) = (self.start, 0);
        let mut push = |bytes: &'a [u8]| {
            let slot = slices.get_mut(count).filter(|_| !bytes.is_empty());
            if let Some(slot) = slot {
                *slot = std::io::IoSlice::new(bytes);
                count += 1;
            }
        };
        // Each of them fills one slot at least.
        for chained in self.chained().take(slots) {
            push(&self.storage[start..chained.at]);
            push(&chained.data);
            start = chained.at;
        }
        push(&self.storage[start..self.end]);
        count
    }

    /// Takes `n` bytes as written.
    ///
    /// # Panics
    ///
    /// If `n` is more than what remains.
    #[inline]
    fn advance(&mut self, n: usize) {
        assert!(n <= self.remaining(), "more bytes taken than were queued");
        self.taken = self.taken.wrapping_add_unsigned(n as u64);
        if self.chained_len() == 0 {
            self.start += n;
        } else {
            self.advance_chained(n);
        }
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }
}

impl SendBuf {
    #[inline(never)]
    fn advance_chained(&mut self, mut n: usize) {
        let chain = self.chain.as_mut();
        let chain = chain.expect("something is chained");
        while let Some(chained) = chain.payloads.front_mut() {
            let before = n.min(chained.at - self.start);
            self.start += before;
            n -= before;
            if n < chained.data.len() {
                chained.data.advance(n);
                chain.len -= n;
                return;
            }
            n -= chained.data.len();
            chain.len -= chained.data.len();
            chain.payloads.pop_front();
        }
        self.start += n;
    }
}

impl fmt::Debug for SendBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuf")
            .field("remaining", &self.remaining())
            .field("chained", &self.chained().count())
            .field("capacity", &self.capacity())
            .finish()
    }
}
