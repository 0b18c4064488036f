//! Masking (RFC 6455 section 5.3): XOR with a key of four bytes, in place or while copying.
//!
//! Short payloads are done inline, by words that may overlap: the last word is computed *before*
//! the others are stored and stored *after* them, so that no bytes are left for a loop of their
//! own. From [`LONG`] bytes on a call pays, and with the feature `simd` the widest vectors that the
//! processor has.

/// A masking key (RFC 6455 section 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaskingKey([u8; 4]);

/// Payloads of this size and more leave the inlined path.
const LONG: usize = 129;

impl MaskingKey {
    /// A key from its bytes in the order of the wire.
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The bytes in the order of the wire.
    #[must_use]
    pub const fn get(self) -> [u8; 4] {
        self.0
    }

    /// Masks or unmasks `payload` in place: the two are the same.
    ///
    /// `offset` is the place of its first byte in the payload of the frame, so that a payload can
    /// be done in pieces as it arrives.
    #[inline]
    pub fn apply(self, payload: &mut [u8], offset: u64) {
        unmask(payload, self.rotated(offset));
    }

    /// The key as it applies `by` bytes later.
    #[inline]
    pub(crate) const fn rotated(self, by: u64) -> Self {
        let bits = 8 * (by % 4) as u32;
        Self(u32::from_le_bytes(self.0).rotate_right(bits).to_le_bytes())
    }

    #[inline]
    fn u32(self) -> u32 {
        u32::from_le_bytes(self.0)
    }

    #[inline]
    fn u64(self) -> u64 {
        u64::from(self.u32()) * 0x1_0000_0001
    }
}

impl core::fmt::Debug for MaskingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MaskingKey({:02x?})", self.0)
    }
}

/// Unmasks a payload of any length in place.
#[inline]
pub(crate) fn unmask(payload: &mut [u8], key: MaskingKey) {
    if payload.len() < LONG {
        unmask_short(payload, key)
    } else {
        unmask_long(payload, key)
    }
}

/// Unmasks a payload of any length; meant for those of up to 128 bytes.
#[inline]
pub(crate) fn unmask_short(payload: &mut [u8], key: MaskingKey) {
    let len = payload.len();
    if len >= 16 {
        let last = payload.last_chunk::<16>().copied().unwrap_or_default();
        let last = xor(last, key.rotated(len as u64));
        for word in payload.as_chunks_mut::<16>().0 {
            *word = xor(*word, key);
        }
        store_last(payload, last);
    } else if len >= 8 {
        let first = payload.first_chunk::<8>().copied().unwrap_or_default();
        let last = payload.last_chunk::<8>().copied().unwrap_or_default();
        let last = u64::from_le_bytes(last) ^ key.rotated(len as u64).u64();
        store_first(
            payload,
            (u64::from_le_bytes(first) ^ key.u64()).to_le_bytes(),
        );
        store_last(payload, last.to_le_bytes());
    } else if len >= 4 {
        let first = payload.first_chunk::<4>().copied().unwrap_or_default();
        let last = payload.last_chunk::<4>().copied().unwrap_or_default();
        let last = u32::from_le_bytes(last) ^ key.rotated(len as u64).u32();
        store_first(
            payload,
            (u32::from_le_bytes(first) ^ key.u32()).to_le_bytes(),
        );
        store_last(payload, last.to_le_bytes());
    } else {
        for (byte, key) in payload.iter_mut().zip(key.0) {
            *byte ^= key;
        }
    }
}

/// One vector instruction, where `u128` or two `u64` would become two scalar ones.
#[inline]
fn xor(mut word: [u8; 16], key: MaskingKey) -> [u8; 16] {
    for part in word.as_chunks_mut::<4>().0 {
        *part = (u32::from_le_bytes(*part) ^ key.u32()).to_le_bytes();
    }
    word
}

#[inline]
fn store_first<const N: usize>(payload: &mut [u8], word: [u8; N]) {
    if let Some(first) = payload.first_chunk_mut() {
        *first = word;
    }
}

#[inline]
fn store_last<const N: usize>(payload: &mut [u8], word: [u8; N]) {
    if let Some(last) = payload.last_chunk_mut() {
        *last = word;
    }
}

#[inline(never)]
fn unmask_long(payload: &mut [u8], key: MaskingKey) {
    wide(|| unmask_words(payload, key));
}

/// A flat loop over words: compilers make the widest vectors of it that they may use.
#[inline(always)]
fn unmask_words(payload: &mut [u8], key: MaskingKey) {
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ key.u64()).to_le_bytes();
    }
    unmask_short(rest, key);
}

/// Copies `payload` to `target`, masked: one pass over the bytes. Both have the same length.
#[inline]
pub(crate) fn copy_masked(target: &mut [u8], payload: &[u8], key: MaskingKey) {
    if payload.len() < LONG {
        target.copy_from_slice(payload);
        unmask_short(target, key);
    } else {
        copy_masked_long(target, payload, key);
    }
}

#[inline(never)]
fn copy_masked_long(target: &mut [u8], payload: &[u8], key: MaskingKey) {
    wide(
        #[inline(always)]
        || {
            let (words, rest) = payload.as_chunks::<8>();
            let (target, target_rest) = target.as_chunks_mut::<8>();
            for (target, word) in target.iter_mut().zip(words) {
                *target = (u64::from_le_bytes(*word) ^ key.u64()).to_le_bytes();
            }
            target_rest.copy_from_slice(rest);
            unmask_short(target_rest, key);
        },
    );
}

/// Runs `work`, compiled for the widest vectors that this processor has.
#[cfg(feature = "simd")]
#[inline(always)]
fn wide(work: impl FnOnce()) {
    use fearless_simd::{Level, dispatch};

    dispatch!(Level::new(), _simd => work());
}

#[cfg(not(feature = "simd"))]
#[inline(always)]
fn wide(work: impl FnOnce()) {
    work();
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

    /// RFC 6455 section 5.3, letter by letter.
    fn naive(payload: &[u8], offset: usize) -> Vec<u8> {
        payload
            .iter()
            .enumerate()
            .map(|(i, byte)| byte ^ KEY.0[(i + offset) % 4])
            .collect()
    }

    // req: M-09, M-11
    #[test]
    fn every_length_alignment_and_cut_equals_the_naive_loop() {
        let bytes: Vec<u8> = (0..400).map(|i| i as u8 ^ (i / 3) as u8).collect();
        for len in 0..=300 {
            for start in 0..32 {
                let end = start + len;
                let mut whole = bytes.clone();
                KEY.apply(&mut whole[start..end], 0);
                assert_eq!(whole[start..end], naive(&bytes[start..end], 0));
                assert_eq!(
                    (&whole[..start], &whole[end..]),
                    (&bytes[..start], &bytes[end..])
                );

                let mut copy = bytes.clone();
                copy_masked(&mut copy[start..end], &bytes[start..end], KEY);
                assert_eq!(copy, whole);
            }
            for cut in 0..=len {
                let mut pieces = bytes[..len].to_vec();
                let (left, right) = pieces.split_at_mut(cut);
                KEY.apply(left, 0);
                KEY.apply(right, cut as u64);
                assert_eq!(pieces, naive(&bytes[..len], 0));
            }
        }
    }

    // req: M-09
    #[test]
    fn the_word_loop_without_vectors_equals_the_naive_loop() {
        let bytes: Vec<u8> = (0..700).map(|i| i as u8).collect();
        for len in 0..bytes.len() {
            let mut words = bytes[..len].to_vec();
            unmask_words(&mut words, KEY.rotated(3));
            assert_eq!(words, naive(&bytes[..len], 3));
        }
    }
}
