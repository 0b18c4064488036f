//! Messages as another implementation of deflate sends them: compressed or not, with or without context
//! takeover, ended by BFINAL, and cut into frames anywhere.

use flate2::{Compress, Compression, FlushCompress, Status};
use framewire::MessageKind;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    deflate_steps::{Body, any_body, any_kind, pieces},
    support::{deflate::Deflater, trace::Seen, wire::frame},
};

/// A message of another implementation.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    kind: MessageKind,
    body: Body,
    coding: Coding,
    cuts: Vec<Index>,
    /// Whether a ping follows each frame.
    pings: bool,
}

#[derive(Clone, Copy, Debug)]
enum Coding {
    Plain,
    /// With reference to the messages before, if that is allowed.
    Compressed,
    /// Without.
    Fresh,
    /// As a stream that ends by BFINAL (section 7.2.3.4).
    Final,
}

pub(crate) fn any_arrival() -> impl Strategy<Value = Arrival> {
    let coding = prop_oneof![
        1 => Just(Coding::Plain),
        4 => Just(Coding::Compressed),
        1 => Just(Coding::Fresh),
        1 => Just(Coding::Final),
    ];
    (
        any_kind(),
        any_body(),
        coding,
        vec(any::<Index>(), 0..6),
        any::<bool>(),
    )
        .prop_map(|(kind, body, coding, cuts, pings)| Arrival {
            kind,
            body,
            coding,
            cuts,
            pings,
        })
}

/// The frames of all messages without masks, and the events they are to be.
pub(crate) fn arrive(arrivals: &[Arrival], takeover: bool) -> (Vec<u8>, Vec<Seen>) {
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    let mut deflater = Deflater::new();
    for arrival in arrivals {
        let payload = arrival.body.payload(arrival.kind);
        if !takeover || matches!(arrival.coding, Coding::Fresh) {
            deflater = Deflater::new();
        }
        let (rsv1, coded) = match arrival.coding {
            Coding::Plain => (0, payload.clone()),
            Coding::Compressed | Coding::Fresh => (0x40, deflater.message(&payload)),
            Coding::Final => {
                deflater = Deflater::new();
                (0x40, deflate_final(&payload))
            }
        };
        let opcode = match arrival.kind {
            MessageKind::Text => 1,
            MessageKind::Binary => 2,
        };
        let pieces = pieces(&coded, &arrival.cuts);
        for (n, piece) in pieces.iter().enumerate() {
            let first = if n == 0 { opcode | rsv1 } else { 0 };
            let fin = if n + 1 == pieces.len() { 0x80 } else { 0 };
            bytes.extend(frame(first | fin, piece));
            if arrival.pings && fin == 0 {
                bytes.extend(frame(0x89, &[n as u8]));
                events.push(Seen::Ping(vec![n as u8]));
            }
        }
        events.push(match arrival.kind {
            MessageKind::Text => Seen::Text(String::from_utf8(payload).expect("a text is UTF-8")),
            MessageKind::Binary => Seen::Binary(payload),
        });
    }
    (bytes, events)
}

/// A stream with a final block, and the octet for the tail to complete.
fn deflate_final(payload: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 100 + 100);
    let status = compress.compress_vec(payload, &mut out, FlushCompress::Finish);
    assert_eq!(status.expect("no error"), Status::StreamEnd);
    out.push(0);
    out
}
