//! Who waits for one transport: the receiver, and any number of senders.
//!
//! A transport wakes only whoever has asked last. So all of them ask with the same waker, which wakes every
//! one of them.

use core::{mem, task::Waker};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Wake,
    vec::Vec,
};

#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Tasks>);

#[derive(Debug, Default)]
struct Tasks {
    receiver: Option<Waker>,
    senders: Vec<(usize, Waker)>,
    /// The number of the next sender that waits.
    next: usize,
}

impl Waiting {
    /// The receiver is going to wait.
    pub(super) fn set_receiver(&self, waker: &Waker) {
        let known = self.tasks().receiver.replace(waker.clone());
        // Not behind the lock: it may be the last one of a task.
        drop(known);
    }

    /// Wakes the senders: nothing is left to be written.
    pub(super) fn wake_senders(&self) {
        let senders = mem::take(&mut self.tasks().senders);
        wake_in_turn(senders);
    }

    /// Wakes the receiver, to have it look at the clock.
    pub(super) fn wake_receiver(&self) {
        let receiver = self.tasks().receiver.take();
        receiver.into_iter().for_each(Waker::wake);
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // Nothing in it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut tasks = self.tasks();
        let (receiver, senders) = (tasks.receiver.take(), mem::take(&mut tasks.senders));
        // A task may run at once.
        drop(tasks);
        receiver.into_iter().for_each(Waker::wake);
        wake_in_turn(senders);
    }
}

/// Who has waited longest comes first.
fn wake_in_turn(mut senders: Vec<(usize, Waker)>) {
    senders.sort_unstable_by_key(|(number, _)| *number);
    senders.into_iter().for_each(|(_, waker)| waker.wake());
}

/// A sender that may wait. It does not when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    number: Option<usize>,
}

impl<'a> Place<'a> {
    pub(super) fn new(waiting: &'a Waiting) -> Self {
        Self {
            waiting,
            number: None,
        }
    }

    /// It is going to wait.
    pub(super) fn set(&mut self, waker: &Waker) {
        let mut tasks = self.waiting.tasks();
        let next = tasks.next;
        let number = *self.number.get_or_insert(next);
        if number == next {
            tasks.next += 1;
        }
        let place = tasks.senders.iter_mut().find(|(n, _)| *n == number);
        let known = match place {
            Some((_, known)) => Some(mem::replace(known, waker.clone())),
            None => {
                tasks.senders.push((number, waker.clone()));
                None
            }
        };
        drop(tasks);
        drop(known);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let mut tasks = self.waiting.tasks();
        let place = tasks.senders.iter().position(|(n, _)| *n == number);
        let known = place.map(|place| tasks.senders.swap_remove(place));
        drop(tasks);
        drop(known);
    }
}

/// The tasks of a WebSocket that is read and written by one each, or by the same: what splits a stream or a
/// sink of somebody else's traits passes the polls of both on.
#[derive(Debug)]
pub(super) struct Pair {
    tasks: Arc<Both>,
    /// Wakes both.
    waker: Waker,
}

#[derive(Debug, Default)]
struct Both(Mutex<Directions>);

#[derive(Debug, Default)]
struct Directions {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pair {
    pub(super) fn new() -> Self {
        let tasks = Arc::<Both>::default();
        let waker = Arc::clone(&tasks).into();
        Self { tasks, waker }
    }

    /// Wakes both.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The reader is going to wait.
    pub(super) fn set_reader(&self, waker: &Waker) {
        let known = self.tasks.lock().reader.replace(waker.clone());
        // Not behind the lock: it may be the last one of a task.
        drop(known);
    }

    /// The writer is going to wait, or does not any more.
    pub(super) fn set_writer(&self, waker: Option<&Waker>) {
        let waker = waker.cloned();
        let known = mem::replace(&mut self.tasks.lock().writer, waker);
        drop(known);
    }

    /// Wakes the writer: nothing is left to be written.
    pub(super) fn wake_writer(&self) {
        let writer = self.tasks.lock().writer.take();
        writer.into_iter().for_each(Waker::wake);
    }

    /// Wakes the reader, to have it look at the clock.
    pub(super) fn wake_reader(&self) {
        let reader = self.tasks.lock().reader.take();
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Both {
    fn lock(&self) -> MutexGuard<'_, Directions> {
        // Nothing in it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Directions { reader, writer } = mem::take(&mut *self.lock());
        let writer = writer.filter(|writer| !reader.as_ref().is_some_and(|r| r.will_wake(writer)));
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }
}
