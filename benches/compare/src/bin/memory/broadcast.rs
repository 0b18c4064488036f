//! One message to many clients: what the library does for each, without the socket.

use std::rc::Rc;

use bytes::Bytes;

use crate::{
    contestant::{Entry, Job, Sends, Told, wire},
    frames::{frames, is_message},
    send::{frame_len, payload},
    wire::{Output, Wire},
};

const RECIPIENTS: usize = 64;

/// Every message, by the name of its scenario.
pub(crate) fn scenarios() -> Vec<(String, Bytes)> {
    let sizes = [16, 125, 1024, 4096, 16 * 1024, 64 * 1024];
    sizes
        .map(|size| {
            (
                format!("prepared broadcast {size}, per recipient"),
                payload(size),
            )
        })
        .into()
}

/// Sends `payload` with connections that `sender` makes.
pub(crate) fn entry<S: Sends + 'static>(
    idiom: &'static str,
    payload: &Bytes,
    mut sender: impl FnMut(Wire) -> S,
) -> Entry {
    let outputs = (0..RECIPIENTS).map(|_| {
        let (wire, output) = wire(&Bytes::new());
        (sender(wire), output)
    });
    let (recipients, outputs) = outputs.unzip();
    let job = Broadcasting {
        recipients,
        outputs,
        payload: payload.clone(),
    };
    Entry {
        idiom,
        job: Box::new(job),
    }
}

struct Broadcasting<S> {
    recipients: Vec<S>,
    outputs: Vec<Rc<Output>>,
    payload: Bytes,
}

impl<S: Sends> Job for Broadcasting<S> {
    fn check(&mut self) -> Result<Vec<Told>, String> {
        for (recipient, output) in self.recipients.iter_mut().zip(&self.outputs) {
            output.keep();
            recipient.send(1, 1);
            match &frames(&output.take_kept(), false)?[..] {
                [frame] if is_message(frame, &self.payload) => {}
                frames => return Err(format!("{} frames, or not the message", frames.len())),
            }
        }
        Ok(Vec::new())
    }

    fn messages(&self) -> usize {
        RECIPIENTS
    }

    fn run(&mut self, turns: usize) {
        let written =
            |outputs: &[Rc<Output>]| outputs.iter().map(|output| output.bytes()).sum::<u64>();
        let before = written(&self.outputs);
        for _ in 0..turns {
            for recipient in &mut self.recipients {
                recipient.send(1, 1);
            }
        }
        let bytes = turns * RECIPIENTS * frame_len(self.payload.len(), false);
        assert_eq!(
            written(&self.outputs) - before,
            bytes as u64,
            "bytes on the wire"
        );
    }
}
