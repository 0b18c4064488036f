//! The heads of responses as they arrive: those of a server, and those of a proxy before it.

use super::{Config, HandshakeError, Headers, Response};
use crate::RecvBuf;
use crate::handshake::{
    http1::{Limits, StatusLine},
    reader::HeadReader,
};

/// The most interim responses before the final one.
const MOST_INTERIM: u32 = 8;

/// Finds the head of a response in a buffer, and skips interim ones before it.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    reader: HeadReader,
    limits: Limits,
    interim: u32,
    /// Of the complete head in the buffer: its status, and where its header lines begin.
    status: u16,
    headers: usize,
}

impl ResponseReader {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            reader: HeadReader::new(),
            limits: config.limits,
            interim: 0,
            status: 0,
            headers: 0,
        }
    }

    /// The status of the next response that is a final one or a 101. Its head is complete then, and stays
    /// where it is until it is [taken](Self::take). `None`: more input is needed.
    ///
    /// # Panics
    ///
    /// If the beginning is in another buffer, or if this one holds a part of a message.
    pub(crate) fn receive(&mut self, rx: &mut RecvBuf) -> Result<Option<u16>, HandshakeError> {
        while self.read_head(rx)? {
            self.check_head(rx)?;
            if !matches!(self.status, 100 | 102..=199) {
                return Ok(Some(self.status));
            }
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(HandshakeError::TooManyInterimResponses);
            }
            self.reader.take(rx);
        }
        Ok(None)
    }

    /// Tells whether the head is complete. A peer that does not speak HTTP is found by its first bytes: it
    /// may never send a line break.
    fn read_head(&mut self, rx: &mut RecvBuf) -> Result<bool, HandshakeError> {
        let mut begin = rx.undecoded().iter().zip(b"HTTP/");
        if begin.any(|(byte, expected)| byte != expected) {
            return Err(HandshakeError::InvalidStatusLine);
        }
        Ok(self.reader.read(rx, &self.limits)?)
    }

    /// Checks the lines of a complete head.
    fn check_head(&mut self, rx: &RecvBuf) -> Result<(), HandshakeError> {
        use HandshakeError as E;

        let head = self.reader.head(rx);
        let line_len = head.iter().position(|&byte| byte == b'\r');
        let (line, lines) = head.split_at(line_len.unwrap_or_default());
        let lines = lines.strip_prefix(b"\r\n").unwrap_or_default();
        let StatusLine { version, status } = StatusLine::parse(line).ok_or(E::InvalidStatusLine)?;
        Headers::parse(lines, self.reader.headers()).ok_or(E::InvalidHeaderLine)?;
        if status == 101 && version != (1, 1) {
            return Err(E::UnsupportedHttpVersion);
        }
        (self.status, self.headers) = (status, head.len() - lines.len());
        Ok(())
    }

    /// The headers of the complete head.
    pub(super) fn headers<'b>(&self, rx: &'b RecvBuf) -> Headers<'b> {
        Headers::checked(self.lines(rx))
    }

    fn lines<'b>(&self, rx: &'b RecvBuf) -> &'b [u8] {
        let lines = self.reader.head(rx).get(self.headers..);
        lines.unwrap_or_default()
    }

    /// Takes the complete head out of the buffer.
    pub(crate) fn take(&mut self, rx: &mut RecvBuf) -> Response {
        let response = Response::new(self.status, self.lines(rx));
        self.reader.take(rx);
        response
    }

    /// Notices when another buffer is passed although something was seen in the last one.
    pub(super) fn check_buffer(&mut self, rx: &mut RecvBuf) {
        self.reader.check_buffer(rx);
    }

    /// How many bytes were seen, those of heads that were taken included.
    pub(crate) fn received(&self) -> usize {
        self.reader.received()
    }
}
