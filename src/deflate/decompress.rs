//! Decompressing messages (RFC 7692 section 7.2.2), a piece at a time and never more than there is room
//! for. Limits on what comes out are the caller's.

use core::fmt;
use std::thread_local;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{MAX_WINDOW_BITS, TAIL, advance, pool::Pool};

thread_local! {
    static IDLE: Pool<Inflate> = const { Pool::new() };
}

/// The payload of a message is no data that RFC 7692 lets a sender make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidData;

/// What a piece of a message came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How much of the input was used.
    pub(crate) used: usize,
    /// How much of the output was written.
    pub(crate) made: usize,
}

/// What the end of a message came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// How much of the output was written.
    pub(crate) made: usize,
    /// Whether the message has ended. If not, the output was too small.
    pub(crate) is_done: bool,
}

/// Decompresses the messages of one peer, one after the other.
///
/// It is made without a state. It gets one with the first input, and keeps it no longer than to the
/// end of that message unless there is context takeover. The window is 32 KiB whatever was agreed:
/// with a smaller one zlib finds a distance too far in some segmentations of a message and not in
/// others.
///
/// ```text
///          input              finish
///   Fresh -------> Within ---------------> Fresh, with history if there is takeover
///     ^              |
///     +--------------+ the stream ends by BFINAL, without history
/// ```
pub(crate) struct Decompressor {
    takeover: bool,
    inflate: Option<Inflate>,
    stage: Stage,
}

/// Where a message stands. The deflate stream of a message may end before the message does, by a
/// block with BFINAL set, and another may follow (section 7.2.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// At the start of a message, or behind the end of a stream in it.
    Fresh,
    /// In a stream. `is_drained`: no output waits for room.
    Within { is_drained: bool },
    /// The data was invalid, which ends the connection.
    Failed,
}

impl Decompressor {
    /// Makes one, without a state. `takeover` is whether messages may refer to those before.
    pub(crate) const fn new(takeover: bool) -> Self {
        Self {
            takeover,
            inflate: None,
            stage: Stage::Fresh,
        }
    }

    /// Decompresses `input`, the next piece of the message in progress, into `output`, until the one
    /// is used up or the other full.
    ///
    /// # Errors
    ///
    /// If the data is invalid, and what came before that has been decompressed. Nothing can be
    /// decompressed after it.
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Progress, InvalidData> {
        let mut progress = Progress::default();
        loop {
            let (_, input) = input.split_at(progress.used);
            let (_, output) = output.split_at_mut(progress.made);
            if input.is_empty() && self.stage == Stage::Fresh {
                return Ok(progress);
            }
            let step = match self.step(input, output, InflateFlush::NoFlush) {
                Err(InvalidData) if progress.made > 0 => return Ok(progress),
                step => step?,
            };
            progress.used += step.used;
            progress.made += step.made;
            if self.stage != Stage::Fresh || step.made == output.len() {
                return Ok(progress);
            }
        }
    }

    /// Ends the message: checks that its data is complete, after whatever output is left of it, which
    /// takes several calls if `output` is too small.
    ///
    /// An `output` without room gets no further than to what is left. When a limit is reached, one
    /// byte of room tells whether the message exceeds it.
    ///
    /// # Errors
    ///
    /// If the data is invalid or ends inside a block. Nothing can be decompressed after that.
    pub(crate) fn finish(&mut self, output: &mut [u8]) -> Result<Rest, InvalidData> {
        let mut made = 0;
        if self.stage == (Stage::Within { is_drained: false }) {
            made = self.step(&[], output, InflateFlush::NoFlush)?.made;
        }
        let is_done = match self.stage {
            Stage::Failed if made == 0 => return Err(InvalidData),
            Stage::Failed | Stage::Within { is_drained: false } => false,
            // An empty payload, or one that a stream ends with: the tail would only begin another.
            Stage::Fresh => true,
            Stage::Within { is_drained: true } => {
                self.end_stream()?;
                true
            }
        };
        if is_done && !self.takeover {
            self.release();
        }
        Ok(Rest { made, is_done })
    }

