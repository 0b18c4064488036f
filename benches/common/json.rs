//! Messages of JSON that differ, so that context takeover finds what messages of one kind have in common and
//! not the same message again.

/// How many different messages there are, or as many as come to 1 MiB.
pub(crate) const MESSAGES: usize = 256;

/// Messages of exactly `size` bytes each.
pub(crate) fn json(size: usize) -> Vec<String> {
    const WORDS: [&str; 16] = [
        "market", "limit", "filled", "order", "the", "and", "price", "moved", "below", "open",
        "buyer", "seller", "waits", "for", "close", "again",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    let mut message = || {
        let mut text = String::from("{\"events\":[");
        while text.len() < size {
            let note: Vec<_> = (0..2 + below(5))
                .map(|_| WORDS[below(16) as usize])
                .collect();
            text += &format!(
                "{{\"id\":{},\"symbol\":\"{}{}\",\"price\":{}.{:02},\"size\":{},\"time\":{},\"note\":\"{}\"}},",
                below(1_000_000),
                char::from(b'A' + below(26) as u8),
                char::from(b'A' + below(26) as u8),
                below(1000),
                below(100),
                below(500),
                1_700_000_000_000 + below(1_000_000_000),
                note.join(" "),
            );
        }
        text.truncate(size);
        text
    };
    (0..MESSAGES.min((1 << 20) / size))
        .map(|_| message())
        .collect()
}
