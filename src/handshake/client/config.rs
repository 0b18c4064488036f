//! What a client puts up with.

use core::time::Duration;

use crate::handshake::http1::Limits;

/// What a client accepts in an opening handshake, and the configuration of the connection that comes
/// of it.
///
/// Every limit is finite by default, inclusive, and never "unlimited" when it is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use framewire::client::Config;
///
/// let config = Config::new()
///     .timeout(Duration::from_secs(5))
///     .connection(framewire::Config::new().max_message_size(64 * 1024));
/// # assert_ne!(config, Config::new());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) connection: crate::Config,
    pub(super) limits: Limits,
    pub(super) max_body_size: usize,
    pub(super) require_subprotocol: bool,
    pub(super) timeout: Duration,
}

impl Config {
    /// The defaults, which stand at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            connection: crate::Config::new(),
            limits: Limits {
                head: 16 * 1024,
                // A status line has none.
                target: usize::MAX,
                headers: 100,
            },
            max_body_size: 64 * 1024,
            require_subprotocol: false,
            timeout: Duration::from_secs(10),
        }
    }

    /// The limits and time-outs of the connection. [`Config::new`](crate::Config::new) by default.
    #[must_use]
    pub const fn connection(mut self, config: crate::Config) -> Self {
        self.connection = config;
        self
    }

    /// The largest head of a response in bytes, up to the empty line behind it. 16 KiB by default; a
    /// larger one fails the handshake.
    #[must_use]
    pub const fn max_head_size(mut self, bytes: usize) -> Self {
        self.limits.head = bytes;
        self
    }

    /// The most header lines of a response. 100 by default; more fail the handshake.
    ///
    /// Up to 100 are checked without an allocation.
    #[must_use]
    pub const fn max_headers(mut self, lines: usize) -> Self {
        self.limits.headers = lines;
        self
    }

    /// How much of the body of a refusal is kept, in bytes as they come. 64 KiB by default; the rest
    /// is not waited for.
    #[must_use]
    pub const fn max_body_size(mut self, bytes: usize) -> Self {
        self.max_body_size = bytes;
        self
    }

    /// Whether the handshake fails if subprotocols were offered and the server selected none, as it
    /// does in browsers. Off by default: RFC 6455 section 4.2.2 allows it.
    #[must_use]
    pub const fn require_subprotocol(mut self, on: bool) -> Self {
        self.require_subprotocol = on;
        self
    }

    /// How long it may take until the response is complete. 10 s by default.
    ///
    /// Counted from the first call of [`Handshake::handle_timeout`](super::Handshake::handle_timeout);
    /// bytes that arrive do not extend it. Adapters begin to count before they connect.
    /// [`Duration::MAX`] is no limit.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting may take.
    #[cfg(feature = "std")]
    pub(crate) fn time_limit(&self) -> Duration {
        self.timeout
    }

    /// What is left of the time-out.
    #[cfg(feature = "std")]
    pub(crate) fn time_left(&self, elapsed: Duration) -> Duration {
        self.timeout.saturating_sub(elapsed)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
