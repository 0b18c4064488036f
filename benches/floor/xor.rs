//! XOR with a key of four bytes, in place: nothing but a loop over words.

/// By words of eight bytes, the rest byte by byte; from 128 bytes on by the widest vectors that the processor has.
#[inline]
pub(crate) fn xor(payload: &mut [u8], key: [u8; 4]) {
    #[cfg(feature = "simd")]
    if payload.len() >= 128 {
        fearless_simd::dispatch!(fearless_simd::Level::new(), _simd => xor_words(payload, key));
        return;
    }
    xor_words(payload, key);
}

/// The same by what every processor of its kind has.
#[inline(always)]
pub(crate) fn xor_words(payload: &mut [u8], key: [u8; 4]) {
    let word = u64::from(u32::from_le_bytes(key)) * 0x1_0000_0001;
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}