    /// Whether the data was invalid, which the next call tells.
    pub(crate) fn has_failed(&self) -> bool {
        self.stage == Stage::Failed
    }

    /// Feeds the tail that the sender removed, and checks that it is one.
    ///
    /// "the last octet of the compressed data contains (possibly part of) the DEFLATE header bits
    /// with the 'BTYPE' bits set to 00" (section 7.2.1), so that the tail is the rest of an empty
    /// block: nothing comes out of it, and the block ends with it. Data that ended inside another
    /// block makes something else of it.
    fn end_stream(&mut self) -> Result<(), InvalidData> {
        const CLOSING: [u8; 9] = *b"\x00\x00\xff\xff\x00\x00\x00\xff\xff";
        let (tail, empty_block) = CLOSING.split_at(TAIL.len());
        let mut room = [0];

        // Inflating stops at the end of a block, and what follows keeps it from stopping elsewhere.
        let Progress { used, made } = self.step(&CLOSING, &mut room, InflateFlush::Block)?;
        if used != tail.len() || made != 0 {
            return Err(self.fail());
        }
        // That was the last octet of the tail, but maybe not its last bit. Then the ones that are left
        // set BFINAL, and the stream ends by what follows.
        let Progress { used, .. } = self.step(empty_block, &mut room, InflateFlush::NoFlush)?;
        let is_valid = match self.stage {
            Stage::Within { .. } => used == empty_block.len(),
            // The stream had ended before: the header that the tail belongs to had BFINAL set.
            Stage::Fresh => used == 0,
            Stage::Failed => false,
        };
        if !is_valid {
            return Err(self.fail());
        }
        self.stage = Stage::Fresh;
        Ok(())
    }

    /// Inflates until `input` is used up, `output` is full or the stream ends; with
    /// `InflateFlush::Block` also at the end of a block.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: InflateFlush,
    ) -> Result<Progress, InvalidData> {
        if self.stage == Stage::Failed {
            return Err(InvalidData);
        }
        let inflate = self.inflate.get_or_insert_with(take_idle);
        let before = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(input, output, flush);
        let progress = Progress {
            used: advance(before.0, inflate.total_in()),
            made: advance(before.1, inflate.total_out()),
        };
        let Ok(status) = status else {
            let error = self.fail();
            // What came before the mistake comes first, however the input was cut.
            return if progress.made > 0 {
                Ok(progress)
            } else {
                Err(error)
            };
        };
        self.stage = match status {
            // The history goes with the stream, since zlib-rs can't keep it. Nor can the compressors
            // that set BFINAL: it ends their state too.
            Status::StreamEnd => {
                inflate.reset(false);
                Stage::Fresh
            }
            Status::Ok | Status::BufError => Stage::Within {
                is_drained: progress.made < output.len(),
            },
        };
        Ok(progress)
    }

    fn fail(&mut self) -> InvalidData {
        self.release();
        self.stage = Stage::Failed;
        InvalidData
    }

    /// Gives the state to the pool, without its history.
    fn release(&mut self) {
        if let Some(mut inflate) = self.inflate.take() {
            inflate.reset(false);
            // There is no pool any more when the thread ends.
            let _ = IDLE.try_with(|idle| idle.put(inflate));
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("takeover", &self.takeover)
            .field("stage", &self.stage)
            .field("has_state", &self.inflate.is_some())
            .finish()
    }
}

