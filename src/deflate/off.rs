//! permessage-deflate without the feature `deflate`: there is nothing of it that could be made, and the
//! compiler removes what would use it.
#![expect(
    clippy::needless_pass_by_ref_mut,
    reason = "the signatures are those of the real one"
)]

use alloc::string::String;
use core::ops::Deref;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Never {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deflate(Never);

#[derive(Debug)]
pub(crate) struct Codec(Never);

#[derive(Debug)]
pub(crate) struct Payload(Never);

pub(crate) struct InvalidData;
pub(crate) struct InvalidResponse;

pub(crate) struct Progress {
    pub(crate) used: usize,
    pub(crate) made: usize,
}

pub(crate) struct Rest {
    pub(crate) made: usize,
    pub(crate) is_done: bool,
}

pub(crate) mod negotiate {
    use super::*;
    use crate::handshake::extension::Extension;

    pub(crate) const NAME: &str = "permessage-deflate";

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Agreement(Never);

    pub(crate) fn accept<'a>(
        options: &Deflate,
        _: impl Iterator<Item = Extension<'a>>,
    ) -> Option<(Agreement, String)> {
        match options.0 {}
    }

    pub(crate) fn offer(options: &Deflate) -> String {
        match options.0 {}
    }

    pub(crate) fn confirm(
        options: &Deflate,
        _: &Extension<'_>,
    ) -> Result<Agreement, InvalidResponse> {
        match options.0 {}
    }
}

impl Codec {
    pub(crate) fn new(options: &Deflate, _: &negotiate::Agreement) -> Self {
        match options.0 {}
    }

    pub(crate) fn switch(&mut self, _: bool) {
        match self.0 {}
    }

    pub(crate) fn end_sending(&mut self) {
        match self.0 {}
    }

    pub(crate) fn end_receiving(&mut self) {
        match self.0 {}
    }

    pub(crate) fn push(&mut self, _: &[u8], _: &mut [u8]) -> Result<Progress, InvalidData> {
        match self.0 {}
    }

    pub(crate) fn has_failed(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn finish(&mut self, _: &mut [u8]) -> Result<Rest, InvalidData> {
        match self.0 {}
    }

    pub(crate) fn message(&mut self, _: &[u8]) -> Option<Payload> {
        match self.0 {}
    }

    pub(crate) fn compresses_parts(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn part(&mut self, _: &[u8], _: bool) -> Payload {
        match self.0 {}
    }

    pub(crate) fn allows_prepared(&mut self, _: u8) -> bool {
        match self.0 {}
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.0 {}
    }
}
