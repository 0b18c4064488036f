//! A second decoder, which has all of its input at once and can afford to be slow: what events and
//! counters a connection must come to.

use framewire::{Accepts, CloseCode, Role};

use crate::{
    input::Rules,
    support::trace::{Seen, Trace},
};

/// What a connection must have seen at the end of its input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    events: Vec<Seen>,
    /// The close code of the failure behind them, if the peer broke a rule.
    failure: Option<u16>,
    frames: u64,
    messages: u64,
    bytes: u64,
    pings: u64,
    pongs: u64,
}

/// Decodes `bytes`. The connection is closed by the ping `close` if `closes` says so.
pub(crate) fn expect(role: Role, rules: Rules, closes: bool, bytes: &[u8]) -> Expected {
    let mut decoder = Decoder {
        role,
        rules,
        closes,
        closing: false,
        message: None,
        seen: Expected::default(),
    };
    let mut rest = bytes;
    loop {
        match decoder.frame(rest) {
            Ok(0) => break,
            Ok(n) => rest = &rest[n..],
            Err(code) => {
                decoder.seen.failure = Some(code);
                break;
            }
        }
    }
    decoder.seen
}

impl Expected {
    /// Asserts that this is what was seen.
    pub(crate) fn compare(mut self, trace: &Trace) {
        let stats = trace.stats;
        let code = trace.failure.map(|error| error.close_code().get());
        if let Some(error) = trace.failure {
            self.events.push(Seen::Failed(error));
        }
        let seen = Self {
            events: trace.events.clone(),
            failure: code,
            frames: stats.frames_received,
            messages: stats.messages_received,
            bytes: stats.bytes_received,
            pings: stats.pings_received,
            pongs: stats.pongs_received,
        };
        assert_eq!(seen, self, "not what another decoder sees");
    }
}

struct Decoder {
    role: Role,
    rules: Rules,
    closes: bool,
    /// Whether our Close frame was sent.
    closing: bool,
    message: Option<Message>,
    seen: Expected,
}

struct Message {
    is_text: bool,
    data: Vec<u8>,
    frames: u32,
}

/// A number in network order; `None` if its bytes are not all there.
fn number(bytes: &[u8], n: usize) -> Option<u64> {
    let bytes = bytes.get(..n)?;
    Some(
        bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)),
    )
}

impl Decoder {
    /// Takes one frame and tells how long it is; 0 if it is incomplete or the last one.
    fn frame(&mut self, bytes: &[u8]) -> Result<usize, u16> {
        let [first, second, ..] = *bytes else {
            return Ok(0);
        };
        let (fin, opcode) = (first & 0x80 != 0, first & 0xf);
        if first & 0x70 != 0 || (second & 0x80 != 0) != (self.role == Role::Server) {
            return Err(1002);
        }
        match (opcode, &self.message) {
            (0, None) | (1 | 2, Some(_)) | (3..=7 | 11.., _) => return Err(1002),
            (1, None) if self.rules.accepts == Accepts::Binary => return Err(1003),
            (2, None) if self.rules.accepts == Accepts::Text => return Err(1003),
            _ => {}
        }
        let short = second & 0x7f;
        if opcode >= 8 && (!fin || short > 125) {
            return Err(1002);
        }
        let (extended, least) = match short {
            126 => (2, 126),
            127 => (8, 0x1_0000),
            _ => (0, 0),
        };
        let len = match extended {
            0 => u64::from(short),
            n => match number(&bytes[2..], n) {
                Some(len) => len,
                None => return Ok(0),
            },
        };
        if len < least || len >> 63 != 0 {
            return Err(1002);
        }
        let key_len = if self.role == Role::Server { 4 } else { 0 };
        let header = 2 + extended + key_len;
        let Some(key) = bytes.get(2 + extended..header) else {
            return Ok(0);
        };
        let present = usize::try_from(len).map_or(usize::MAX, |len| len);
        let present = present.min(bytes.len() - header);
        let is_complete = present as u64 == len;
        let mut payload = bytes[header..header + present].to_vec();
        for (n, byte) in payload.iter_mut().enumerate() {
            *byte ^= key.get(n % 4).unwrap_or(&0);
        }

        if opcode < 8 {
            self.data(fin, opcode, len, is_complete, payload)?;
        } else if is_complete {
            self.control(opcode, payload)?;
        }
        if !is_complete {
            return Ok(0);
        }
        self.seen.frames += 1;
        self.seen.bytes += (header + present) as u64;
        Ok(if opcode == 8 { 0 } else { header + present })
    }

    fn data(
        &mut self,
        fin: bool,
        opcode: u8,
        len: u64,
        is_complete: bool,
        payload: Vec<u8>,
    ) -> Result<(), u16> {
        let message = self.message.get_or_insert(Message {
            is_text: opcode == 1,
            data: Vec::new(),
            frames: 0,
        });
        message.frames += 1;
        if message.frames > self.rules.max_fragments {
            return Err(1008);
        }
        let whole = message.data.len() as u64 + len;
        if len > self.rules.max_frame_size as u64 || whole > self.rules.max_message_size as u64 {
            return Err(1009);
        }
        message.data.extend(payload);
        let ends = fin && is_complete;
        if message.is_text
            && let Err(error) = std::str::from_utf8(&message.data)
            && (ends || error.error_len().is_some())
        {
            return Err(1007);
        }
        if ends && let Some(message) = self.message.take() {
            self.seen.messages += 1;
            if self.closing && !self.rules.receive_while_closing {
                return Ok(());
            }
            self.seen.events.push(if message.is_text {
                Seen::Text(String::from_utf8(message.data).expect("checked above"))
            } else {
                Seen::Binary(message.data)
            });
        }
        Ok(())
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), u16> {
        let event = match opcode {
            8 => match &payload[..] {
                [] => Seen::Close(None),
                [_] => return Err(1002),
                [high, low, reason @ ..] => {
                    let code = u16::from_be_bytes([*high, *low]);
                    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                        return Err(1002);
                    }
                    let reason = std::str::from_utf8(reason).map_err(|_| 1007_u16)?;
                    Seen::Close(Some((CloseCode::new(code), reason.into())))
                }
            },
            9 => {
                if self.seen.pings >= u64::from(self.rules.max_pings) {
                    return Err(1008);
                }
                self.seen.pings += 1;
                self.closing |= self.closes && payload == b"close";
                Seen::Ping(payload)
            }
            _ => {
                self.seen.pongs += 1;
                Seen::Pong(payload)
            }
        };
        self.seen.events.push(event);
        Ok(())
    }
}
