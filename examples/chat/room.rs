//! Who is there, and what is said: every message is encoded and compressed once, for everybody.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use framewire::{Deflate, Message, PreparedMessage};
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    broadcast::{self, Receiver},
};

/// How many may be in the room at the same time.
pub(crate) const CAPACITY: usize = 128;

/// How many messages a member may be behind. All wait for the same ones: together they take 16 MiB at the
/// most, and less than as much again where they are compressed.
const BEHIND: usize = 256;

/// How messages are compressed, by the connections as well.
pub(crate) const DEFLATE: Deflate = Deflate::new();

/// Where all members hear the same.
pub(crate) struct Room {
    news: broadcast::Sender<PreparedMessage>,
    places: Arc<Semaphore>,
    /// How many have ever been here.
    members: AtomicU64,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            news: broadcast::Sender::new(BEHIND),
            places: Arc::new(Semaphore::new(CAPACITY)),
            members: AtomicU64::new(0),
        }
    }

    /// Lets somebody in, and tells everybody; with what is said from now on, which fails for who is too far
    /// behind. `None`: it is full.
    pub(crate) fn join(self: &Arc<Self>) -> Option<(Member, Receiver<PreparedMessage>)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let number = self.members.fetch_add(1, Ordering::Relaxed) + 1;
        let member = Member {
            room: Arc::clone(self),
            name: format!("guest-{number}"),
            _place: place,
        };
        let news = self.news.subscribe();
        member.tell("has joined");
        Some((member, news))
    }

    fn publish(&self, message: PreparedMessage) {
        // Nobody may be left to hear it.
        let _ = self.news.send(message.compress(&DEFLATE));
    }
}

/// Somebody who is in the room, and leaves it by being dropped.
pub(crate) struct Member {
    room: Arc<Room>,
    /// That nobody else ever has.
    name: String,
    _place: OwnedSemaphorePermit,
}

impl Member {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Says something to everybody, under the name of this member.
    pub(crate) fn say(&self, message: &Message) {
        let name = &self.name;
        self.room.publish(match message {
            Message::Text(text) => PreparedMessage::text(&format!("{name}\n{text}")),
            Message::Binary(data) => {
                PreparedMessage::binary(&[name.as_bytes(), b"\n", data].concat())
            }
        });
    }

    /// Tells everybody something about this member.
    fn tell(&self, what: &str) {
        let notice = format!("\n{} {what}", self.name);
        self.room.publish(PreparedMessage::text(&notice));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.tell("has left");
    }
}
