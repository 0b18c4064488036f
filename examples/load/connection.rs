//! A client's connection: bytes that are known before, so that it takes as little as possible from the server.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Outcome,
    driver::Tally,
    messages::{CLOSE, CLOSE_BACK, Mark, Messages},
};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

// The key is that of the RFC, and so is its answer.
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

thread_local! {
    /// All connections of a thread read into the same buffer, one after the other.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// What all connections of a thread have in common.
pub(crate) struct Opener {
    pub(crate) server: SocketAddr,
    /// From 127.0.0.1 on; none if the server is somewhere else.
    pub(crate) sources: Option<u8>,
    pub(crate) messages: Messages,
    /// Times are counted from here on.
    pub(crate) origin: Instant,
    pub(crate) tally: Mutex<Tally>,
    pub(crate) next: AtomicU64,
    /// How many threads count up `next`, each of them with numbers of its own.
    pub(crate) threads: u64,
}

impl Opener {
    pub(crate) async fn open(self: &Arc<Self>) -> Outcome<Connection> {
        let id = self.next.fetch_add(self.threads, Relaxed);
        let stream = timeout(PATIENCE, self.handshake(id)).await;
        let stream = stream.map_err(|_| "no handshake in time")??;
        let (read, write) = stream.into_split();
        let expected = Arc::<Mutex<Expected>>::default();
        let receiver = Receiver {
            opener: Arc::clone(self),
            expected: Arc::clone(&expected),
            id,
            at: 0,
        };
        Ok(Connection {
            sender: Arc::new(Sender {
                id,
                write,
                expected,
            }),
            received: tokio::spawn(receiver.receive(read)),
        })
    }

    async fn handshake(&self, id: u64) -> Outcome<TcpStream> {
        let socket = match self.server {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(sources) = self.sources {
            // An address has not ports enough.
            let last = 1 + u8::try_from(id % u64::from(sources))?;
            socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into())?;
        }
        let mut stream = socket.connect(self.server).await?;
        stream.set_nodelay(true)?;
        stream.write_all(REQUEST).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Err("the server has hung up".into());
            }
        }
        let head = String::from_utf8_lossy(&head);
        if head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT) {
            Ok(stream)
        } else {
            Err(head.lines().next().unwrap_or_default().into())
        }
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

/// One that is open.
pub(crate) struct Connection {
    pub(crate) sender: Arc<Sender>,
    received: JoinHandle<End>,
}

impl Connection {
    /// Begins the closing handshake.
    pub(crate) async fn close(&self) {
        lock(&self.sender.expected).is_closing = true;
        // If it fails, the connection ends, and not as it should.
        let _ = self.sender.write(&CLOSE).await;
    }

    /// Waits for the end of it, which is counted.
    pub(crate) async fn closed(self) {
        // One that does not end in time is given up with its task.
        let mut received = self.received;
        if timeout(PATIENCE, &mut received).await.is_err() {
            received.abort();
        }
    }
}

pub(crate) struct Sender {
    pub(crate) id: u64,
    write: OwnedWriteHalf,
    expected: Arc<Mutex<Expected>>,
}

/// What has been sent and is to come back.
#[derive(Default)]
struct Expected {
    due: VecDeque<u64>,
    is_closing: bool,
    is_over: bool,
}

impl Sender {
    /// Sends a message, of which `frame` gets the bytes. Not if the connection has ended already.
    pub(crate) async fn send(&self, messages: &Messages, due: u64, frame: &mut Vec<u8>) -> bool {
        let connection = self.id;
        {
            let mut expected = lock(&self.expected);
            if expected.is_over {
                return false;
            }
            expected.due.push_back(due);
        }
        frame.clear();
        messages.put(Mark { due, connection }, frame);
        // If it fails, the connection ends, with all that is expected.
        let _ = self.write(frame).await;
        true
    }

    /// Nobody else may write to it meanwhile.
    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.write.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// How a connection ended.
#[derive(Clone, Copy)]
enum End {
    /// As it should.
    Closed,
    /// Something came that was not asked for.
    Wrong,
    /// The server has gone away.
    Lost,
}

struct Receiver {
    opener: Arc<Opener>,
    expected: Arc<Mutex<Expected>>,
    id: u64,
    /// How much of what comes next has come.
    at: usize,
}

impl Receiver {
    async fn receive(mut self, mut read: OwnedReadHalf) -> End {
        let end = poll_fn(|cx| {
            loop {
                let end = BUFFER.with_borrow_mut(|buffer| {
                    let mut buffer = ReadBuf::new(buffer);
                    let polled = Pin::new(&mut read).poll_read(cx, &mut buffer);
                    let bytes = match ready!(polled) {
                        Ok(()) => buffer.filled(),
                        Err(_) => &[],
                    };
                    Poll::Ready(self.take(bytes))
                });
                if let Some(end) = ready!(end) {
                    return Poll::Ready(end);
                }
            }
        })
        .await;
        let mut expected = lock(&self.expected);
        expected.is_over = true;
        let mut tally = self.opener.tally();
        tally.given_up += expected.due.len() as u64;
        match end {
            End::Closed => tally.closed += 1,
            End::Wrong => tally.wrong += 1,
            End::Lost => tally.lost += 1,
        }
        end
    }

    /// Compares what has come with what was to come; no bytes are the end.
    fn take(&mut self, mut bytes: &[u8]) -> Option<End> {
        let mut expected = lock(&self.expected);
        if bytes.is_empty() {
            let is_closed = expected.is_closing && expected.due.is_empty();
            let has_all = is_closed && self.at == CLOSE_BACK.len();
            return Some(if has_all { End::Closed } else { End::Lost });
        }
        while let Some(&due) = expected.due.front().filter(|_| !bytes.is_empty()) {
            let messages = &self.opener.messages;
            let left = messages.len_back() - self.at;
            let (some, rest) = bytes.split_at(left.min(bytes.len()));
            let connection = self.id;
            if !messages.is_echo(Mark { due, connection }, self.at, some) {
                return Some(End::Wrong);
            }
            (self.at, bytes) = (self.at + some.len(), rest);
            if some.len() == left {
                self.at = 0;
                expected.due.pop_front();
                let now = self.opener.origin.elapsed();
                self.opener.tally().receive(due, now);
            }
        }
        if bytes.is_empty() {
            return None;
        }
        let end = self.at + bytes.len();
        if !expected.is_closing || CLOSE_BACK.get(self.at..end) != Some(bytes) {
            return Some(End::Wrong);
        }
        self.at = end;
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
