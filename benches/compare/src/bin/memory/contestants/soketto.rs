//! soketto, over the traits of `futures`. Masking keys: the thread's generator of `rand`, cryptographic.
//! Its deflate is left out: it asks for a zlib in C, which cargo would give to the others as well.

use std::{rc::Rc, str};

use bytes::Bytes;
use futures_util::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use soketto::{
    Data, Mode,
    connection::{Builder, Receiver, Sender as Half},
};

use crate::{
    broadcast,
    contestant::{Contestant, Entry, Load, Reads, Seen, Sends},
    now::now,
    parse, send,
    stream::Stream,
    wire::Wire,
};

pub(crate) struct Soketto;

impl Contestant for Soketto {
    fn name(&self) -> &'static str {
        "soketto"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // With buffers around the stream, as its examples have them, and without, as its documentation.
        vec![
            parse::entry("best", stream, |wire| Reader::new(buffered(wire))),
            parse::entry("readme", stream, Reader::new),
        ]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let mode = if load.client {
            Mode::Client
        } else {
            Mode::Server
        };
        let payload = &load.payload;
        vec![
            send::entry("best", load, |wire| {
                Sender::new(buffered(wire), mode, payload)
            }),
            send::entry("readme", load, |wire| Sender::new(wire, mode, payload)),
        ]
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        // A borrowed payload: there is no frame that is encoded once.
        vec![broadcast::entry("best", payload, |wire| {
            Sender::new(buffered(wire), Mode::Server, payload)
        })]
    }
}

type Buffered = BufReader<BufWriter<Wire>>;

fn buffered(wire: Wire) -> Buffered {
    BufReader::with_capacity(64 * 1024, BufWriter::with_capacity(64 * 1024, wire))
}

struct Reader<S> {
    receiver: Receiver<S>,
    /// Receiving is possible only as long as it is there.
    _sender: Half<S>,
    message: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    fn new(stream: S) -> Self {
        let (_sender, receiver) = Builder::new(stream, Mode::Server).finish();
        Self {
            receiver,
            _sender,
            message: Vec::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reads for Reader<S> {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        now(async {
            for _ in 0..messages {
                self.message.clear();
                let data = self
                    .receiver
                    .receive_data(&mut self.message)
                    .await
                    .expect("the stream is right");
                if let Data::Text(_) = data {
                    // As in its documentation: it leaves this to the application.
                    str::from_utf8(&self.message).expect("it is text");
                }
                see.message(&self.message);
            }
        });
    }
}

struct Sender<S> {
    sender: Half<S>,
    _receiver: Receiver<S>,
    payload: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    fn new(stream: S, mode: Mode, payload: &Bytes) -> Self {
        let (sender, _receiver) = Builder::new(stream, mode).finish();
        Self {
            sender,
            _receiver,
            payload: payload.clone(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sends for Sender<S> {
    fn send(&mut self, messages: usize, every: usize) {
        let Self {
            sender, payload, ..
        } = self;
        now(async {
            for batch in 0..messages.div_ceil(every) {
                for _ in 0..every.min(messages - batch * every) {
                    sender.send_binary(&*payload).await.expect("it is open");
                }
                sender.flush().await.expect("it is open");
            }
        });
    }
}
