//! What is possible: the payloads copied, and nothing else.

use super::contest::Contestant;

pub(crate) struct Memcpy<'p> {
    payloads: Vec<&'p [u8]>,
    to: Vec<u8>,
    /// A cache line: a misaligned target would be slower.
    start: usize,
}

const CACHE_LINE: usize = 64;

impl<'p> Memcpy<'p> {
    pub(crate) fn new(payloads: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let payloads: Vec<_> = payloads.into_iter().collect();
        let longest = payloads.iter().map(|payload| payload.len()).max();
        let to = vec![0; longest.unwrap_or_default() + CACHE_LINE];
        let start = to.as_ptr().align_offset(CACHE_LINE) % CACHE_LINE;
        Self {
            payloads,
            to,
            start,
        }
    }
}

impl Contestant for Memcpy<'_> {
    fn round(&mut self, mut seen: impl FnMut(&[u8])) {
        for payload in &self.payloads {
            let to = &mut self.to[self.start..self.start + payload.len()];
            to.copy_from_slice(payload);
            seen(to);
        }
    }
}
