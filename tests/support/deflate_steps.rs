//! What an application may do on a connection that compresses, step by step, with payloads of any size
//! that do or don't get smaller.

use bytes::Bytes;
use framewire::{Connection, Deflate, MessageKind, PreparedMessage, Role};
use proptest::{collection::vec, option, prelude::*, sample::Index};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The same few words again and again.
    Repetitive,
    Json,
    /// Nothing that could be made smaller, but for what was in an earlier message.
    Random,
    /// Random up to the half.
    Mixed,
}

/// A payload. Those with the same seed begin in the same way, so that messages resemble each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) content: Content,
    pub(crate) len: usize,
    pub(crate) seed: u64,
}

impl Body {
    /// The payload of a message of this kind: `len` bytes, or a little less of a text.
    pub(crate) fn payload(&self, kind: MessageKind) -> Vec<u8> {
        let len = self.len;
        let random = |len| match kind {
            MessageKind::Text => random_text(self.seed, len),
            MessageKind::Binary => random(self.seed).take(len).collect(),
        };
        let mut payload = match self.content {
            Content::Repetitive => b"tide is high, ".repeat(len / 14 + 1),
            Content::Json => json(self.seed, len),
            Content::Random => random(len),
            Content::Mixed => [random(len / 2), json(self.seed, len)].concat(),
        };
        payload.truncate(len);
        if kind == MessageKind::Text
            && let Err(error) = std::str::from_utf8(&payload)
        {
            payload.truncate(error.valid_up_to());
        }
        payload
    }
}

/// Random bytes, the same for the same seed.
pub(crate) fn random(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as u8
    })
}

/// Characters of one to four bytes.
fn random_text(seed: u64, len: usize) -> Vec<u8> {
    let mut random = random(seed);
    let mut text = String::new();
    while text.len() < len {
        let bytes = [(); 4].map(|()| random.next().expect("it does not end"));
        let number = u32::from_le_bytes(bytes);
        let most = [0x80, 0x800, 0x1_0000, 0x11_0000][number as usize >> 8 & 3];
        text.extend(char::from_u32((number >> 10) % most));
    }
    text.into_bytes()
}

fn json(seed: u64, len: usize) -> Vec<u8> {
    let mut random = random(seed);
    let mut json = Vec::new();
    while json.len() < len {
        let [a, b] = [(); 2].map(|()| random.next().expect("it does not end"));
        let entry = format!("{{\"id\":{a},\"name\":\"boat {b}\",\"afloat\":{}}},", a > b);
        json.extend(entry.into_bytes());
    }
    json
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `send_text` or `send_binary`.
    Whole(MessageKind, Body),
    /// `send_bytes`.
    Shared(MessageKind, Body),
    /// `send_prepared`, compressed beforehand with this window and level, or not.
    Prepared(MessageKind, Body, Option<(u8, u8)>),
    /// `start_message`, `send_part` and `finish_message`, cut at these places.
    Streamed {
        kind: MessageKind,
        body: Body,
        cuts: Vec<Index>,
        /// Whether a ping follows each part.
        pings: bool,
        /// `set_compression` in the middle, which is for the next message.
        switch: Option<bool>,
    },
    Ping,
    Switch(bool),
}

/// What a step has queued.
#[derive(Clone, Debug)]
pub(crate) enum Queued {
    Ping(Vec<u8>),
    Message {
        kind: MessageKind,
        payload: Vec<u8>,
        /// The number of frames.
        frames: usize,
        /// Sent in parts, so that it can't be seen beforehand what it comes to.
        is_streamed: bool,
        /// Whether it must be compressed, or must not, or either.
        is_compressed: Option<bool>,
    },
}

/// What decides whether a message is compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) role: Role,
    pub(crate) threshold: usize,
    /// The window agreed on, if we can compress at all.
    pub(crate) window_bits: Option<u8>,
    /// What `set_compression` said last.
    pub(crate) is_on: bool,
}

impl Sender {
    /// Takes `step` on `conn`, and tells what has to come of it.
    #[track_caller]
    pub(crate) fn take(&mut self, conn: &mut Connection, step: &Step) -> Vec<Queued> {
        match step {
            Step::Whole(kind, body) => {
                let payload = body.payload(*kind);
                let sent = match kind {
                    MessageKind::Text => conn.send_text(as_text(&payload)),
                    MessageKind::Binary => conn.send_binary(&payload),
                };
                sent.expect("it is open");
                vec![self.whole(*kind, body, payload)]
            }
            Step::Shared(kind, body) => {
                let payload = body.payload(*kind);
                let sent = conn.send_bytes(*kind, Bytes::from(payload.clone()));
                sent.expect("it is open");
                vec![self.whole(*kind, body, payload)]
            }
            Step::Prepared(kind, body, compress) => {
                let payload = body.payload(*kind);
                let mut prepared = match kind {
                    MessageKind::Text => PreparedMessage::text(as_text(&payload)),
                    MessageKind::Binary => PreparedMessage::binary(&payload),
                };
                if let Some((bits, level)) = *compress {
                    let options = Deflate::new().threshold(0).level(level);
                    prepared = prepared.compress(&options.send_window_bits(bits));
                }
                conn.send_prepared(&prepared).expect("it is open");
                if self.role == Role::Client {
                    return vec![self.whole(*kind, body, payload)];
                }
                let fits =
                    compress.is_some_and(|(bits, _)| self.window_bits.is_some_and(|w| bits <= w));
                let is_compressed = worth(self.is_on && fits, body);
                vec![message(*kind, payload, is_compressed)]
            }
            Step::Streamed {
                kind,
                body,
                cuts,
                pings,
                switch,
            } => self.stream(conn, (*kind, body), cuts, *pings, *switch),
            Step::Ping => {
                conn.send_ping(b"between").expect("it is open");
                vec![Queued::Ping(b"between".to_vec())]
            }
            Step::Switch(on) => {
                self.is_on = *on;
                conn.set_compression(*on);
                Vec::new()
            }
        }
    }

