//! One connection at a time in its opening handshake (RFC 6455 section 4.1).

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Lets connections to the same address and port connect one after the other; see
/// [`connect_in_turn`](super::connect_in_turn). A clone is another handle to the same thing.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<State>);

#[derive(Debug, Default)]
struct State {
    connecting: Mutex<HashSet<SocketAddr>>,
    /// Somebody has connected, or has given it up.
    freed: Condvar,
}

impl Turns {
    /// Nobody is connecting yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for a turn, which lasts until it is dropped. `None`: not within `timeout`.
    pub(super) fn wait(&self, address: SocketAddr, timeout: Duration) -> Option<Turn> {
        let State { connecting, freed } = &*self.0;
        let connecting = connecting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut connecting, _) = freed
            .wait_timeout_while(connecting, timeout, |connecting| {
                connecting.contains(&address)
            })
            .unwrap_or_else(PoisonError::into_inner);
        // Made only if it is ours: it would free the turn of another one when it is dropped.
        connecting.insert(address).then(|| Turn {
            state: Arc::clone(&self.0),
            address,
        })
    }
}

/// The turn of one connection.
#[derive(Debug)]
pub(super) struct Turn {
    state: Arc<State>,
    address: SocketAddr,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let connecting = &self.state.connecting;
        connecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.address);
        self.state.freed.notify_all();
    }
}
