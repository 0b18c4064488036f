//! Storage that a thread lends to the connection it is working for: one that waits has none of its own.

use core::cell::RefCell;
use std::{boxed::Box, thread_local, vec::Vec};

use crate::{Connection, RecvBuf};

/// What a thread keeps at most of either kind: so many, with so many bytes together, none of them with more than half
/// of those. That is enough for some connections that exchange messages of a megabyte at the same time: to give that
/// much back to the system and get it again costs more than all the rest of such a message.
const KEPT: usize = 8;
const BYTES: usize = 8 << 20;

#[derive(Default)]
struct Pool {
    receiving: Kept<Box<RecvBuf>>,
    sending: Kept<Box<[u8]>>,
}

/// Storage of one kind.
struct Kept<T> {
    storage: Vec<T>,
    /// The capacity of all of it.
    bytes: usize,
}

trait Storage {
    fn size(&self) -> usize;
}

impl Storage for Box<RecvBuf> {
    fn size(&self) -> usize {
        self.capacity()
    }
}

impl Storage for Box<[u8]> {
    fn size(&self) -> usize {
        self.len()
    }
}

impl<T: Storage> Kept<T> {
    fn take(&mut self) -> Option<T> {
        let storage = self.storage.pop()?;
        self.bytes -= storage.size();
        Some(storage)
    }

    fn put(&mut self, storage: T) {
        let size = storage.size();
        if self.storage.len() < KEPT && size <= BYTES / 2 && self.bytes + size <= BYTES {
            self.bytes += size;
            self.storage.push(storage);
        }
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            storage: Vec::new(),
            bytes: 0,
        }
    }
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

    /// The buffer, to read to: with more storage if it waited with little.
    pub(super) fn for_reading(&mut self, connection: &mut Connection) -> &mut RecvBuf {
        if let Some(rx) = &mut self.0
            && rx.is_tight()
        {
            rx.exchange(&mut take());
        }
        self.get(connection)
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
            rx.fit_parts();
            if rx.is_loose() {
                let mut other = Box::new(RecvBuf::new());
                rx.exchange(&mut other);
                give_back_receiving(other);
            }
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
    let mut rx = take();
    connection.adopt(&mut rx);
    lend(connection);
    rx
}

/// A buffer, for a connection or for something else.
pub(super) fn take() -> Box<RecvBuf> {
    let kept = with(|pool| pool.receiving.take()).flatten();
    kept.unwrap_or_else(|| Box::new(RecvBuf::shared()))
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
        && let Some(storage) = with(|pool| pool.sending.take()).flatten()
    {
        tx.lend_storage(storage);
    }
}

/// Takes back the storage for what `connection` sends, if nothing waits in it.
pub(super) fn give_back(connection: &mut Connection) {
    let storage = connection.send_buf().take_storage();
    if !storage.is_empty() {
        with(|pool| pool.sending.put(storage));
    }
}

fn give_back_receiving(rx: Box<RecvBuf>) {
    if rx.is_ample() {
        with(|pool| pool.receiving.put(rx));
    }
}

/// Nothing is kept by a thread that ends.
fn with<T>(use_it: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    POOL.try_with(|pool| use_it(&mut pool.borrow_mut())).ok()
}