fn take_idle() -> Inflate {
    let idle = IDLE.try_with(|idle| idle.take(|_| true)).ok().flatten();
    idle.unwrap_or_else(|| Inflate::new(false, MAX_WINDOW_BITS))
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    /// Decompresses one message whose input comes in `pieces`, into `room` bytes at a time.
    fn message(
        decompressor: &mut Decompressor,
        pieces: &[&[u8]],
        room: usize,
    ) -> Result<Vec<u8>, InvalidData> {
        let mut message = Vec::new();
        let mut output = vec![0; room];
        for piece in pieces {
            let mut piece = *piece;
            while !piece.is_empty() {
                let Progress { used, made } = decompressor.push(piece, &mut output)?;
                assert!(used + made > 0, "it stalls");
                piece = &piece[used..];
                message.extend_from_slice(&output[..made]);
            }
        }
        loop {
            let Rest { made, is_done } = decompressor.finish(&mut output)?;
            message.extend_from_slice(&output[..made]);
            if is_done {
                return Ok(message);
            }
        }
    }

    /// Decompresses `payloads` in every segmentation, with and without context takeover if it makes
    /// no difference, and compares.
    fn assert_messages(
        takeovers: &[bool],
        payloads: &[&[u8]],
        expected: &[Result<&[u8], InvalidData>],
    ) {
        let longest = payloads
            .iter()
            .map(|payload| payload.len())
            .max()
            .unwrap_or(0);
        for &takeover in takeovers {
            for room in [1, 2, 3, 5, 4096] {
                for cut in 0..=longest {
                    let mut decompressor = Decompressor::new(takeover);
                    for (payload, expected) in payloads.iter().zip(expected) {
                        let (first, second) = payload.split_at(cut.min(payload.len()));
                        let message = message(&mut decompressor, &[first, second], room);
                        assert_eq!(
                            message.as_deref().map_err(|&error| error),
                            *expected,
                            "{payload:02x?} cut at {cut}, room {room}, takeover {takeover}"
                        );
                    }
                }
                let mut decompressor = Decompressor::new(takeover);
                for (payload, expected) in payloads.iter().zip(expected) {
                    let bytes: Vec<_> = payload.chunks(1).collect();
                    let message = message(&mut decompressor, &bytes, room);
                    assert_eq!(message.as_deref().map_err(|&error| error), *expected);
                }
            }
        }
    }

    const HELLO: Result<&[u8], InvalidData> = Ok(b"Hello");

    // req: D-01, D-03, D-06, D-07, D-08, D-17
    #[test]
    fn examples_of_the_rfc() {
        for (payload, expected) in [
            // 7.2.3.1: a fixed Huffman block
            (&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], &b"Hello"[..]),
            // 7.2.3.3: a block without compression
            (b"\x00\x05\x00\xfa\xffHello\x00", b"Hello"),
            // 7.2.3.4: BFINAL set, and a block to remove the tail of
            (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
            // the same without that block
            (b"\xf3\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
            // 7.2.3.5: two blocks
            (
                b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
                b"Hello",
            ),
            // 7.2.3.6: an empty message
            (b"\x00", b""),
            (b"", b""),
            // the padding bits set
            (b"\xf8", b""),
            // BFINAL set: an empty fixed block, one without compression, one whose rest is the tail
            (b"\x03\x00", b""),
            (b"\x01\x00\x00\xff\xff", b""),
            (b"\x01", b""),
            // several streams
            (
                b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00",
                b"HelloHello",
            ),
            (
                b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
                b"HelloHello",
            ),
            (
                b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x00\x00\xff\xff\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
                b"HelloHello",
            ),
            (b"\x03\x00\x03\x00\x03\x00", b""),
            (b"\x03\x00\x00", b""),
        ] {
            // Twice: what is left of the first must not matter.
            assert_messages(&[false, true], &[payload; 2], &[Ok(expected); 2]);
        }
    }

    // req: D-02, D-05
    #[test]
    fn messages_refer_to_those_before() {
        let first = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        let second = b"\xf2\x00\x11\x00\x00";
        let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
        assert_messages(
            &[true],
            &[first, second, b"", second],
            &[HELLO, HELLO, Ok(b""), HELLO],
        );
        assert_messages(&[false], &[first, second], &[HELLO, Err(InvalidData)]);
        assert_messages(
            &[true],
            &[last, first, second, last],
            &[HELLO, HELLO, HELLO, HELLO],
        );
        // BFINAL takes the history with it.
        assert_messages(&[true], &[last, second], &[HELLO, Err(InvalidData)]);
    }

    // req: D-19, D-35
    #[test]
    fn invalid_data_is_found_and_remembered() {
        for payload in [
            // a block of the reserved type
            &b"\xff\xff"[..],
            b"\x07",
            // LEN and NLEN don't match
            b"\x00\x05\x00\xfa\xfeHello\x00",
            // a distance too far
            b"\xf2\x00\x11\x00\x00",
            // the tail not removed, and what would be a second one
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff",
            // without the header of the last block
            b"\xf2\x48\xcd\xc9\xc9\x07",
            // inside of a Huffman block, of LEN and NLEN, and of a block without compression
            b"\xf2\x48\xcd\xc9",
            b"\xf2",
            b"\x00\x05\x00",
            b"\x00\x05\x00\xfa\xffHel",
            b"\x00\x05\x00\xfa\xffH",
            b"\x00\x05\x00\xfa\xffHello",
            // the rest of which looks as if it were the tail
            b"\x00\x04\x00\xfb\xff",
            b"\x00\x09\x00\xf6\xff",
            // inside of the description of a dynamic block
            b"\x04",
            b"\x05\xc0\x81",
            // behind a stream
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\xff",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48",
        ] {
            let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
            assert_messages(
                &[false, true],
                &[payload, hello, b""],
                &[Err(InvalidData); 3],
            );
        }
    }

    /// The payload that zlib makes of `message`, with dynamic blocks if it is long.
    fn compressed(message: &[u8]) -> Vec<u8> {
        let mut payload = vec![0; message.len() + 64];
        let mut deflate = zlib_rs::Deflate::new(6, false, 15);
        let flush = zlib_rs::DeflateFlush::SyncFlush;
        let status = deflate.compress(message, &mut payload, flush);
        assert_eq!(status, Ok(Status::Ok));
        payload.truncate(advance(0, deflate.total_out()));
        assert_eq!(payload.split_off(payload.len() - TAIL.len()), TAIL);
        payload
    }

    fn text(len: u32) -> Vec<u8> {
        (0..len).map(|i| (i * i / 7 % 64) as u8).collect()
    }

    #[test]
    fn truncated_messages_are_found() {
        let text = text(4000);
        let payload = compressed(&text);
        for takeover in [false, true] {
            for len in 0..payload.len() {
                let verdict = message(&mut Decompressor::new(takeover), &[&payload[..len]], 8192);
                assert_eq!(verdict.is_ok(), len == 0, "{len} of {}", payload.len());
            }
            let whole = message(&mut Decompressor::new(takeover), &[&payload], 8192);
            assert_eq!(whole.as_ref(), Ok(&text));
        }
    }

    // req: D-24
    #[test]
    fn verdicts_do_not_depend_on_segmentation() {
        let mut random = 1_u64;
        let mut below = |n: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % n
        };
        let two_blocks =
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00".to_vec();
        let dynamic_block = compressed(&text(500));
        let mut valid = 0;
        for round in 0..10_000 {
            let mut payload = [&two_blocks, &dynamic_block][round % 2].clone();
            for _ in 0..=below(3) {
                let at = below(payload.len());
                payload[at] = below(256) as u8;
            }
            if below(2) == 0 {
                payload.truncate(below(payload.len()));
            }
            let whole = message(&mut Decompressor::new(true), &[&payload], 1 << 18);
            valid += usize::from(whole.is_ok());
            for (pieces, room, takeover) in [
                (1, 1, true),
                (3, 7, true),
                (2, 1 << 18, false),
                (9, 1, false),
            ] {
                let pieces: Vec<_> = payload.chunks(pieces).collect();
                let other = message(&mut Decompressor::new(takeover), &pieces, room);
                assert_eq!(other, whole, "{payload:02x?}");
            }
        }
        assert!((100..9900).contains(&valid), "{valid} were valid");
    }

    // req: D-25, D-26
    #[test]
    fn output_is_bounded_by_its_room() {
        let payload = compressed(&vec![0; 64 << 20]);
        assert!(payload.len() < 66_000, "{}", payload.len());
        let mut decompressor = Decompressor::new(false);
        let mut output = vec![0; 1 << 20];
        let progress = decompressor
            .push(&payload, &mut output)
            .expect("it is valid");
        assert_eq!(progress.made, output.len());
        assert!(progress.used < 1100);
        // Nothing comes without room, and one byte of it tells that there is more.
        assert_eq!(decompressor.push(&[], &mut []), Ok(Progress::default()));
        let rest = Rest {
            made: 1,
            is_done: false,
        };
        assert_eq!(decompressor.finish(&mut output[..1]), Ok(rest));
    }

    #[test]
    fn a_last_byte_of_room_tells_that_nothing_is_left() {
        let mut decompressor = Decompressor::new(false);
        let mut output = [0; 5];
        let progress = decompressor.push(b"\xf2\x48\xcd\xc9\xc9\x07\x00", &mut output);
        assert_eq!(progress.map(|progress| progress.made), Ok(5));
        let rest = Rest {
            made: 0,
            is_done: false,
        };
        assert_eq!(decompressor.finish(&mut []), Ok(rest));
        let rest = Rest {
            made: 0,
            is_done: true,
        };
        assert_eq!(decompressor.finish(&mut [0]), Ok(rest));
    }

    // req: D-28
    #[test]
    fn input_that_yields_nothing_is_cheap() {
        for unit in [&b"\x00\x00\x00\xff\xff"[..], b"\x03\x00"] {
            let mut payload = unit.repeat((1 << 20) / unit.len());
            payload.push(0x00);
            let whole = message(&mut Decompressor::new(true), &[&payload], 1);
            assert_eq!(whole, Ok(Vec::new()));
        }
    }

    // req: D-33
    #[test]
    fn states_are_held_no_longer_than_needed() {
        let idle = || IDLE.with(|idle| core::iter::from_fn(|| idle.take(|_| true)).count());
        assert_eq!(idle(), 0);
        let hello: &[&[u8]] = &[b"\xf2\x48\xcd\xc9\xc9\x07\x00"];
        let mut without = Decompressor::new(false);
        assert_eq!(
            message(&mut without, hello, 10).as_deref(),
            HELLO.as_deref()
        );
        assert!(without.inflate.is_none());
        assert_eq!(idle(), 1);
        let mut with = Decompressor::new(true);
        assert_eq!(message(&mut with, hello, 10).as_deref(), HELLO.as_deref());
        assert_eq!(idle(), 0);
        drop(with);
        assert_eq!(idle(), 1);
        // Broken ones can be used again.
        assert!(message(&mut without, &[b"\xff"], 10).is_err());
        assert!(without.inflate.is_none());
        let mut next = Decompressor::new(false);
        assert_eq!(message(&mut next, hello, 10).as_deref(), HELLO.as_deref());
        assert_eq!(idle(), 1);
        // Empty messages need none.
        assert_eq!(message(&mut next, &[], 10), Ok(Vec::new()));
        assert_eq!(idle(), 0);
    }

    #[test]
    fn a_decompressor_may_outlive_the_pool() {
        thread_local! {
            static LAST: core::cell::RefCell<Decompressor> =
                const { core::cell::RefCell::new(Decompressor::new(true)) };
        }
        #[expect(clippy::disallowed_methods, reason = "it is about the end of a thread")]
        let thread = std::thread::spawn(|| {
            LAST.with_borrow_mut(|last| last.push(b"\xf2\x48", &mut [0; 10]))
        });
        assert!(thread.join().expect("it does not panic").is_ok());
    }
}
