//! Why what was queued has been dropped.

use std::io;

use crate::{Error, TimedOut};

/// An error that several threads or tasks can be told of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lost {
    TimedOut(TimedOut),
    Os(i32),
    Io(io::ErrorKind),
}

impl Lost {
    pub(crate) fn of(error: &io::Error) -> Self {
        error
            .raw_os_error()
            .map_or_else(|| Self::Io(error.kind()), Self::Os)
    }

    pub(crate) fn error(self) -> Error {
        match self {
            Self::TimedOut(timed_out) => timed_out.into(),
            Self::Os(code) => io::Error::from_raw_os_error(code).into(),
            Self::Io(kind) => io::Error::from(kind).into(),
        }
    }
}
