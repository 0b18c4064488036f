//! What the tests over real sockets share: a watchdog, pairs of sockets, and a peer made by hand that
//! does what no WebSocket would.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    fmt::Debug,
    fs,
    io::{self, Read},
    net::{Shutdown, TcpListener, TcpStream},
    panic,
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Buf as _;
use framewire::{
    Config, Connection, Error, Keepalive, RecvBuf, Role, TimedOut,
    blocking::{Parts, SplitTransport, WebSocket},
    server,
};

/// Longer than anything takes that is not stuck; a test may take a little longer than its parts.
const PATIENCE: Duration = Duration::from_secs(15);
const TEST_PATIENCE: Duration = Duration::from_secs(18);

/// More than the buffers of a socket hold.
pub(crate) const MUCH: usize = 8 << 20;

/// A thread that must come to an end.
pub(crate) struct Task<T> {
    what: String,
    thread: JoinHandle<T>,
    /// Hangs up when the thread ends, as it should or by a panic.
    alive: mpsc::Receiver<PathBuf>,
    /// Where Linux tells about it.
    place: Option<PathBuf>,
    patience: Duration,
}

pub(crate) fn spawn<T: Send + 'static>(
    what: impl Into<String>,
    run: impl FnOnce() -> T + Send + 'static,
) -> Task<T> {
    let what = what.into();
    let (living, alive) = mpsc::channel();
    let run = move || {
        let _ = living.send(fs::read_link("/proc/thread-self").unwrap_or_default());
        let result = run();
        drop(living);
        result
    };
    // A panic tells the name.
    let thread = thread::Builder::new().name(what.clone()).spawn(run);
    let place = alive.recv().ok().filter(|place| place.is_relative());
    Task {
        what,
        thread: thread.expect("a thread"),
        alive,
        place: place.map(|place| PathBuf::from("/proc").join(place).join("stat")),
        patience: PATIENCE,
    }
}

impl<T> Task<T> {
    /// What came of it.
    ///
    /// Panics if it is stuck, or has panicked.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        let ended = self.alive.recv_timeout(self.patience);
        assert_eq!(
            ended,
            Err(RecvTimeoutError::Disconnected),
            "{} is stuck",
            self.what
        );
        self.thread
            .join()
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the thread sleeps in some system call, which makes a test sharper. What a test
    /// proves must not depend on it: only Linux can tell.
    pub(crate) fn wait_until_blocked(&self) {
        let Some(place) = &self.place else { return };
        let start = Instant::now();
        let mut seen = 0;
        while seen < 5 && !self.is_finished() && start.elapsed() < PATIENCE {
            let stat = fs::read_to_string(place).unwrap_or_default();
            let state = stat.rsplit(") ").next().unwrap_or_default();
            seen = if state.starts_with('S') { seen + 1 } else { 0 };
            thread::yield_now();
        }
    }
}

/// Runs a test that must come to an end.
#[track_caller]
pub(crate) fn in_time(what: impl Into<String>, test: impl FnOnce() + Send + 'static) {
    let mut task = spawn(what, test);
    task.patience = TEST_PATIENCE;
    task.join();
}

/// Runs a test, which is generic over its transport, in both roles over TCP and Unix sockets.
#[allow(unused_macros, reason = "every test crate uses a part of it")]
macro_rules! everywhere {
    ($test:ident) => {
        for role in [framewire::Role::Client, framewire::Role::Server] {
            $crate::sockets::in_time(format!("{role:?} over TCP"), move || {
                $test::<std::net::TcpStream>(role)
            });
            #[cfg(unix)]
            $crate::sockets::in_time(format!("{role:?} over a Unix socket"), move || {
                $test::<std::os::unix::net::UnixStream>(role)
            });
        }
    };
}
#[allow(unused_imports, reason = "every test crate uses a part of it")]
pub(crate) use everywhere;

/// A transport of the operating system.
pub(crate) trait Socket: SplitTransport + Debug + Send + Sync + 'static {
    /// Two that are connected.
    fn pair() -> (Self, Self);
}

impl Socket for TcpStream {
    fn pair() -> (Self, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let here = Self::connect(address).expect("it listens");
        let (there, _) = listener.accept().expect("somebody has connected");
        here.set_nodelay(true).expect("a socket");
        there.set_nodelay(true).expect("a socket");
        (here, there)
    }
}

#[cfg(unix)]
impl Socket for UnixStream {
    fn pair() -> (Self, Self) {
        Self::pair().expect("two sockets")
    }
}

/// A client and a server that are connected.
pub(crate) fn two<S: Socket>(config: Config) -> (WebSocket<S>, WebSocket<S>) {
    let (here, there) = S::pair();
    (
        websocket(here, Connection::client(config)),
        websocket(there, Connection::server(config)),
    )
}

/// A WebSocket in this role, and a peer made by hand.
pub(crate) fn with_peer<S: Socket>(role: Role, config: Config) -> (WebSocket<S>, Peer<S>) {
    let (here, there) = S::pair();
    let connection = match role {
        Role::Client => Connection::client(config),
        Role::Server => Connection::server(config),
    };
    (websocket(here, connection), Peer::new(there, role))
}

fn websocket<S: Socket>(stream: S, connection: Connection) -> WebSocket<S> {
    WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()))
}

/// Time-outs as short as they can be without passing by accident.
pub(crate) fn quick() -> Config {
    Config::new()
        .close_timeout(Duration::from_millis(40))
        .write_timeout(Duration::from_millis(40))
}

/// No time-out passes in a test, and what depends on one is stuck.
pub(crate) fn patient() -> Config {
    let never = Duration::from_secs(1000);
    Config::new().close_timeout(never).write_timeout(never)
}

