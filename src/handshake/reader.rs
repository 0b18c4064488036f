//! A head that arrives in a [`RecvBuf`], for either side.

use super::http1::{HeadError, Limits, Scanner};
use crate::RecvBuf;

/// Finds heads in a buffer, and sees to it that it stays the same one. The bytes of an incomplete
/// head are left in the buffer: it owns none.
#[derive(Debug)]
pub(super) struct HeadReader {
    scanner: Scanner,
    /// Which buffer holds what was seen; 0 before the first look at any.
    rx_id: usize,
    /// How many bytes of it were taken out before.
    taken: usize,
}

impl HeadReader {
    pub(super) const fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            rx_id: 0,
            taken: 0,
        }
    }

    /// Looks at what has arrived since the last call. Tells whether the head is complete.
    ///
    /// # Panics
    ///
    /// If the beginning is in another buffer, or if this one holds a part of a message.
    pub(super) fn read(&mut self, rx: &mut RecvBuf, limits: &Limits) -> Result<bool, HeadError> {
        self.check_buffer(rx);
        let (_, unseen) = rx.undecoded().split_at(self.scanner.seen());
        self.scanner.scan(unseen, limits)
    }

    /// Notices when another buffer is passed although something was seen in the last one.
    pub(super) fn check_buffer(&mut self, rx: &mut RecvBuf) {
        assert!(
            self.received() == 0 || self.rx_id == rx.id(),
            "the beginning of the handshake is in another RecvBuf: pass that one"
        );
        if self.rx_id != rx.id() {
            rx.change_owner();
            self.rx_id = rx.id();
        }
    }

    /// What was seen of the head, without empty lines before it.
    pub(super) fn head<'b>(&self, rx: &'b RecvBuf) -> &'b [u8] {
        rx.undecoded().get(self.scanner.head()).unwrap_or_default()
    }

    /// How many header lines have begun.
    pub(super) fn headers(&self) -> usize {
        self.scanner.headers()
    }

    /// How many bytes were seen, those of heads that were taken included.
    pub(super) fn received(&self) -> usize {
        self.taken + self.scanner.seen()
    }

    /// Takes a complete head out of the buffer; another one may follow.
    pub(super) fn take(&mut self, rx: &mut RecvBuf) {
        rx.consume(self.scanner.seen());
        self.taken = self.received();
        self.scanner = Scanner::new();
    }
}
