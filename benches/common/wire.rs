//! What was sent: a transport that shows what it is given, and the payloads that are in it.

#![allow(dead_code, reason = "each bench uses its part")]

use std::io::{IoSlice, Result, Write};

use framewire::frame::Header;

/// Takes all that it is given, and shows it.
pub(crate) struct Wire<F>(pub(crate) F);

impl<F: FnMut(&[u8])> Write for Wire<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize> {
        slices.iter().for_each(|slice| self.0(slice));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The payloads of all frames, unmasked, and how many they are.
pub(crate) fn payloads(wire: &[u8]) -> (Vec<u8>, usize) {
    let (mut bytes, mut frames, mut rest) = (Vec::new(), 0, wire);
    while !rest.is_empty() {
        let header = Header::decode(rest).expect("legal frames");
        let (header, size) = header.expect("whole headers");
        let (payload, behind) = rest[size..].split_at(header.payload_len as usize);
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        if let Some(key) = header.masking_key {
            key.apply(&mut bytes[start..], 0);
        }
        frames += 1;
        rest = behind;
    }
    (bytes, frames)
}
