//! Storage that a thread lends to the connection it is working for: one that waits has none of its own.

use core::cell::RefCell;
use std::{boxed::Box, thread_local, vec::Vec};

use crate::{Connection, RecvBuf};

/// What a thread keeps at most: as many buffers of either kind, and none that is larger.
const KEPT: usize = 4;
const LARGEST: usize = 1 << 20;

#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "it is the boxes that are lent: a connection that waits has room for a pointer only"
)]
struct Pool {
    receiving: Vec<Box<RecvBuf>>,
    sending: Vec<Box<[u8]>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// The receive buffer of a connection, as long as there is something in it or it is being worked for.
#[derive(Debug, Default)]
pub(super) struct Lease(Option<Box<RecvBuf>>);

impl Lease {
    /// A buffer that is its own already.
    pub(super) fn of(rx: RecvBuf) -> Self {
        Self(Some(Box::new(rx)))
    }

    /// The buffer, which is borrowed if there is none. So is the storage for what `connection` sends.
    pub(super) fn get(&mut self, connection: &mut Connection) -> &mut RecvBuf {
        self.0.get_or_insert_with(|| borrow(connection))
    }

    /// The buffer, if there is one.
    #[inline]
    pub(super) fn held(&mut self) -> Option<&mut RecvBuf> {
        self.0.as_deref_mut()
    }

    /// Gives back what is empty, before the connection waits.
    pub(super) fn give_back(&mut self, connection: &mut Connection) {
        if let Some(rx) = self.0.take_if(|rx| rx.is_empty()) {
            give_back_receiving(rx);
        } else if let Some(rx) = &mut self.0 {
            rx.fit();
        }
        give_back(connection);
    }

    /// The buffer, to go on with it elsewhere.
    pub(super) fn into_inner(mut self) -> RecvBuf {
        self.0.take().map_or_else(RecvBuf::new, |rx| *rx)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(mut rx) = self.0.take() {
            // The connection has gone, and what it did not look at with it.
            rx.clear();
            give_back_receiving(rx);
        }
    }
}

#[inline(never)]
fn borrow(connection: &mut Connection) -> Box<RecvBuf> {
    let mut rx = with(|pool| pool.receiving.pop()).unwrap_or_default();
    connection.adopt(&mut rx);
    lend(connection);
    rx
}

/// A buffer for something else than a connection.
#[cfg(all(feature = "rustls", any(feature = "tokio", feature = "futures")))]
pub(super) fn take() -> Box<RecvBuf> {
    with(|pool| pool.receiving.pop()).unwrap_or_default()
}

/// Takes it back, with whatever is left in it.
#[cfg(all(feature = "rustls", any(feature = "tokio", feature = "futures")))]
pub(super) fn put(mut rx: Box<RecvBuf>) {
    rx.clear();
    give_back_receiving(rx);
}

/// Lends `connection` storage for what it sends, if it has none.
pub(super) fn lend(connection: &mut Connection) {
    let tx = connection.send_buf();
    if tx.capacity() == 0
        && let Some(storage) = with(|pool| pool.sending.pop())
    {
        tx.lend_storage(storage);
    }
}

/// Takes back the storage for what `connection` sends, if nothing waits in it.
pub(super) fn give_back(connection: &mut Connection) {
    let storage = connection.send_buf().take_storage();
    if is_worth_keeping(storage.len()) {
        with(|pool| (pool.sending.len() < KEPT).then(|| pool.sending.push(storage)));
    }
}

fn give_back_receiving(rx: Box<RecvBuf>) {
    if is_worth_keeping(rx.capacity()) {
        with(|pool| (pool.receiving.len() < KEPT).then(|| pool.receiving.push(rx)));
    }
}

fn is_worth_keeping(capacity: usize) -> bool {
    (1..=LARGEST).contains(&capacity)
}

/// Nothing is kept by a thread that ends.
fn with<T>(use_it: impl FnOnce(&mut Pool) -> Option<T>) -> Option<T> {
    POOL.try_with(|pool| use_it(&mut pool.borrow_mut())).ok()?
}
