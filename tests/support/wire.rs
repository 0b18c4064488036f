//! Bytes as they stand on the wire.

use framewire::Role;

/// Bytes from hex digits; white space is for the reader.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("hex digits and white space"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "whole bytes");
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

/// The frames in `bytes`, which are not masked, as an endpoint in this role receives them: for a
/// server every frame gets the mask bit and a key of its own. The last frame may be incomplete.
pub(crate) fn input(role: Role, bytes: &[u8]) -> Vec<u8> {
    match role {
        Role::Client => bytes.to_vec(),
        Role::Server => masked(bytes),
    }
}

/// As [`input`] from hex digits.
pub(crate) fn input_hex(role: Role, digits: &str) -> Vec<u8> {
    input(role, &hex(digits))
}

/// Masks every frame of `bytes` with a key of its own.
pub(crate) fn masked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut key = [0x37, 0xfa, 0x21, 0x3d];
    while let [first, second, rest @ ..] = bytes {
        assert!(second & 0x80 == 0, "masked already");
        let (extended, len) = match second {
            126 if rest.len() >= 2 => (2, u64::from(u16::from_be_bytes([rest[0], rest[1]]))),
            127 if rest.len() >= 8 => (8, u64::from_be_bytes(rest[..8].try_into().unwrap())),
            126 | 127 => (rest.len(), 0),
            len => (0, u64::from(*len)),
        };
        out.extend_from_slice(&[*first, second | 0x80]);
        out.extend_from_slice(&rest[..extended]);
        out.extend_from_slice(&key);
        let rest = &rest[extended..];
        let len = usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()));
        out.extend(
            rest[..len]
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        bytes = &rest[len..];
        key = [
            key[1].wrapping_add(3),
            key[2],
            key[3],
            key[0].wrapping_mul(5),
        ];
    }
    out.extend_from_slice(bytes);
    out
}

/// A frame without a mask, its length in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(len as u8),
        len @ 126..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

/// The header of a frame without a mask that claims a payload of `len` bytes.
pub(crate) fn claim(first: u8, len: u64) -> Vec<u8> {
    match len {
        0..126 => vec![first, len as u8],
        126..0x1_0000 => [&[first, 126], &(len as u16).to_be_bytes()[..]].concat(),
        0x1_0000.. => [&[first, 127], &len.to_be_bytes()[..]].concat(),
    }
}

/// A Close frame without a mask.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// A frame that was read back from our output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) key: Option<[u8; 4]>,
}

/// Reads the output of an endpoint in this role, as strictly as RFC 6455 allows: shortest lengths,
/// no reserved bit or opcode, masks where they belong, control frames whole and short, fragments in
/// order, text and close reasons in UTF-8, legal close codes, nothing behind a Close frame.
pub(crate) fn read_output(role: Role, mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    // Opcode and bytes of the message that is being fragmented.
    let mut message: Option<(u8, Vec<u8>)> = None;
    let mut closed = false;
    while !bytes.is_empty() {
        assert!(!closed, "bytes behind a Close frame: {bytes:02x?}");
        let (frame, rest) = read_frame(role, bytes);
        bytes = rest;
        if frame.opcode >= 8 {
            assert!(frame.fin, "fragmented control frame");
            assert!(
                frame.payload.len() <= 125,
                "control frame of {} bytes",
                frame.payload.len()
            );
        }
        match frame.opcode {
            0 => {
                let (_, joined) = message.as_mut().expect("a message to continue");
                joined.extend_from_slice(&frame.payload);
            }
            1 | 2 => {
                assert!(message.is_none(), "message inside of a message");
                message = Some((frame.opcode, frame.payload.clone()));
            }
            8 => {
                closed = true;
                if let [high, low, reason @ ..] = &frame.payload[..] {
                    let code = u16::from_be_bytes([*high, *low]);
                    assert!(
                        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
                        "close code {code} must not be sent"
                    );
                    assert!(role == Role::Client || code != 1010, "1010 is for clients");
                    assert!(std::str::from_utf8(reason).is_ok(), "reason is not UTF-8");
                } else {
                    assert!(frame.payload.is_empty(), "half a close code");
                }
            }
            9 | 10 => {}
            opcode => panic!("reserved opcode {opcode}"),
        }
        if frame.opcode < 8 && frame.fin {
            let (opcode, joined) = message.take().expect("a message ends");
            assert!(
                opcode == 2 || std::str::from_utf8(&joined).is_ok(),
                "text is not UTF-8"
            );
        }
        frames.push(frame);
    }
    frames
}

fn read_frame(role: Role, bytes: &[u8]) -> (Frame, &[u8]) {
    let (first, second) = (bytes[0], bytes[1]);
    assert_eq!(first & 0x70, 0, "reserved bits");
    assert_eq!(
        second & 0x80 != 0,
        role == Role::Client,
        "only clients mask"
    );
    let (len, rest) = match second & 0x7f {
        126 => {
            let len = u64::from(u16::from_be_bytes(bytes[2..4].try_into().unwrap()));
            assert!(len > 125, "not the shortest length");
            (len, &bytes[4..])
        }
        127 => {
            let len = u64::from_be_bytes(bytes[2..10].try_into().unwrap());
            assert!(len > 0xffff, "not the shortest length");
            (len, &bytes[10..])
        }
        len => (u64::from(len), &bytes[2..]),
    };
    let (key, rest) = match role {
        Role::Client => (Some(rest[..4].try_into().unwrap()), &rest[4..]),
        Role::Server => (None, rest),
    };
    let (payload, rest) = rest.split_at(len as usize);
    let cycle = key.unwrap_or([0; 4]);
    let payload = payload
        .iter()
        .zip(cycle.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect();
    (
        Frame {
            fin: first & 0x80 != 0,
            opcode: first & 0xf,
            payload,
            key,
        },
        rest,
    )
}
