//! No adapter decides anything: the same script gives the same events, the same bytes and the same end as
//! the loop of the README written by hand, in both roles, however it receives and sends. Scripts at random are in `adapters_agree_random.rs`, the opening handshake is in
//! `adapters_agree_opening.rs`.

#[path = "support/both.rs"]
mod both;
#[path = "support/ends.rs"]
mod ends;
#[path = "support/script.rs"]
mod script;
mod support;

use std::time::Duration;

use both::{Act, GIVES, Give, Script, TAKES, Take, agreed};
use bytes::{Buf as _, Bytes};
use ends::FORMS;
use framewire::{Accepts, Config, MessageKind};
use script::{End, Wire};
use support::{
    ROLES, connection,
    trace::random_pieces,
    wire::{claim, close, frame, input},
};

/// All ways to receive and to send, in both roles, whole and in pieces.
#[track_caller]
fn agree(config: Config, frames: &[u8], acts: &[Vec<Act>]) {
    for role in ROLES {
        let bytes = input(role, frames);
        let single = bytes.chunks(1).map(Bytes::copy_from_slice).collect();
        let random = random_pieces(&bytes, 1).into_iter();
        let random = random.map(Bytes::copy_from_slice);
        for segments in [vec![bytes.clone().into()], single, random.collect()] {
            for (take, give) in TAKES.into_iter().flat_map(|t| GIVES.map(|g| (t, g))) {
                agreed(&Script {
                    role,
                    config,
                    max_queued: 1 << 20,
                    segments: segments.clone(),
                    acts: acts.to_vec(),
                    take,
                    give,
                });
            }
        }
    }
}

fn hello() -> Vec<Act> {
    vec![Act::Text("hello".into()), Act::Binary(vec![7; 300].into())]
}

/// A message in pieces, with a ping between them.
fn pieces() -> Vec<u8> {
    let [first, ping, last] = [frame(1, b"in "), frame(0x89, b"p"), frame(0x80, b"pieces")];
    [first, ping, last].concat()
}

// req: A-08
#[test]
fn adapter_echoes_as_the_loop_by_hand_does() {
    let frames = [
        frame(0x81, b"one"),
        frame(0x82, &[2; 500]),
        pieces(),
        frame(0x8a, b"pong"),
        close(1000, "bye"),
    ]
    .concat();
    agree(Config::new(), &frames, &vec![hello(); 8]);
}

// req: A-08
#[test]
fn adapter_sends_every_kind_of_message_as_the_loop_by_hand_does() {
    let acts = [
        vec![
            Act::Prepared(b"prepared"[..].into()),
            Act::Shared(vec![1; 9000].into()),
            Act::Start(MessageKind::Text),
            Act::Part("Grü".as_bytes()[..3].into()),
            Act::Ping(b"between"[..].into()),
            Act::Text("refused: another one is in progress".into()),
        ],
        vec![
            Act::Part("ü".as_bytes()[1..].into()),
            Act::Part(b"\xff refused"[..].into()),
            Act::Finish("ße".as_bytes().into()),
            Act::Finish(b"refused"[..].into()),
            Act::Pong(b"unasked"[..].into()),
            Act::Ping(vec![0; 126].into()),
            Act::Prepared(vec![3; 40_000].into()),
            Act::Binary(vec![4; 70_000].into()),
        ],
        hello(),
    ];
    let frames = [frame(0x81, b"a"), frame(0x82, b"b"), close(3001, "")].concat();
    agree(Config::new(), &frames, &acts);
}

// req: A-08
#[test]
fn adapter_closes_as_the_loop_by_hand_does() {
    let frames = [
        frame(0x81, b"one"),
        pieces(),
        frame(0x82, b"behind our Close frame"),
        close(1001, "away"),
        frame(0x81, b"never looked at"),
    ]
    .concat();
    for config in [Config::new(), Config::new().receive_while_closing(false)] {
        for end in [
            Act::Close(1000, "done".into()),
            Act::CloseAndWait(1000, "done".into()),
            Act::Close(1005, "not to be sent".into()),
            Act::CloseAndWait(1000, "x".repeat(124)),
            Act::Fail(1008, "no more".into()),
        ] {
            for at in 0..5 {
                let mut acts = vec![hello(); at];
                acts.push([hello(), vec![end.clone()], hello()].concat());
                agree(config, &frames, &acts);
                // The peer goes without a Close frame.
                agree(config, &frames[..20], &acts);
            }
        }
    }
}

