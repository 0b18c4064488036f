//! The bytes of a message, as it is sent and as it has to come back.

/// The number that makes a message like no other, which is its beginning.
const MARK: usize = 16;
/// As long as the longest header of a server.
const MAX_HEADER: usize = 10;
/// Any would do, but for zeros: those would hide it when the server does not unmask.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The smallest message that can be told from others.
pub(crate) const MIN_SIZE: usize = MARK;

/// What a client sends to close with 1000, and what comes back.
pub(crate) const CLOSE: [u8; 8] = [0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d, 0x03 ^ 0x37, 0xe8 ^ 0xfa];
pub(crate) const CLOSE_BACK: [u8; 4] = [0x88, 0x02, 0x03, 0xe8];

/// One message: when it was due, in nanoseconds, and on which connection.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) due: u64,
    pub(crate) connection: u64,
}

impl Mark {
    fn bytes(self) -> [u8; MARK] {
        let both = u128::from(self.due) << 64 | u128::from(self.connection);
        both.to_be_bytes()
    }
}

/// All binary messages of a size: a [`Mark`], and what is the same in all of them.
pub(crate) struct Messages {
    header: Vec<u8>,
    header_back: Vec<u8>,
    fill: Vec<u8>,
    masked_fill: Vec<u8>,
}

impl Messages {
    /// Of at least [`MIN_SIZE`] bytes.
    pub(crate) fn new(size: usize) -> Self {
        let fill: Vec<_> = (0..=u8::MAX).cycle().take(size - MARK).collect();
        let mut header = header(size, 0x80);
        header.extend(KEY);
        Self {
            header,
            header_back: self::header(size, 0),
            masked_fill: masked(fill.iter().copied()).collect(),
            fill,
        }
    }

    /// Appends a frame, as a client sends it.
    pub(crate) fn put(&self, mark: Mark, frame: &mut Vec<u8>) {
        frame.extend_from_slice(&self.header);
        frame.extend(masked(mark.bytes()));
        frame.extend_from_slice(&self.masked_fill);
    }

    /// The bytes of a frame that comes back.
    pub(crate) fn len_back(&self) -> usize {
        self.header_back.len() + MARK + self.fill.len()
    }

    /// Whether `bytes` are those of the echo from `at` on. They are no more than are left of it.
    pub(crate) fn is_echo(&self, mark: Mark, at: usize, bytes: &[u8]) -> bool {
        let mut lead = [0; MAX_HEADER + MARK];
        let header = self.header_back.len();
        lead[..header].copy_from_slice(&self.header_back);
        lead[header..header + MARK].copy_from_slice(&mark.bytes());
        let lead = &lead[..header + MARK];
        let end = at + bytes.len();
        let from_lead = &lead[at.min(lead.len())..end.min(lead.len())];
        let (start, rest) = bytes.split_at(from_lead.len());
        let in_fill = (at + start.len()).saturating_sub(lead.len());
        start == from_lead && rest == &self.fill[in_fill..in_fill + rest.len()]
    }
}

/// Of a binary message, up to its masking key.
fn header(size: usize, mask: u8) -> Vec<u8> {
    let mut header = vec![0x82];
    if let Some(len) = u8::try_from(size).ok().filter(|len| *len < 126) {
        header.push(mask | len);
    } else if let Ok(len) = u16::try_from(size) {
        header.push(mask | 126);
        header.extend(len.to_be_bytes());
    } else {
        header.push(mask | 127);
        header.extend((size as u64).to_be_bytes());
    }
    header
}

/// From a multiple of four on, as [`MARK`] is one.
fn masked(bytes: impl IntoIterator<Item = u8>) -> impl Iterator<Item = u8> {
    let key = KEY.into_iter().cycle();
    bytes.into_iter().zip(key).map(|(byte, key)| byte ^ key)
}
