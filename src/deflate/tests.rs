//! What is compressed here is decompressed here: messages there and back.

use alloc::{format, string::String, vec, vec::Vec};

use super::{
    Deflate, TAIL, compress::Compressor, decompress::Decompressor, negotiate::Agreement,
    slot::Slot, tokens::Walker,
};

/// Of levels that work differently.
const LEVELS: [u8; 5] = [1, 2, 4, 6, 9];

pub(super) fn compressor(level: u8, send_window_bits: u8, send_takeover: bool) -> Compressor {
    let agreement = Agreement {
        send_window_bits,
        send_takeover,
        receive_takeover: true,
    };
    let slot = Slot::try_take(usize::MAX);
    let compressor = Compressor::new(&Deflate::new().level(level), &agreement, slot);
    compressor.expect("it can compress")
}

pub(super) fn compress(compressor: &mut Compressor, input: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    compressor.finish(input, &mut out);
    out
}

fn decompress(decompressor: &mut Decompressor, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    push(decompressor, payload, &mut message);
    finish(decompressor, &mut message);
    message
}

/// Decompresses as much as there is.
fn push(decompressor: &mut Decompressor, mut payload: &[u8], message: &mut Vec<u8>) {
    let mut output = [0; 4096];
    loop {
        let progress = decompressor
            .push(payload, &mut output)
            .expect("it is valid");
        payload = &payload[progress.used..];
        message.extend_from_slice(&output[..progress.made]);
        if progress.made < output.len() && payload.is_empty() {
            return;
        }
    }
}

fn finish(decompressor: &mut Decompressor, message: &mut Vec<u8>) {
    let mut output = [0; 4096];
    let rest = decompressor.finish(&mut output).expect("it is complete");
    assert!(rest.is_done);
    message.extend_from_slice(&output[..rest.made]);
}

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % n
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    fn json(&mut self, len: usize) -> Vec<u8> {
        let mut text = String::from("[");
        while text.len() < len {
            let (id, price) = (self.below(100_000), self.below(10_000));
            text += &format!("{{\"id\":{id},\"event\":\"trade\",\"price\":{price}.5}},");
        }
        text.truncate(len);
        text.into_bytes()
    }
}

fn samples() -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let mut samples = vec![vec![], b"a".to_vec(), vec![0; 100_000]];
    for len in [10, 100, 1000, 5000, 70_000] {
        samples.push(random.json(len));
        samples.push(random.bytes(len));
        // The same again, far behind.
        samples.push(random.bytes(len).repeat(3));
    }
    samples
}

// req: D-14, D-20, D-21, D-23
#[test]
fn messages_come_back_and_keep_to_the_window() {
    let samples = samples();
    for (level, bits) in LEVELS
        .into_iter()
        .flat_map(|l| (9..=15).map(move |b| (l, b)))
    {
        for takeover in [false, true] {
            let mut compressor = compressor(level, bits, takeover);
            let mut decompressor = Decompressor::new(takeover);
            let mut walker = Walker::default();
            for message in samples.iter().chain(&samples) {
                let payload = compress(&mut compressor, message);
                assert!(!payload.is_empty() && !payload.ends_with(&TAIL));
                assert!(decompress(&mut decompressor, &payload) == *message);
                assert_eq!(walker.message(&payload), message.len());
            }
            let max = walker.max_distance();
            assert!(max <= 1 << bits, "{max}, level {level}, {bits} bits");
            assert!(max > 1 << (bits - 2), "{max}, level {level}, {bits} bits");
        }
    }
}

/// The places where output is exactly full are among them.
#[test]
fn messages_of_all_sizes_come_back() {
    let data = Random(3).bytes(1500);
    for level in LEVELS {
        let mut compressor = compressor(level, 15, true);
        let mut decompressor = Decompressor::new(true);
        for len in 0..data.len() {
            let mut payload = compress(&mut compressor, &data[..len]);
            assert_eq!(decompress(&mut decompressor, &payload), &data[..len]);
            compressor.forget();
            payload = compress(&mut compressor, &data[..len]);
            assert_eq!(decompress(&mut decompressor, &payload), &data[..len]);
            // What is larger than this is for `Codec` to send as it is.
            assert!(
                payload.len() <= len + len / 8 + 16,
                "{} of {len}",
                payload.len()
            );
        }
    }
}

