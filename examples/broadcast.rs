//! A broadcast server: what is typed here goes to everybody who is connected.
//!
//! ```text
//! cargo run --example broadcast -- [--listen ADDR] [--deflate]
//! ```
//!
//! Every line of stdin is encoded once and sent to all subscribers; those that fall more than 64
//! messages behind are cut off with 1008. At the end of stdin the others get a Close frame with 1001, and
//! the program ends when they have gone. ADDR is 127.0.0.1:9001 if it is not given; the first line that is
//! printed tells what it is. With `--deflate`, a line is also compressed once, for those who offer that.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a server has sockets and threads"
)]

use std::{
    collections::HashMap,
    env,
    error::Error,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use framewire::{
    CloseCode, Deflate, Keepalive, PreparedMessage,
    blocking::{self, Sender},
    server,
};

/// How many messages a subscriber may be behind.
const BEHIND: usize = 64;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Everybody who is connected, by a number that is never used again.
type All = HashMap<u64, Subscriber>;

/// The subscribers; `None` when it is over.
#[derive(Clone)]
struct Subscribers(Arc<Mutex<Option<All>>>);

struct Subscriber {
    queue: SyncSender<PreparedMessage>,
    thread: JoinHandle<()>,
}

fn main() -> Outcome<()> {
    let (mut address, mut deflate) = ("127.0.0.1:9001".to_owned(), None);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match &*arg {
            "--listen" => address = args.next().ok_or("--listen needs a value")?,
            "--deflate" => deflate = Some(Deflate::new()),
            _ => return Err("usage: broadcast [--listen ADDR] [--deflate]".into()),
        }
    }
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let subscribers = Subscribers(Arc::new(Mutex::new(Some(All::new()))));
    let joining = subscribers.clone();
    thread::spawn(move || {
        for number in 0.. {
            match listener.accept() {
                Ok((stream, peer)) => joining.join(number, stream, peer, deflate),
                Err(error) => {
                    // Out of descriptors, most likely: some will come free.
                    eprintln!("not accepted: {error}");
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
    });
    let read = io::stdin().lines().try_for_each(|line| {
        let plain = PreparedMessage::text(&line?);
        let message = match deflate {
            Some(deflate) => plain.compress(&deflate),
            None => plain,
        };
        subscribers.publish(&message);
        Ok(())
    });
    subscribers.end();
    read
}

impl Subscribers {
    /// Takes a client in. Its messages wait in a queue of its own from now on.
    fn join(&self, number: u64, stream: TcpStream, peer: SocketAddr, deflate: Option<Deflate>) {
        let (queue, messages) = sync_channel(BEHIND);
        let subscribers = self.clone();
        // Locked before the thread begins, so that it can't leave before it has joined.
        let mut all = self.all();
        let Some(all) = &mut *all else { return };
        let serve = move || {
            if let Err(error) = subscribers.serve(number, stream, &messages, deflate) {
                eprintln!("{peer}: {error}");
            }
            subscribers.leave(number);
        };
        match thread::Builder::new().spawn(serve) {
            Ok(thread) => drop(all.insert(number, Subscriber { queue, thread })),
            Err(error) => eprintln!("{peer}: no thread for it: {error}"),
        }
    }

    /// One subscriber from the first byte to the last.
    fn serve(
        &self,
        number: u64,
        stream: TcpStream,
        messages: &Receiver<PreparedMessage>,
        deflate: Option<Deflate>,
    ) -> Outcome<()> {
        // Silent subscribers are asked whether they are still there.
        let mut connection = framewire::Config::new().keepalive(Keepalive::default());
        if let Some(deflate) = deflate {
            connection = connection.deflate(deflate);
        }
        let config = server::Config::new().connection(connection);
        let (mut receiver, sender) = blocking::accept(stream, &config)?.split()?;
        thread::scope(|scope| {
            // What subscribers say is not listened to, but for pings and Close frames.
            scope.spawn(move || {
                while let Ok(Some(_)) = receiver.recv() {}
                self.leave(number);
            });
            let delivered = deliver(&sender, messages);
            let _ = if self.all().is_none() {
                sender.close(CloseCode::GOING_AWAY, "")
            } else {
                // Refused if it has gone by itself.
                sender.close(CloseCode::POLICY_VIOLATION, "too slow")
            };
            Ok(delivered?)
        })
    }

    /// Drops the queue of a subscriber, which ends its thread.
    fn leave(&self, number: u64) {
        if let Some(all) = &mut *self.all() {
            all.remove(&number);
        }
    }

    /// Queues a message for everybody, without waiting for anybody.
    fn publish(&self, message: &PreparedMessage) {
        if let Some(all) = &mut *self.all() {
            // Whoever is too slow is dropped.
            all.retain(|_, subscriber| subscriber.queue.try_send(message.clone()).is_ok());
        }
    }

    /// Lets everybody go.
    fn end(self) {
        let all = self.all().take().unwrap_or_default();
        // All queues are dropped before the first thread is waited for.
        let threads: Vec<_> = all.into_values().map(|gone| gone.thread).collect();
        for thread in threads {
            // It has printed what went wrong.
            let _ = thread.join();
        }
    }

    fn all(&self) -> MutexGuard<'_, Option<All>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what is queued, until nothing ever will be.
fn deliver(
    sender: &Sender<TcpStream>,
    messages: &Receiver<PreparedMessage>,
) -> Result<(), framewire::Error> {
    while let Ok(message) = messages.recv() {
        sender.feed(&message)?;
        // What has gathered leaves in one write.
        while let Ok(message) = messages.try_recv() {
            sender.feed(&message)?;
        }
        sender.flush()?;
    }
    Ok(())
}