#[test]
fn adapter_closes_while_a_part_is_being_handed_out_as_the_loop_by_hand_does() {
    let frames = [
        frame(2, &[1; 100]),
        frame(0, &[2; 100]),
        frame(0x80, &[3; 100]),
        close(1000, ""),
    ]
    .concat();
    for at in 0..4 {
        let mut acts = vec![Vec::new(); at];
        acts.push(vec![Act::CloseAndWait(1000, String::new())]);
        agree(Config::new(), &frames, &acts);
    }
}

// req: A-08
#[test]
fn adapter_fails_for_what_the_peer_does_wrong_as_the_loop_by_hand_does() {
    let before = [frame(0x81, b"fine"), frame(0x89, b"ping")].concat();
    let limited = Config::new().max_message_size(200).max_fragments(2);
    let text_only = Config::new().accepts(Accepts::Text);
    for (config, wrong) in [
        (Config::new(), frame(0x83, b"reserved opcode")),
        (Config::new(), frame(0xc1, b"reserved bit")),
        (Config::new(), frame(0x80, b"nothing to continue")),
        (Config::new(), frame(0x81, b"not \xff text")),
        (Config::new(), [frame(1, b"a"), frame(0x81, b"b")].concat()),
        (Config::new(), frame(0x88, b"x")),
        (Config::new(), close(1005, "")),
        (limited, claim(0x82, 1 << 40)),
        (limited, [frame(2, &[1; 150]), frame(0, &[2; 150])].concat()),
        (
            limited,
            [frame(1, b"a"), frame(0, b"b"), frame(0, b"c")].concat(),
        ),
        (text_only, frame(0x82, b"binary")),
        (Config::new().max_pings_per_second(0), frame(0x89, b"")),
    ] {
        let frames = [&before, &wrong[..], b"never looked at"].concat();
        agree(config, &frames, &vec![hello(); 4]);
        let end = vec![Act::CloseAndWait(1000, String::new())];
        agree(config, &frames, &[hello(), end]);
    }
}

// req: A-08
#[test]
fn adapter_ends_with_the_transport_as_the_loop_by_hand_does() {
    let frames = [frame(0x81, b"one"), frame(0x82, &[2; 200]), close(1000, "")].concat();
    for len in 0..frames.len() {
        let acts = [hello(), hello()];
        for role in ROLES {
            let bytes = input(role, &frames);
            agreed(&Script {
                role,
                config: Config::new(),
                max_queued: 1 << 20,
                segments: vec![Bytes::copy_from_slice(&bytes[..len])],
                acts: acts.to_vec(),
                take: Take::Events,
                give: Give::Queue,
            });
        }
    }
}

// req: A-08
#[test]
fn adapter_finds_what_is_due_as_the_loop_by_hand_does() {
    let frames = [frame(0x81, b"one"), pieces(), close(1000, "")].concat();
    let now = Duration::ZERO;
    for config in [
        Config::new().message_timeout(now),
        Config::new().close_timeout(now),
        Config::new().write_timeout(now),
    ] {
        for role in ROLES {
            let bytes = input(role, &frames);
            for cut in 0..bytes.len() {
                let (left, right) = bytes.split_at(cut);
                for take in TAKES {
                    agreed(&Script {
                        role,
                        config,
                        max_queued: 1 << 20,
                        segments: [left, right].map(Bytes::copy_from_slice).to_vec(),
                        acts: vec![Vec::new(), Vec::new(), vec![Act::Close(1000, "".into())]],
                        take,
                        give: Give::Queue,
                    });
                }
            }
        }
    }
}

#[test]
fn feed_waits_for_room_where_the_connection_would_refuse() {
    for (role, &form) in ROLES
        .iter()
        .flat_map(|&r| FORMS.iter().map(move |f| (r, f)))
    {
        let wire = Wire::new([]).end(End::Silence);
        let conn = connection(role, Config::new().max_queued(1000));
        let mut ws = ends::End::new(form, wire.clone(), conn);
        for _ in 0..100 {
            ws.feed(&[1; 400]).expect("there is room again");
        }
        ws.flush().expect("nothing blocks");
        let expected = {
            let mut conn = connection(role, Config::new());
            (0..100).for_each(|_| conn.send_binary(&[1; 400]).expect("open"));
            conn.send_buf().chunk().to_vec()
        };
        assert_eq!(wire.reached(), expected, "{role:?} {form:?}");
    }
}
