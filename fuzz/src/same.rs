//! The same bytes in different pieces, received in different ways.

use std::mem::take;

use framewire::{CloseCode, Config, Connection, Event, PartEvent, RecvBuf, Role};

use crate::{
    input::{arriving, bit, config, cut, rules, split},
    reference::frames::expect,
    support::{
        connection,
        trace::{Seen, Trace, drain},
        wire::read_output,
    },
};

pub(crate) fn run(role: Role, data: &[u8]) {
    let (prefix, bytes) = split::<16>(data);
    let [flags, c0, c1, c2, c3, c4, c5, cuts @ ..] = prefix;
    let numbers = [c0, c1, c2, c3, c4, c5];
    let config = config(numbers);
    // Four sizes and five: they do not get in step.
    let (one, other) = cuts.split_at(4);
    let arriving = arriving(flags & 3, role, bytes);
    let way = |wants_read, parts| Way {
        wants_read,
        parts,
        write: bit(flags, 2),
        close: bit(flags, 3),
        echo: bit(flags, 4),
    };

    let expected = trace(role, config, way(false, false), cut(one, &arriving));
    expect(role, rules(numbers), bit(flags, 3), &arriving).compare(&expected.0);
    let pieces = || cut(other, &arriving);
    let same = trace(role, config, way(false, false), pieces());
    assert_eq!(same, expected, "cut in another way");
    let same = trace(role, config, way(true, false), pieces());
    assert_eq!(same, expected, "asked by `wants_read`");
    let same = trace(role, config, way(false, true), pieces());
    assert_eq!(same, expected, "received in parts");
}

/// What is done with the pieces.
#[derive(Clone, Copy)]
struct Way {
    wants_read: bool,
    parts: bool,
    /// Whether each event is followed by a write. If not, all is written in the end.
    write: bool,
    /// Whether a ping with the payload `close` makes the application close.
    close: bool,
    /// Whether messages are sent back.
    echo: bool,
}

/// All that can be observed, and how many commands were refused.
fn trace<'a>(
    role: Role,
    config: Config,
    way: Way,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Trace, usize) {
    let mut conn = connection(role, config);
    let mut rx = RecvBuf::new();
    let (mut events, mut output, mut refused) = (Vec::new(), Vec::new(), 0);
    let mut message = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            let room = rx.unfilled();
            let (now, later) = piece.split_at(piece.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            rx.filled(now.len());
            piece = later;
            loop {
                let event = if way.parts {
                    next_joined(&mut conn, &mut rx, &mut message)
                } else {
                    if way.wants_read && conn.wants_read(&mut rx) {
                        assert_eq!(conn.receive(&mut rx), None);
                        break;
                    }
                    conn.receive(&mut rx).map(Seen::from)
                };
                let Some(event) = event else { break };
                let sent = match &event {
                    Seen::Text(text) if way.echo => conn.send_text(text),
                    Seen::Binary(data) if way.echo => conn.send_binary(data),
                    Seen::Ping(payload) if way.close && payload == b"close" => {
                        conn.close(CloseCode::NORMAL, "asked to")
                    }
                    _ => Ok(()),
                };
                refused += usize::from(sent.is_err());
                events.push(event);
                if way.write {
                    output.extend(drain(&mut conn));
                }
            }
        }
    }
    output.extend(drain(&mut conn));
    let trace = Trace {
        events,
        output: read_output(role, &output),
        state: conn.state(),
        closed: conn.closed(),
        failure: conn.failure(),
        stats: conn.stats(),
    };
    (trace, refused)
}

/// The next event but for parts that end no message: those are put together in `message`.
fn next_joined(conn: &mut Connection, rx: &mut RecvBuf, message: &mut Vec<u8>) -> Option<Seen> {
    loop {
        let last = match conn.receive_part(rx)? {
            PartEvent::Text { part, last } => {
                message.extend_from_slice(part.as_bytes());
                last.then(|| Seen::Text(String::from_utf8(take(message)).expect("parts of a text")))
            }
            PartEvent::Binary { part, last } => {
                message.extend_from_slice(part);
                last.then(|| Seen::Binary(take(message)))
            }
            PartEvent::Ping(payload) => Some(Event::Ping(payload).into()),
            PartEvent::Pong(payload) => Some(Event::Pong(payload).into()),
            PartEvent::Close(frame) => Some(Event::Close(frame).into()),
            PartEvent::Failed(error) => Some(Event::Failed(error).into()),
            other => panic!("unknown event {other:?}"),
        };
        if last.is_some() {
            return last;
        }
    }
}
