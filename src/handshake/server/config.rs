//! What a server accepts.

use core::time::Duration;

use crate::handshake::{http1::Limits, origin::OriginPolicy};

/// What a server accepts in an opening handshake, and the configuration of the connections that come
/// of it.
///
/// Every limit is finite by default, inclusive, and never "unlimited" when it is zero. A clone is
/// cheap and shares a list of origins, so that one configuration serves all handshakes.
///
/// # Examples
///
/// ```
/// use framewire::server::{AllowedOrigins, Config, OriginPolicy};
///
/// let origins = AllowedOrigins::new(["https://example.com"])?;
/// let config = Config::new()
///     .origin(OriginPolicy::List(origins))
///     .connection(framewire::Config::new().max_message_size(64 * 1024));
/// # assert_ne!(config, Config::new());
/// # Ok::<(), framewire::server::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) connection: crate::Config,
    pub(super) origin: OriginPolicy,
    pub(super) limits: Limits,
    pub(super) timeout: Duration,
}

impl Config {
    /// The defaults, which stand at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            connection: crate::Config::new(),
            origin: OriginPolicy::SameOrigin,
            limits: Limits {
                head: 16 * 1024,
                target: 8 * 1024,
                headers: 100,
            },
            timeout: Duration::from_secs(10),
        }
    }

    /// The limits and time-outs of the connections. [`Config::new`](crate::Config::new) by default.
    #[must_use]
    pub fn connection(mut self, config: crate::Config) -> Self {
        self.connection = config;
        self
    }

    /// Which web sites may connect; others are refused with 403.
    /// [`SameOrigin`](OriginPolicy::SameOrigin) by default.
    #[must_use]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.origin = policy;
        self
    }

    /// The largest head of a request in bytes, from empty lines before it to the one behind it. 16 KiB
    /// by default; a larger one is refused with 431.
    #[must_use]
    pub fn max_head_size(mut self, bytes: usize) -> Self {
        self.limits.head = bytes;
        self
    }

    /// The longest target of a request in bytes. 8 KiB by default; a longer one is refused with 414.
    #[must_use]
    pub fn max_target_size(mut self, bytes: usize) -> Self {
        self.limits.target = bytes;
        self
    }

    /// The most header lines of a request. 100 by default; more are refused with 431.
    ///
    /// Up to 100 are checked without an allocation.
    #[must_use]
    pub fn max_headers(mut self, lines: usize) -> Self {
        self.limits.headers = lines;
        self
    }

    /// How long it may take until the request is complete, or its refusal written. 10 s by default.
    ///
    /// Counted from the first call of [`Handshake::handle_timeout`](super::Handshake::handle_timeout); bytes that arrive do not extend
    /// it. [`Duration::MAX`] is no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an answer that is no WebSocket may wait to be written.
    #[cfg(feature = "std")]
    pub(crate) fn write_timeout(&self) -> Option<Duration> {
        self.connection.write_timeout.get()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
