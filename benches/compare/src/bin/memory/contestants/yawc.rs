//! yawc, over `AsyncRead` and `AsyncWrite`. Masking keys: the thread's generator of `rand`, cryptographic.
//! Its deflate is flate2, which takes zlib-rs here because sockudo-ws does; alone it would be miniz_oxide.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::SinkExt as _;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role, WebSocket};

use crate::{
    broadcast,
    contestant::{Compresses, Contestant, Entry, Load, Reads, Seen, Sends},
    deflate::{self, Texts},
    now::{now, now_and_again},
    parse, send,
    stream::Stream,
    wire::Wire,
};

pub(crate) struct Yawc;

impl Contestant for Yawc {
    fn name(&self) -> &'static str {
        "yawc"
    }

    fn parse(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        // The README's `next_frame`, with the buffers of the README's benchmark and without. Pongs are written
        // when a read has to wait, and never before.
        let pauses = !stream.pings.is_empty();
        let wire = |wire: Wire| if pauses { wire.with_pauses() } else { wire };
        vec![
            parse::entry("best", stream, |it| Reader(server(wire(it), None, tuned()))),
            parse::entry("readme", stream, |it| {
                Reader(server(wire(it), None, options()))
            }),
        ]
    }

    fn send(&self, load: &Load) -> Vec<Entry> {
        let role = if load.client {
            Role::Client
        } else {
            Role::Server
        };
        let sender = |options: Options| {
            let frame = Frame::binary(load.payload.clone());
            move |wire| Sender {
                ws: connection(wire, role, None, options),
                frame,
            }
        };
        // Several `feed` and one `flush`, where the README has `send`.
        let best = send::entry("best", load, sender(tuned()));
        [Some(best), send::readme(load, sender(options()))]
            .into_iter()
            .flatten()
            .collect()
    }

    fn broadcast(&self, payload: &Bytes) -> Vec<Entry> {
        // A clone of the frame, which is encoded each time.
        let frame = Frame::binary(payload.clone());
        vec![broadcast::entry("best", payload, |wire| Sender {
            ws: server(wire, None, tuned()),
            frame: frame.clone(),
        })]
    }

    fn compress(&self, texts: &Rc<Texts>) -> Vec<Entry> {
        // Level 6 with context takeover by default, and what the README configures.
        let readme = options()
            .with_compression_level(CompressionLevel::fast())
            .server_no_context_takeover()
            .client_no_context_takeover();
        let default = options().with_balanced_compression();
        vec![
            deflate::entry("default", texts, |wire| {
                Compressor(server(wire, Some(TAKEOVER), default))
            }),
            deflate::entry("readme", texts, |wire| {
                Compressor(server(wire, Some(NO_TAKEOVER), readme))
            }),
        ]
    }

    fn decompress(&self, stream: &Rc<Stream>) -> Vec<Entry> {
        let options = tuned().with_balanced_compression();
        vec![parse::entry("default", stream, |wire| {
            Reader(server(wire, Some(NO_TAKEOVER), options))
        })]
    }
}

const TAKEOVER: &str = "permessage-deflate";
const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Text is validated, as everyone else does; by default a message of 1 MiB would be too large.
fn options() -> Options {
    Options::default()
        .with_utf8()
        .with_limits(16 << 20, 32 << 20)
}

fn tuned() -> Options {
    options()
        .with_read_buffer_capacity(128 * 1024)
        .with_backpressure_boundary(64 * 1024)
}

fn server(wire: Wire, extensions: Option<&str>, options: Options) -> WebSocket<Wire> {
    connection(wire, Role::Server, extensions, options)
}

fn connection(
    wire: Wire,
    role: Role,
    extensions: Option<&str>,
    options: Options,
) -> WebSocket<Wire> {
    let ws = WebSocket::from_stream_with_extensions(wire, role, extensions, options);
    ws.expect("the extension is enabled")
}

struct Reader(WebSocket<Wire>);

impl Reads for Reader {
    fn read(&mut self, messages: usize, see: &mut Seen) {
        now_and_again(async {
            let mut seen = 0;
            while seen < messages {
                let frame = self.0.next_frame().await.expect("the stream is right");
                if frame.opcode() == OpCode::Ping {
                    continue;
                }
                assert!(
                    matches!(frame.opcode(), OpCode::Text | OpCode::Binary),
                    "not in the stream"
                );
                see.message(frame.payload());
                seen += 1;
            }
        });
    }
}

struct Sender {
    ws: WebSocket<Wire>,
    frame: Frame,
}

impl Sends for Sender {
    fn send(&mut self, messages: usize, every: usize) {
        let Self { ws, frame } = self;
        now(async {
            for batch in 0..messages.div_ceil(every) {
                for _ in 0..every.min(messages - batch * every) {
                    ws.feed(frame.clone()).await.expect("it is open");
                }
                ws.flush().await.expect("it is open");
            }
        });
    }
}

struct Compressor(WebSocket<Wire>);

impl Compresses for Compressor {
    fn compress(&mut self, message: &Bytes) {
        now(self.0.send(Frame::binary(message.clone()))).expect("it is open");
    }
}
