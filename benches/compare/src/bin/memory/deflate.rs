//! permessage-deflate (RFC 7692): JSON, sent as binary messages so that validating text is not in it.

use std::rc::Rc;

use bytes::Bytes;
use framewire::frame::Opcode;
use zlib_rs::{Inflate, InflateFlush, Status};

use crate::{
    contestant::{Compresses, Entry, Job, Told, wire},
    contestants::zlib_rs::deflated,
    frames::frames,
    json::json,
    stream::Stream,
    wire::{Output, Wire},
};

const SIZES: [usize; 3] = [150, 2048, 64 * 1024];
/// The level of what is decompressed: what browsers and most others send.
const USUAL_LEVEL: i32 = 6;
/// What a sender removes from the end of a message and the receiver puts back (section 7.2.1).
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Different messages of one size.
pub(crate) struct Texts {
    pub(crate) messages: Vec<Bytes>,
}

/// How large messages are, by the names of what is done with them.
pub(crate) fn scenarios() -> [(String, String, usize); 3] {
    SIZES.map(|size| {
        (
            format!("compress {size}"),
            format!("decompress {size}"),
            size,
        )
    })
}

/// What is compressed.
pub(crate) fn to_compress(size: usize) -> Texts {
    Texts {
        messages: json(size).into_iter().map(Bytes::from).collect(),
    }
}

/// What is decompressed. Each message was compressed by itself.
pub(crate) fn to_decompress(size: usize) -> Stream {
    let messages: Vec<_> = json(size).into_iter().map(String::into_bytes).collect();
    let compressed: Vec<_> = messages
        .iter()
        .map(|message| deflated(message, USUAL_LEVEL))
        .collect();
    Stream::of_compressed(&messages, &compressed)
}

/// Compresses `texts` with what `compressor` makes.
pub(crate) fn entry<C: Compresses + 'static>(
    idiom: &'static str,
    texts: &Rc<Texts>,
    compressor: impl FnOnce(Wire) -> C,
) -> Entry {
    let (wire, output) = wire(&Bytes::new());
    let job = Compressing {
        compressor: compressor(wire),
        texts: Rc::clone(texts),
        output,
    };
    Entry {
        idiom,
        job: Box::new(job),
    }
}

struct Compressing<C> {
    compressor: C,
    texts: Rc<Texts>,
    output: Rc<Output>,
}

impl<C: Compresses> Job for Compressing<C> {
    fn check(&mut self) -> Result<Vec<Told>, String> {
        self.output.keep();
        self.texts
            .messages
            .iter()
            .for_each(|message| self.compressor.compress(message));
        let kept = self.output.take_kept();
        let frames = frames(&kept, false)?;
        // It remembers what was before, in case that messages refer to it.
        let mut inflate = Inflate::new(false, 15);
        if frames.len() != self.texts.messages.len() {
            return Err(format!("{} frames", frames.len()));
        }
        for (frame, message) in frames.into_iter().zip(&self.texts.messages) {
            if !frame.header.fin || frame.header.opcode != Opcode::Binary {
                return Err("not one message".into());
            }
            let payload = match frame.header.reserved {
                0 => frame.payload,
                _ => inflated(&mut inflate, frame.payload, message.len())?,
            };
            if payload != *message {
                return Err("not the message".into());
            }
        }
        let each = kept.len() as f64 / self.messages() as f64;
        Ok(vec![("bytes on the wire", each, "B")])
    }

    fn messages(&self) -> usize {
        self.texts.messages.len()
    }

    fn run(&mut self, turns: usize) {
        let before = self.output.bytes();
        for _ in 0..turns {
            self.texts
                .messages
                .iter()
                .for_each(|message| self.compressor.compress(message));
        }
        assert!(self.output.bytes() > before, "nothing was written");
    }
}

fn inflated(inflate: &mut Inflate, mut payload: Vec<u8>, len: usize) -> Result<Vec<u8>, String> {
    payload.extend_from_slice(&TAIL);
    // One more, to see what is too long.
    let mut message = vec![0; len + 1];
    let (taken, before) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(&payload, &mut message, InflateFlush::SyncFlush);
    let status = status.map_err(|error| format!("{error:?}"))?;
    if status != Status::Ok || inflate.total_in() - taken != payload.len() as u64 {
        return Err(format!("{status:?} before the end of the message"));
    }
    message.truncate((inflate.total_out() - before) as usize);
    Ok(message)
}