    #[track_caller]
    fn stream(
        &mut self,
        conn: &mut Connection,
        (kind, body): (MessageKind, &Body),
        cuts: &[Index],
        pings: bool,
        switch: Option<bool>,
    ) -> Vec<Queued> {
        let payload = body.payload(kind);
        let parts = pieces(&payload, cuts);
        let (last, parts) = parts.split_last().expect("there is always one");
        let is_compressed = self.is_on && self.window_bits.is_some();
        let mut queued = Vec::new();
        conn.start_message(kind).expect("it is open");
        for (n, part) in parts.iter().enumerate() {
            conn.send_part(part).expect("the text goes on");
            if pings {
                conn.send_ping(&[n as u8]).expect("it is open");
                queued.push(Queued::Ping(vec![n as u8]));
            }
            if let Some(on) = switch {
                self.is_on = on;
                conn.set_compression(on);
            }
        }
        conn.finish_message(last).expect("the text ends");
        let frames = parts.iter().filter(|part| !part.is_empty()).count() + 1;
        queued.push(Queued::Message {
            kind,
            payload,
            frames,
            is_streamed: true,
            is_compressed: Some(is_compressed),
        });
        queued
    }

    fn whole(&self, kind: MessageKind, body: &Body, payload: Vec<u8>) -> Queued {
        let can = self.is_on && self.window_bits.is_some() && payload.len() >= self.threshold;
        message(kind, payload, worth(can, body))
    }
}

/// A message that gets much smaller is compressed if it can be.
fn worth(can: bool, body: &Body) -> Option<bool> {
    let is_worth_it = body.content == Content::Repetitive && body.len >= 100;
    (!can || is_worth_it).then_some(can)
}

fn message(kind: MessageKind, payload: Vec<u8>, is_compressed: Option<bool>) -> Queued {
    Queued::Message {
        kind,
        payload,
        frames: 1,
        is_streamed: false,
        is_compressed,
    }
}

fn as_text(payload: &[u8]) -> &str {
    std::str::from_utf8(payload).expect("a text is UTF-8")
}

/// `bytes` cut at these places; the pieces may be empty.
pub(crate) fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let mut start = 0;
    let piece = |end| &bytes[std::mem::replace(&mut start, end)..end];
    cuts.into_iter().map(piece).collect()
}

pub(crate) fn any_kind() -> impl Strategy<Value = MessageKind> {
    prop::sample::select(vec![MessageKind::Text, MessageKind::Binary])
}

pub(crate) fn any_body() -> impl Strategy<Value = Body> {
    use Content::{Json, Mixed, Random, Repetitive};
    let content = prop::sample::select(vec![Repetitive, Json, Random, Mixed]);
    let len = prop_oneof![
        4 => 0_usize..300,
        3 => 0_usize..5000,
        2 => 0_usize..40_000,
        1 => 0_usize..=200 * 1024,
    ];
    (content, len, 0_u64..3).prop_map(|(content, len, seed)| Body { content, len, seed })
}

pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let (kind, body) = (any_kind, any_body);
    let level = prop::sample::select(vec![1, 6, 9]);
    let compress = option::weighted(0.8, (9_u8..=15, level));
    let streamed = (
        kind(),
        body(),
        vec(any::<Index>(), 0..6),
        any::<bool>(),
        option::weighted(0.2, any::<bool>()),
    );
    prop_oneof![
        4 => (kind(), body()).prop_map(|(kind, body)| Step::Whole(kind, body)),
        2 => (kind(), body()).prop_map(|(kind, body)| Step::Shared(kind, body)),
        3 => (kind(), body(), compress).prop_map(|(kind, body, c)| Step::Prepared(kind, body, c)),
        4 => streamed.prop_map(|(kind, body, cuts, pings, switch)| {
            Step::Streamed { kind, body, cuts, pings, switch }
        }),
        1 => Just(Step::Ping),
        1 => prop::bool::weighted(0.6).prop_map(Step::Switch),
    ]
}
