//! Sending: binary messages are queued, masked by a client, and written to a wire that counts.

use std::rc::Rc;

use bytes::Bytes;

use crate::{
    contestant::{Entry, Job, Load, Sends, Told, wire},
    frames::{frames, is_message},
    wire::{Output, Wire},
};

/// How many messages there are in a turn.
const TURN: usize = 64;

/// Every load, by the name of its scenario.
pub(crate) fn scenarios() -> Vec<(String, Load)> {
    let mut all = Vec::new();
    let (small, large) = ([16, 125, 1024, 16 * 1024], [1024 * 1024]);
    for (client, sizes) in [
        (false, small.to_vec()),
        (true, [&small[..], &large].concat()),
    ] {
        let role = if client { "client" } else { "serve" };
        for (size, flush) in sizes.into_iter().flat_map(|size| [(size, 1), (size, 64)]) {
            let payload = payload(size);
            all.push((
                format!("{role} {size}, flush {flush}"),
                Load {
                    client,
                    payload,
                    flush,
                },
            ));
        }
    }
    all
}

/// Bytes that are no masked zeros, to see a wrong key.
pub(crate) fn payload(size: usize) -> Bytes {
    (0..size).map(|i| (i * 7) as u8).collect()
}

/// Sends `load` with what `sender` makes.
pub(crate) fn entry<S: Sends + 'static>(
    idiom: &'static str,
    load: &Load,
    sender: impl FnOnce(Wire) -> S,
) -> Entry {
    flushing(idiom, load, load.flush, sender)
}

/// The same where the README flushes behind every message: what it makes of many to a flush.
pub(crate) fn readme<S: Sends + 'static>(
    load: &Load,
    sender: impl FnOnce(Wire) -> S,
) -> Option<Entry> {
    (load.flush > 1).then(|| flushing("readme", load, 1, sender))
}

fn flushing<S: Sends + 'static>(
    idiom: &'static str,
    load: &Load,
    flush: usize,
    sender: impl FnOnce(Wire) -> S,
) -> Entry {
    let (wire, output) = wire(&Bytes::new());
    let Load {
        client,
        ref payload,
        ..
    } = *load;
    let job = Sending {
        sender: sender(wire),
        payload: payload.clone(),
        client,
        flush,
        output,
    };
    Entry {
        idiom,
        job: Box::new(job),
    }
}

struct Sending<S> {
    sender: S,
    payload: Bytes,
    client: bool,
    flush: usize,
    output: Rc<Output>,
}

impl<S: Sends> Job for Sending<S> {
    fn check(&mut self) -> Result<Vec<Told>, String> {
        self.output.keep();
        let before = self.output.writes();
        self.sender.send(TURN, self.flush);
        let writes = (self.output.writes() - before) as f64 / TURN as f64;
        let frames = frames(&self.output.take_kept(), self.client)?;
        if frames.len() != TURN || !frames.iter().all(|frame| is_message(frame, &self.payload)) {
            return Err(format!(
                "{} frames, or not what was to be sent",
                frames.len()
            ));
        }
        let first = frames[0].header.masking_key;
        if self.client && frames.iter().all(|frame| frame.header.masking_key == first) {
            return Err("one masking key for all".into());
        }
        Ok(vec![("writes per message", writes, "calls")])
    }

    fn messages(&self) -> usize {
        TURN
    }

    fn run(&mut self, turns: usize) {
        let before = self.output.bytes();
        self.sender.send(turns * TURN, self.flush);
        let each = frame_len(self.payload.len(), self.client);
        assert_eq!(
            self.output.bytes() - before,
            (turns * TURN * each) as u64,
            "bytes on the wire"
        );
    }
}

/// The bytes of a message in one frame.
pub(crate) fn frame_len(payload: usize, client: bool) -> usize {
    let length = match payload {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    };
    length + if client { 4 } else { 0 } + payload
}