/// Asks for a sign of life all the time.
pub(crate) fn keepalive(timeout: Duration) -> Keepalive {
    Keepalive {
        interval: Duration::from_millis(10),
        timeout,
    }
}

/// A message that is not like any other.
pub(crate) fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|n| ((n * 31) ^ (n >> 8) ^ (seed * 97)) as u8)
        .collect()
}

/// Whether the peer was found to be gone: which of these it is depends on who notices first.
pub(crate) fn is_gone(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};

    matches!(
        error,
        Error::Io(error)
            if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
    )
}

pub(crate) fn timed_out<T>(result: &Result<T, Error>) -> Option<TimedOut> {
    match result {
        Err(Error::TimedOut(timed_out)) => Some(*timed_out),
        // It did not even come to the opening handshake, for which it is the same deadline.
        Err(Error::Connect(error)) if error.is_timeout() => Some(TimedOut::Handshake),
        _ => None,
    }
}

/// The other end of a WebSocket, which sends and reads what it likes.
pub(crate) struct Peer<S> {
    pub(crate) stream: S,
    /// The role of the WebSocket.
    role: Role,
}

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

impl Frame {
    pub(crate) fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { first, payload }
    }

    pub(crate) fn close(code: u16) -> Self {
        Self::new(CLOSE, code.to_be_bytes())
    }

    /// As an endpoint in this role wants it: a server gets it masked, with the key zero.
    pub(crate) fn encode(&self, to: Role) -> Vec<u8> {
        let mask = match to {
            Role::Client => 0,
            Role::Server => 0x80,
        };
        let mut bytes = vec![self.first];
        match self.payload.len() {
            len @ 0..126 => bytes.push(mask | len as u8),
            len @ 126..0x1_0000 => {
                bytes.push(mask | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(mask | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        if mask != 0 {
            bytes.extend([0; 4]);
        }
        bytes.extend(&self.payload);
        bytes
    }
}

impl<S: Socket> Peer<S> {
    pub(crate) fn new(mut stream: S, role: Role) -> Self {
        stream.limit_read(Some(PATIENCE)).expect("a socket");
        stream.limit_write(Some(PATIENCE)).expect("a socket");
        Self { stream, role }
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.try_send(first, payload).expect("it can be written");
    }

    pub(crate) fn try_send(&mut self, first: u8, payload: impl AsRef<[u8]>) -> io::Result<()> {
        let frame = Frame::new(first, payload).encode(self.role);
        self.stream.write_all(&frame)
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("they can be written");
    }

    pub(crate) fn send_close(&mut self, code: u16) {
        self.send(CLOSE, code.to_be_bytes());
    }

    /// Reads a frame. Panics at the end.
    pub(crate) fn frame(&mut self) -> Frame {
        self.next().expect("a frame").expect("not the end")
    }

    /// Reads a frame; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut first = [0];
        if self.stream.read(&mut first)? == 0 {
            return Ok(None);
        }
        let [second] = self.bytes()?;
        let len = match second & 0x7f {
            126 => usize::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?) as usize,
            len => usize::from(len),
        };
        let masked = second & 0x80 != 0;
        assert_eq!(masked, self.role == Role::Client, "only clients mask");
        let key = if masked { self.bytes()? } else { [0; 4] };
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload)?;
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        Ok(Some(Frame {
            first: first[0],
            payload,
        }))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// All frames up to the end, which must be an orderly one.
    pub(crate) fn frames_to_end(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().expect("no reset") {
            frames.push(frame);
        }
        frames
    }

    /// Tells that nothing more will come, but goes on reading.
    pub(crate) fn end_writing(&mut self) {
        self.stream.end_writing().expect("it was open");
    }

    /// Another handle, for another thread.
    pub(crate) fn another(&self) -> Self {
        Self {
            stream: self.stream.try_clone().expect("a socket"),
            role: self.role,
        }
    }

    /// Resets the connection: what is closed with unread bytes in it is. At least two bytes must be on
    /// their way to it.
    pub(crate) fn reset(mut self) {
        let mut one = [0];
        assert_eq!(self.stream.read(&mut one).expect("something unread"), 1);
    }
}

/// A listener, and the URI of its root.
pub(crate) fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("ws://{}/", listener.local_addr().expect("it is bound"));
    (listener, uri)
}

/// A raw connection to a listener, which does not wait for ever.
pub(crate) fn dial(uri: &str) -> TcpStream {
    let authority = uri.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(authority).expect("it listens");
    be_patient(stream)
}

/// The next raw connection to a listener.
pub(crate) fn answer(listener: &TcpListener) -> TcpStream {
    be_patient(listener.accept().expect("it listens").0)
}

fn be_patient(stream: TcpStream) -> TcpStream {
    let patience = Some(PATIENCE);
    stream.set_read_timeout(patience).expect("a socket");
    stream.set_write_timeout(patience).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Everything up to the end, or the reset that follows it.
pub(crate) fn read_to_end(stream: &mut impl Read) -> (String, io::Result<()>) {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).map(drop);
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

/// Reads a head, up to the empty line behind it and not further.
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a complete head");
        head.extend(byte);
    }
    String::from_utf8(head).expect("ASCII")
}

/// A request that a server accepts, and the key in it.
pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Ends a raw connection in one direction.
pub(crate) fn end_writing(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect("it was open");
}

/// The 101 that answers this request.
pub(crate) fn upgrade(request: &str) -> Vec<u8> {
    let mut rx = RecvBuf::new();
    rx.extend_from_slice(request.as_bytes());
    let mut handshake = server::Handshake::new(&server::Config::new());
    let Some(server::Opening::Upgrade(request)) = handshake.receive(&mut rx) else {
        panic!("{request:?} is no request for a WebSocket");
    };
    request.upgrade().send_buf().chunk().to_vec()
}
