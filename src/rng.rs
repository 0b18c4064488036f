//! Where masking keys, nonces and delays come from: a cryptographic generator, seeded by the operating system or by
//! the caller (RFC 6455 sections 5.3 and 10.3). No feature can put a weak one in its place.

use alloc::boxed::Box;
use core::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::ChaCha12Rng};

use crate::frame::MaskingKey;

/// The generator of one client, from its opening handshake on. It draws 64 keys at a time, so that a key costs a load.
/// Boxed, because servers own none.
pub(crate) struct Rng(Box<ChaCha12Rng>);

impl Rng {
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self(Box::new(ChaCha12Rng::from_seed(seed)))
    }

    /// The nonce of an opening handshake (RFC 6455 section 4.1).
    pub(crate) fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        self.0.fill_bytes(&mut nonce);
        nonce
    }

    /// A random part of `duration`, below all of it.
    pub(crate) fn part_of(&mut self, duration: Duration) -> Duration {
        // Below 2^128: the longest duration has less than 2^94 nanoseconds.
        let nanos = (duration.as_nanos() * u128::from(self.0.next_u32())) >> 32;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    #[inline]
    pub(crate) fn masking_key(&mut self) -> MaskingKey {
        MaskingKey::new(self.0.next_u32().to_le_bytes())
    }
}

/// A seed from the operating system.
///
/// # Panics
///
/// If the operating system has no entropy to give: without it no client may send a frame.
#[cfg(feature = "std")]
pub(crate) fn system_seed() -> [u8; 32] {
    use rand::TryRng as _;

    let mut seed = [0; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut seed)
        .expect("the operating system provides random bytes");
    seed
}

impl core::fmt::Debug for Rng {
    /// Without the state: a log must not tell future keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng")
    }
}
