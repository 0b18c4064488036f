//! Writing what is queued to a transport: one system call a time, and nothing lost by a short one.

use std::io::{Error, ErrorKind, IoSlice, Result, Write};

use bytes::Buf as _;

use super::SendBuf;
use crate::frame::EncodedHeader;

impl SendBuf {
    /// Writes once to `transport`, as much as it takes at once, and returns how much.
    ///
    /// One system call: a plain write, or a vectored one where payloads are chained. Writes nothing
    /// if nothing is queued.
    ///
    /// # Errors
    ///
    /// Those of `transport`, and [`WriteZero`](ErrorKind::WriteZero) if it takes nothing.
    /// What it did not take stays queued.
    ///
    /// # Panics
    ///
    /// If `transport` claims to have taken more than it was given.
    pub fn write_to(&mut self, transport: &mut impl Write) -> Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        let (n, given) = if self.is_chained() {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = self.chunks_vectored(&mut slices);
            let given = slices[..count].iter().map(|slice| slice.len()).sum();
            (transport.write_vectored(&slices[..count])?, given)
        } else {
            (transport.write(self.chunk())?, self.remaining())
        };
        if n == 0 {
            return Err(Error::from(ErrorKind::WriteZero));
        }
        check(n, given);
        self.advance(n);
        Ok(n)
    }

    /// As [`Self::write_to`], with an unmasked frame behind what is queued, whose payload is lent to
    /// `transport` where it lies. What was not taken of it is queued, also behind an error.
    pub(crate) fn write_frame_to(
        &mut self,
        first: u8,
        payload: &[u8],
        transport: &mut impl Write,
    ) -> Result<usize> {
        if self.is_chained() {
            // Rare enough: the slices of all that would cost the others.
            self.push_frame(first, payload, None);
            return self.write_to(transport);
        }
        let header = EncodedHeader::new(first, payload.len() as u64, None);
        let queued = self.remaining();
        let slices = [self.chunk(), &*header, payload].map(IoSlice::new);
        let written = transport.write_vectored(&slices[usize::from(queued == 0)..]);
        let n = *written.as_ref().unwrap_or(&0);
        check(n, queued + header.len() + payload.len());

        let of_queue = n.min(queued);
        let of_header = (n - of_queue).min(header.len());
        let of_payload = n - of_queue - of_header;
        self.advance(of_queue);
        self.push_bytes(&header[of_header..]);
        self.push_bytes(&payload[of_payload..]);
        self.skip(of_header + of_payload);
        match written {
            Ok(0) => Err(Error::from(ErrorKind::WriteZero)),
            written => written,
        }
    }
}

fn check(taken: usize, given: usize) {
    assert!(
        taken <= given,
        "the transport claims to have taken more bytes than it was given"
    );
}
