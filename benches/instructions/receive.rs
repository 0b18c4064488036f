//! Receiving in memory: as many bytes are read at a time as there is room for, or as few as is said.

use std::hint::black_box;

use framewire::{Config, Connection, Event, RecvBuf, Role, frame::Opcode};

use crate::{
    Scenario, deliver, drain,
    text::{ASCII, text},
    wire::{KIB, MIXED, binary, push_frame, role_name, size},
};

pub(crate) fn scenarios() -> Vec<Scenario> {
    const ALL: [usize; 6] = [16, 125, KIB, 16 * KIB, 64 * KIB, KIB * KIB];
    let mut scenarios = Vec::new();
    for role in [Role::Server, Role::Client] {
        let mut add = |name: &str, wire: fn(Role, usize) -> Vec<u8>, len, read| {
            scenarios.push(scenario(role, name, wire, len, read));
        };
        let all = usize::MAX;
        add(
            "ping",
            |role, len| frame(role, Opcode::Ping, &binary(len)),
            0,
            all,
        );
        add(
            "ping",
            |role, len| frame(role, Opcode::Ping, &binary(len)),
            16,
            all,
        );
        for len in ALL {
            add("binary", binary_frame, len, all);
        }
        for len in [16, 125, KIB, 64 * KIB] {
            add(
                "ascii",
                |role, len| frame(role, Opcode::Text, &text(ASCII, len)),
                len,
                all,
            );
        }
        for len in [16, KIB, 64 * KIB] {
            add(
                "mixed",
                |role, len| frame(role, Opcode::Text, &text(MIXED, len)),
                len,
                all,
            );
        }
        add(
            "binary in 16 fragments",
            |role, len| fragments(role, Opcode::Binary, &binary(len)),
            KIB,
            all,
        );
        add(
            "mixed in 16 fragments",
            |role, len| fragments(role, Opcode::Text, &text(MIXED, len)),
            KIB,
            all,
        );
        add("binary in reads of 1448 B", binary_frame, 16 * KIB, 1448);
        add("binary in reads of 1 B", binary_frame, 125, 1);
    }
    scenarios
}

fn scenario(
    role: Role,
    kind: &str,
    wire: fn(Role, usize) -> Vec<u8>,
    len: usize,
    read: usize,
) -> Scenario {
    let name = format!("{} receives {kind} {}", role_name(role), size(len));
    let messages = match len {
        0..=125 => 640,
        126..=KIB => 64,
        _ => 8,
    };
    // As they come from a busy socket, but whole: messages that are cut have rows of their own.
    let batch = match len {
        0..=125 => 64,
        126..=KIB => 8,
        _ => 1,
    };
    Scenario::new(name, messages, move || {
        let wire = wire(role, len).repeat(batch);
        let conn = match role {
            Role::Server => Connection::server(Config::new()),
            Role::Client => Connection::client(Config::new()),
        };
        let mut receiving = Receiving {
            conn,
            rx: RecvBuf::new(),
            wire,
            read,
        };
        move |messages| {
            let (mut events, mut bytes) = (0, 0);
            for _ in 0..messages / batch {
                receiving.receive(&mut events, &mut bytes);
            }
            assert_eq!((events, bytes), (messages, messages * len));
        }
    })
}

struct Receiving {
    conn: Connection,
    rx: RecvBuf,
    wire: Vec<u8>,
    read: usize,
}

impl Receiving {
    /// Receives what is on the wire once, and counts what it was.
    fn receive(&mut self, events: &mut usize, bytes: &mut usize) {
        let mut wire = &self.wire[..];
        while !wire.is_empty() {
            let room = self.rx.unfilled();
            let n = room.len().min(wire.len()).min(self.read);
            deliver(&mut room[..n], &wire[..n]);
            self.rx.filled(n);
            wire = &wire[n..];
            while let Some(event) = self.conn.receive(&mut self.rx) {
                *bytes += match event {
                    Event::Text(text) => black_box(text).len(),
                    Event::Binary(data) | Event::Ping(data) => black_box(data).len(),
                    other => panic!("not on the wire: {other:?}"),
                };
                *events += 1;
            }
            drain(&mut self.conn);
        }
    }
}

fn frame(role: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    push_frame(&mut wire, role, true, opcode, payload);
    wire
}

fn binary_frame(role: Role, len: usize) -> Vec<u8> {
    frame(role, Opcode::Binary, &binary(len))
}

fn fragments(role: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (n, part) in payload.chunks(payload.len() / 16).enumerate() {
        let opcode = if n == 0 { opcode } else { Opcode::Continuation };
        push_frame(&mut wire, role, n == 15, opcode, part);
    }
    wire
}
