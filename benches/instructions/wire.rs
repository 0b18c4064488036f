//! Payloads, and frames as a peer sends them.

use framewire::{
    Role,
    frame::{Header, MaskingKey, Opcode},
};

pub(crate) const KIB: usize = 1024;

pub(crate) const MIXED: &str = "Съешь же ещё этих мягких французских булок, да выпей чаю. 世界 🦀 ";

pub(crate) fn binary(len: usize) -> Vec<u8> {
    (0..len).map(|i| i as u8).collect()
}

/// Appends a frame as an endpoint in this role receives it.
pub(crate) fn push_frame(
    wire: &mut Vec<u8>,
    role: Role,
    fin: bool,
    opcode: Opcode,
    payload: &[u8],
) {
    let masking_key = (role == Role::Server).then_some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
    let header = Header {
        fin,
        reserved: 0,
        opcode,
        masking_key,
        payload_len: payload.len() as u64,
    };
    wire.extend_from_slice(&header.encode());
    let start = wire.len();
    wire.extend_from_slice(payload);
    if let Some(key) = masking_key {
        key.apply(&mut wire[start..], 0);
    }
}

/// The name of a size, as it stands in the table.
pub(crate) fn size(len: usize) -> String {
    match len {
        0..KIB => format!("{len} B"),
        KIB..0x10_0000 => format!("{} KiB", len / KIB),
        _ => format!("{} MiB", len / KIB / KIB),
    }
}

pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}
