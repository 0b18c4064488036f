//! What an input means: a prefix of numbers, and the bytes of the peer behind it. Fixed places for
//! the numbers keep seeds readable and let mutations of the bytes leave the rest alone.

use std::time::Duration;

use framewire::{Accepts, Config, Keepalive, Role};

use crate::support::wire;

/// More bytes than this are not made of one input, so that none takes long.
const MAX_WIRE: usize = 96 * 1024;
/// Nor are they cut into more pieces than about this.
const MAX_PIECES: usize = 500;

/// Takes a prefix of `N` numbers off an input.
pub(crate) fn split<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    let mut prefix = [0; N];
    let n = N.min(data.len());
    let (numbers, rest) = data.split_at(n);
    prefix[..n].copy_from_slice(numbers);
    (prefix, rest)
}

/// A bit of a number.
pub(crate) fn bit(number: u8, n: u8) -> bool {
    number >> n & 1 != 0
}

/// The rules for what is received that a configuration states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) accepts: Accepts,
    pub(crate) receive_while_closing: bool,
    pub(crate) max_message_size: usize,
    pub(crate) max_frame_size: usize,
    pub(crate) max_fragments: u32,
    pub(crate) max_pings: u32,
}

/// The rules that six numbers mean; all of them zero: the defaults.
pub(crate) fn rules([flags, _, message, frame, fragments, _]: [u8; 6]) -> Rules {
    Rules {
        accepts: match flags >> 2 & 3 {
            0 | 3 => Accepts::Both,
            1 => Accepts::Text,
            _ => Accepts::Binary,
        },
        receive_while_closing: !bit(flags, 1),
        max_message_size: size(message).unwrap_or(16 << 20),
        max_frame_size: size(frame).unwrap_or(16 << 20),
        max_fragments: u32::from(fragments).checked_sub(1).unwrap_or(131_072),
        max_pings: u32::from(flags >> 4).checked_sub(1).unwrap_or(u32::MAX),
    }
}

/// The configuration that six numbers mean; all of them zero: the defaults.
pub(crate) fn config(numbers: [u8; 6]) -> Config {
    let [flags, times, _, _, _, queued] = numbers;
    let rules = rules(numbers);
    let mut config = Config::new()
        .auto_pong(!bit(flags, 0))
        .receive_while_closing(rules.receive_while_closing)
        .accepts(rules.accepts)
        .max_message_size(rules.max_message_size)
        .max_frame_size(rules.max_frame_size)
        .max_fragments(rules.max_fragments)
        .max_pings_per_second(rules.max_pings)
        .max_queued(size(queued).unwrap_or(1 << 20));
    let seconds = |n: u8| Duration::from_secs(u64::from(n));
    if bit(times, 0) {
        config = config.keepalive(Keepalive {
            interval: seconds(1 + (times >> 2 & 3)),
            timeout: seconds(1 + (times >> 4 & 3)),
        });
    }
    if bit(times, 1) {
        config = config.message_timeout(seconds(1 + (times >> 6)));
    }
    config
}

/// A limit in bytes; `None` for zero. The places where lengths change their form are all there.
fn size(number: u8) -> Option<usize> {
    Some(match number {
        0 => return None,
        1..=130 => usize::from(number) - 1,
        131..=199 => (usize::from(number) - 130) * 100,
        200..=230 => 65_500 + usize::from(number - 200) * 2,
        231..=254 => usize::from(number - 230) * 10_000,
        255 => 1 << 40,
    })
}

/// The bytes that arrive at an endpoint in this role, in one of three ways: as they are; as frames
/// without masks, which get what masks they need, so that their payloads keep their meaning; or as
/// a recipe for frames ([`cook`]), which may be large.
pub(crate) fn arriving(how: u8, role: Role, bytes: &[u8]) -> Vec<u8> {
    match how % 3 {
        0 => bytes.to_vec(),
        1 => wire::input(role, &without_mask_bits(bytes)),
        _ => wire::input(role, &without_mask_bits(&cook(bytes))),
    }
}

/// Clears the mask bit of every frame.
fn without_mask_bits(bytes: &[u8]) -> Vec<u8> {
    let mut frames = bytes.to_vec();
    let mut rest = &mut frames[..];
    while let [_, second, behind @ ..] = rest {
        *second &= 0x7f;
        let (extended, len) = match *second {
            126 => (
                2,
                behind
                    .first_chunk()
                    .map(|len| u64::from(u16::from_be_bytes(*len))),
            ),
            127 => (8, behind.first_chunk().map(|len| u64::from_be_bytes(*len))),
            len => (0, Some(u64::from(len))),
        };
        let skip = len
            .and_then(|len| usize::try_from(len).ok())
            .and_then(|len| len.checked_add(extended));
        let Some(next) = skip.and_then(|skip| behind.get_mut(skip..)) else {
            break;
        };
        rest = next;
    }
    frames
}

/// Makes frames of a recipe: for each its first byte, then a number:
///
/// - below 240: as many bytes follow, or all there are, and are its payload;
/// - below 248: two bytes follow, which times 1 to 8 are a length, and two that are repeated to make
///   a payload of that length;
/// - below 252: eight bytes follow, the length that its header claims for all the rest;
/// - otherwise: a count and a byte follow, and up to four times as many fragments are made of that byte;
///   the message stays open.
fn cook(mut recipe: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    while let [first, number, rest @ ..] = recipe
        && frames.len() < MAX_WIRE
    {
        recipe = rest;
        match number {
            0..240 => {
                let (payload, rest) = recipe.split_at(recipe.len().min(usize::from(*number)));
                recipe = rest;
                frames.extend(wire::frame(*first, payload));
            }
            240..248 => {
                let ([high, low, one, other], rest) = split(recipe);
                recipe = rest;
                let len = usize::from(u16::from_be_bytes([high, low])) * usize::from(number - 239);
                let len = len.min(MAX_WIRE.saturating_sub(frames.len()));
                let payload: Vec<_> = [one, other].into_iter().cycle().take(len).collect();
                frames.extend(wire::frame(*first, &payload));
            }
            248..252 => {
                let (len, rest) = split(recipe);
                recipe = &[];
                frames.extend(wire::claim(*first, u64::from_be_bytes(len)));
                frames.extend_from_slice(rest);
            }
            252.. => {
                let ([count, byte], rest) = split(recipe);
                recipe = rest;
                for n in 0..usize::from(number - 251) * usize::from(count) {
                    let opcode = if n == 0 { first & 0x7f } else { 0 };
                    frames.extend(wire::frame(opcode, &[byte]));
                }
            }
        }
    }
    frames
}

/// Cuts `bytes` into pieces of these sizes, over and over again. Zero means all the rest.
pub(crate) fn cut<'a>(sizes: &'a [u8], bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let least = bytes.len().div_ceil(MAX_PIECES);
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |&size| {
        let size = match size {
            0 => rest.len(),
            1..=200 => usize::from(size),
            201.. => usize::from(size - 200) * 600,
        };
        let (piece, behind) = rest.split_at(rest.len().min(size.max(least)));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}