// req: D-15, D-29
#[test]
fn parts_join_to_the_message_and_carry_nothing_of_the_tail() {
    let mut random = Random(5);
    for (level, takeover) in LEVELS.into_iter().flat_map(|l| [(l, false), (l, true)]) {
        let mut compressor = compressor(level, 12, takeover);
        let mut decompressor = Decompressor::new(takeover);
        let mut walker = Walker::default();
        for _ in 0..200 {
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            let mut payload = Vec::new();
            for _ in 0..random.below(8) {
                let len = [0, 1, 50, 3000][random.below(4)];
                let input = match random.below(2) {
                    0 => random.json(len),
                    _ => random.bytes(len),
                };
                sent.extend_from_slice(&input);
                let start = payload.len();
                compressor.part(&input, &mut payload);
                push(&mut decompressor, &payload[start..], &mut received);
                assert!(received == sent, "all of it can be decompressed");
                assert!(!payload.ends_with(&TAIL));
            }
            let len = random.below(3) * 100;
            let last = random.json(len);
            sent.extend_from_slice(&last);
            let start = payload.len();
            compressor.finish(&last, &mut payload);
            push(&mut decompressor, &payload[start..], &mut received);
            finish(&mut decompressor, &mut received);
            assert!(received == sent);
            assert!(!payload.is_empty() && !payload.ends_with(&TAIL));
            assert_eq!(walker.message(&payload), sent.len());
            assert!(walker.max_distance() <= 1 << 12);
        }
    }
}

// req: D-22
#[test]
fn what_was_not_sent_is_forgotten() {
    let mut random = Random(11);
    for (level, takeover) in LEVELS.into_iter().flat_map(|l| [(l, false), (l, true)]) {
        assert_forgets(&mut random, level, takeover);
    }
}

fn assert_forgets(random: &mut Random, level: u8, takeover: bool) {
    let mut compressor = compressor(level, 15, takeover);
    let mut decompressor = Decompressor::new(takeover);
    let phrases: Vec<_> = (0..4).map(|_| random.json(300)).collect();
    for _ in 0..500 {
        let message = &phrases[random.below(phrases.len())];
        match random.below(4) {
            // It was discarded, whole or in the middle.
            0 => {
                compress(&mut compressor, message);
                compressor.forget();
            }
            1 => {
                compressor.part(message, &mut Vec::new());
                compressor.forget();
            }
            _ => {
                let payload = compress(&mut compressor, message);
                assert_eq!(decompress(&mut decompressor, &payload), *message);
            }
        }
    }
}

// req: D-02
#[test]
fn takeover_makes_repeated_messages_small() {
    let message = Random(1).json(300);
    let mut with = compressor(1, 15, true);
    let mut without = compressor(1, 15, false);
    let first = compress(&mut with, &message);
    assert_eq!(compress(&mut without, &message), first);
    assert!(compress(&mut with, &message).len() < 20);
    assert_eq!(compress(&mut without, &message), first);
}

/// The figures of the documentation of [`Deflate`].
#[test]
fn states_are_as_large_as_documented() {
    for (bits, bytes) in [(9, 150_656), (12, 164_992), (15, 279_680)] {
        let mut compressor = compressor(1, bits, true);
        let info = allocation_counter::measure(|| compressor.part(b"Hello", &mut vec![]));
        assert!(info.bytes_max.abs_diff(bytes) < 1024, "{info:?}");
    }
    let mut decompressor = Decompressor::new(true);
    let info = allocation_counter::measure(|| {
        assert!(decompressor.push(b"\x00", &mut []).is_ok());
    });
    assert!(info.bytes_max.abs_diff(47_552) < 1024, "{info:?}");
}

#[test]
fn messages_need_no_allocation_in_the_long_run() {
    let message = Random(1).json(2000);
    for takeover in [false, true] {
        let mut compressor = compressor(1, 15, takeover);
        let mut decompressor = Decompressor::new(takeover);
        let (mut payload, mut received) = (Vec::new(), Vec::new());
        let mut round = || {
            payload.clear();
            received.clear();
            compressor.finish(&message, &mut payload);
            push(&mut decompressor, &payload, &mut received);
            finish(&mut decompressor, &mut received);
        };
        round();
        assert_eq!(allocation_counter::measure(round).count_total, 0);
    }
}

#[test]
fn connections_that_hold_them_can_move_to_other_threads() {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Compressor>();
    assert_send_sync::<Decompressor>();
}
