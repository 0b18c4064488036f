//! What a contestant can be asked to do. Everything is something it may not have.

use std::{hint::black_box, rc::Rc};

use bytes::Bytes;

use crate::{
    deflate::Texts,
    stream::Stream,
    wire::{Output, Wire},
};

/// A library, or a yardstick.
///
/// For each kind of work it gives as many ways to do it as it documents; none means that it can't.
pub(crate) trait Contestant {
    fn name(&self) -> &'static str;

    /// Hands out every message of a stream, as a server.
    fn parse(&self, _: &Rc<Stream>) -> Vec<Entry> {
        Vec::new()
    }

    /// Writes a binary message over and over, and flushes now and then.
    fn send(&self, _: &Load) -> Vec<Entry> {
        Vec::new()
    }

    /// Writes one message to each of many clients, and flushes each time.
    fn broadcast(&self, _: &Bytes) -> Vec<Entry> {
        Vec::new()
    }

    /// Writes messages compressed, as a server.
    fn compress(&self, _: &Rc<Texts>) -> Vec<Entry> {
        Vec::new()
    }

    /// Hands out the messages of a stream of compressed ones, as a server.
    fn decompress(&self, _: &Rc<Stream>) -> Vec<Entry> {
        Vec::new()
    }
}

/// One way to do one kind of work.
pub(crate) struct Entry {
    pub(crate) idiom: &'static str,
    pub(crate) job: Box<dyn Job>,
}

/// Work that can be repeated.
pub(crate) trait Job {
    /// Does it once with everything looked at. Gives what is to be told besides the time.
    ///
    /// # Errors
    ///
    /// What is wrong with what came out.
    fn check(&mut self) -> Result<Vec<Told>, String>;

    /// How many messages there are in a turn.
    fn messages(&self) -> usize;

    /// Does it `turns` times.
    ///
    /// # Panics
    ///
    /// If not as much came out as has to.
    fn run(&mut self, turns: usize);
}

/// Something other than time: what it is, how much, and the unit.
pub(crate) type Told = (&'static str, f64, &'static str);

/// What is to be sent, by whom.
pub(crate) struct Load {
    pub(crate) client: bool,
    pub(crate) payload: Bytes,
    /// How many messages there are to a flush.
    pub(crate) flush: usize,
}

/// Reads messages.
pub(crate) trait Reads {
    /// Reads this many messages; pings do not count.
    fn read(&mut self, messages: usize, see: &mut Seen);
}

/// What is done with messages that are handed out. The same for checks and for figures, so that there is one
/// copy of everyone's loop, as in an application.
#[derive(Default)]
pub(crate) struct Seen {
    /// The bytes of all of them.
    pub(crate) bytes: u64,
    /// All of them, one by one; not when it is measured.
    pub(crate) kept: Option<Vec<Vec<u8>>>,
}

impl Seen {
    #[inline]
    pub(crate) fn message(&mut self, payload: &[u8]) {
        self.bytes += payload.len() as u64;
        black_box(payload);
        if let Some(kept) = &mut self.kept {
            kept.push(payload.to_vec());
        }
    }
}

/// Sends one message, which it was made with.
pub(crate) trait Sends {
    /// Sends it `messages` times, with a flush behind every `flush` of them.
    fn send(&mut self, messages: usize, flush: usize);
}

/// Compresses messages.
pub(crate) trait Compresses {
    /// Sends it and flushes.
    fn compress(&mut self, message: &Bytes);
}

/// A wire with `input`, and a look at what is written to it.
pub(crate) fn wire(input: &Bytes) -> (Wire, Rc<Output>) {
    let output = Rc::new(Output::default());
    (Wire::new(input.clone(), Rc::clone(&output)), output)
}
