//! What a contestant wrote, frame by frame: for checks.

use framewire::frame::{Header, Opcode};

/// A frame whose payload is unmasked.
pub(crate) struct Written {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

/// All frames in `bytes`.
///
/// # Errors
///
/// If these are not whole frames, or not those of a client or a server.
pub(crate) fn frames(mut bytes: &[u8], client: bool) -> Result<Vec<Written>, String> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (header, len) = match Header::decode(bytes) {
            Ok(Some(found)) => found,
            Ok(None) => return Err("half a header at the end".into()),
            Err(error) => return Err(error.to_string()),
        };
        if header.masking_key.is_some() != client {
            return Err("masked as the other role masks".into());
        }
        let payload = bytes.get(len..len + header.payload_len as usize);
        let mut payload = payload.ok_or("half a payload at the end")?.to_vec();
        bytes = &bytes[len + payload.len()..];
        if let Some(key) = header.masking_key {
            key.apply(&mut payload, 0);
        }
        frames.push(Written { header, payload });
    }
    Ok(frames)
}

/// Whether `frame` is all of a message that is `payload`.
pub(crate) fn is_message(frame: &Written, payload: &[u8]) -> bool {
    frame.header.fin && frame.header.opcode == Opcode::Binary && frame.payload == payload
}
