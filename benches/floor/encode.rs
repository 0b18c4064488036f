//! The floor of sending: header and payload appended to one reused buffer, masked while copying; a large
//! payload that needs no mask stays where it is and is referred to. No rules, no limits, no states.

/// Payloads from this size on are not copied by a server.
const LARGE: usize = 8 * 1024;
/// The longest header.
const HEADER: usize = 14;

/// Frames that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Queue<'p> {
    /// All of it is initialised, the frames are at the front.
    bytes: Vec<u8>,
    end: usize,
    /// Large payloads, each with its place in the bytes.
    large: Vec<(usize, &'p [u8])>,
    random: u32,
}

impl<'p> Queue<'p> {
    /// Queues an unmasked frame.
    #[inline]
    pub(crate) fn push(&mut self, first: u8, payload: &'p [u8]) {
        if payload.len() < LARGE {
            self.make_room(HEADER + payload.len());
            self.header(first, 0, payload.len());
            self.bytes[self.end..self.end + payload.len()].copy_from_slice(payload);
            self.end += payload.len();
        } else {
            self.make_room(HEADER);
            self.header(first, 0, payload.len());
            self.large.push((self.end, payload));
        }
    }

    /// Queues a masked frame.
    #[inline]
    pub(crate) fn push_masked(&mut self, first: u8, payload: &[u8]) {
        // Takes no time, and is no good for anything but this.
        self.random = self.random.wrapping_add(0x9e37_79b9);
        let key = self.random.to_le_bytes();
        self.make_room(HEADER + payload.len());
        self.header(first, 0x80, payload.len());
        self.bytes[self.end..self.end + 4].copy_from_slice(&key);
        self.end += 4;
        copy_masked(
            &mut self.bytes[self.end..self.end + payload.len()],
            payload,
            key,
        );
        self.end += payload.len();
    }

    #[inline]
    fn make_room(&mut self, n: usize) {
        if self.bytes.len() - self.end < n {
            self.bytes.resize((self.end + n).next_power_of_two(), 0);
        }
    }

    #[inline]
    fn header(&mut self, first: u8, mask: u8, len: usize) {
        let room = &mut self.bytes[self.end..];
        (room[0], self.end) = (first, self.end + 2);
        if len < 126 {
            room[1] = mask | len as u8;
        } else if let Ok(len) = u16::try_from(len) {
            room[1] = mask | 126;
            room[2..4].copy_from_slice(&len.to_be_bytes());
            self.end += 2;
        } else {
            room[1] = mask | 127;
            room[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            self.end += 8;
        }
    }

    /// Gives all of it to `write`, as the slices of a vectored write, and is empty then.
    #[inline]
    pub(crate) fn flush(&mut self, mut write: impl FnMut(&[u8])) {
        let mut written = 0;
        for (place, payload) in self.large.drain(..) {
            write(&self.bytes[written..place]);
            write(payload);
            written = place;
        }
        if written < self.end {
            write(&self.bytes[written..self.end]);
        }
        self.end = 0;
    }
}

/// Copies `payload` to `target`, masked; from 128 bytes on by the widest vectors that the processor has.
#[inline]
fn copy_masked(target: &mut [u8], payload: &[u8], key: [u8; 4]) {
    #[cfg(feature = "simd")]
    if payload.len() >= 128 {
        fearless_simd::dispatch!(
            fearless_simd::Level::new(),
            _simd => copy_words(target, payload, key)
        );
        return;
    }
    copy_words(target, payload, key);
}

#[inline(always)]
fn copy_words(target: &mut [u8], payload: &[u8], key: [u8; 4]) {
    let word = u64::from(u32::from_le_bytes(key)) * 0x1_0000_0001;
    let (words, rest) = payload.as_chunks::<8>();
    let (target, target_rest) = target.as_chunks_mut::<8>();
    for (target, bytes) in target.iter_mut().zip(words) {
        *target = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    for ((target, byte), key) in target_rest
        .iter_mut()
        .zip(rest)
        .zip(key.into_iter().cycle())
    {
        *target = byte ^ key;
    }
}
