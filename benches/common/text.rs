//! Texts of exactly so many bytes.

pub(crate) const ASCII: &str = "The quick brown fox jumps over the lazy dog. ";

/// `sample` over and over, filled up with dots.
pub(crate) fn text(sample: &str, len: usize) -> Vec<u8> {
    let mut text = String::with_capacity(len);
    for character in sample.chars().cycle() {
        if text.len() + character.len_utf8() > len {
            break;
        }
        text.push(character);
    }
    while text.len() < len {
        text.push('.');
    }
    text.into_bytes()
}
