//! UTF-8 (RFC 3629), for text that came whole and for text that comes in pieces.
//!
//! Text that came whole is looked at once, by [`validate`]. Text in pieces goes through
//! [`Incremental`], which fails on the first byte that can't continue and keeps at most the three
//! bytes of an unfinished character between two pieces.

/// The text in `bytes`, or `None` if they are not UTF-8.
#[inline]
pub(crate) fn validate(bytes: &[u8]) -> Option<&str> {
    // simdutf8 pays from 64 bytes on; below, it would call the standard library as well. That looks at each byte of
    // what is not aligned. The crate `ascii` does not, but with its comparisons between its own types and `u8` in the
    // build, users' `assert_eq!(bytes, [])` would compile no more.
    if bytes.len() < 64 {
        core::str::from_utf8(bytes).ok()
    } else {
        simdutf8::basic::from_utf8(bytes).ok()
    }
}

/// The bytes can't be continued to valid UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// The state between two pieces of a text: the beginning of a character whose end is missing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Incremental {
    /// The first `len` bytes are a proper prefix of a character.
    started: [u8; 4],
    len: u8,
}

impl Incremental {
    /// Whether the text so far ends between two characters.
    pub(crate) fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// Gives all text that `piece` completes to `text`, in up to two portions: the character that
    /// an earlier piece began, then the rest. Looks at every byte once.
    pub(crate) fn push(
        &mut self,
        mut piece: &[u8],
        mut text: impl FnMut(&str),
    ) -> Result<(), Invalid> {
        while self.len > 0 {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            let mut started = self.started;
            let len = usize::from(self.len);
            started[len] = byte;
            let started = &started[..=len];
            match core::str::from_utf8(started) {
                Ok(character) => {
                    text(character);
                    self.len = 0;
                }
                Err(error) if error.error_len().is_none() => self.keep(started),
                Err(_) => return Err(Invalid),
            }
        }
        // The unfinished character is cut off first, so that the rest is looked at once, by the
        // fastest check, which does not tell where an error is.
        let (whole, started) = piece.split_at(piece.len() - unfinished_len(piece));
        text(validate(whole).ok_or(Invalid)?);
        match core::str::from_utf8(started) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_none() => {
                self.keep(started);
                Ok(())
            }
            Err(_) => Err(Invalid),
        }
    }

    /// `started` is an unfinished character: one to three bytes.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a character has at most four bytes"
    )]
    fn keep(&mut self, started: &[u8]) {
        self.started[..started.len()].copy_from_slice(started);
        self.len = started.len() as u8;
    }
}

/// How many bytes at the end of `bytes` look like a character without its end: 0 to 3.
fn unfinished_len(bytes: &[u8]) -> usize {
    for (continuations, byte) in bytes.iter().rev().take(3).enumerate() {
        let size = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        return if continuations + 1 < size {
            continuations + 1
        } else {
            0
        };
    }
    0
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    /// The verdict on `bytes` in two pieces: the text, or how many bytes were looked at in vain.
    fn in_two(bytes: &[u8], cut: usize) -> Result<String, ()> {
        let mut text = String::new();
        let mut state = Incremental::default();
        for piece in [&bytes[..cut], &bytes[cut..]] {
            state
                .push(piece, |part| text.push_str(part))
                .map_err(|Invalid| ())?;
        }
        if state.is_complete() {
            Ok(text)
        } else {
            Err(())
        }
    }

    fn agrees_with_std(bytes: &[u8]) {
        let expected = core::str::from_utf8(bytes);
        for cut in 0..=bytes.len() {
            assert_eq!(
                in_two(bytes, cut).as_deref().ok(),
                expected.ok(),
                "{bytes:02x?} at {cut}"
            );
        }
        // Fails exactly when no continuation could help, and not one byte later.
        let mut state = Incremental::default();
        let hopeless = expected.is_err_and(|error| error.error_len().is_some());
        assert_eq!(state.push(bytes, |_| ()).is_err(), hopeless, "{bytes:02x?}");
    }

    /// One byte of each class that the grammar of RFC 3629 section 4 tells apart, and its borders.
    const CLASSES: [u8; 24] = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
        0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
    ];

    // req: T-14
    #[test]
    fn all_short_strings_agree_with_the_standard_library_at_every_cut() {
        agrees_with_std(&[]);
        for a in 0..=255 {
            agrees_with_std(&[a]);
            for b in 0..=255 {
                agrees_with_std(&[a, b]);
                for c in CLASSES {
                    agrees_with_std(&[a, b, c]);
                }
            }
        }
        for a in 0xf0..=0xff {
            for b in 0..=255 {
                for c in CLASSES {
                    for d in CLASSES {
                        agrees_with_std(&[a, b, c, d]);
                    }
                }
            }
        }
    }

    // req: T-14
    #[test]
    fn a_long_text_agrees_with_the_standard_library_at_every_cut() {
        agrees_with_std("Грüße, 世界 🦀: ".repeat(8).as_bytes());
        for (place, byte) in [(40, 0xff), (70, 0xc3), (3, 0xed)] {
            let mut bytes = "Грüße, 世界 🦀: ".repeat(8).into_bytes();
            bytes[place] = byte;
            agrees_with_std(&bytes);
        }
    }
}
