//! What a connection keeps of its [`Config`]: what every connection looks at. What concerns the opening
//! handshake alone stays behind, and what is watched by the clock only if it is asked for is kept there.

use crate::{Accepts, Config, config::Millis};

/// See the methods of [`Config`] with the same names.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) max_message_size: usize,
    pub(super) max_frame_size: usize,
    pub(super) max_queued: usize,
    pub(super) max_fragments: u32,
    pub(super) close_timeout: Millis,
    pub(super) write_timeout: Millis,
    pub(super) accepts: Accepts,
    pub(super) auto_pong: bool,
    pub(super) receive_while_closing: bool,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            max_message_size: config.max_message_size,
            max_frame_size: config.max_frame_size,
            max_queued: config.max_queued,
            max_fragments: config.max_fragments,
            close_timeout: config.close_timeout,
            write_timeout: config.write_timeout,
            accepts: config.accepts,
            auto_pong: config.auto_pong,
            receive_while_closing: config.receive_while_closing,
        }
    }

    /// Whether no rule of it can concern a short message in one frame, a ping or a pong.
    pub(super) fn allows_short_frames(&self) -> bool {
        self.max_message_size.min(self.max_frame_size) >= 125
            && self.max_fragments > 0
            && self.accepts == Accepts::Both
            && self.auto_pong
    }
}
