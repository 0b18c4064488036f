//! The examples as programs: found beside the test or built, started, watched, and ended with the test;
//! and the threads that play their peers. Nothing here sleeps, and no wait is without an end.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

/// How long a program or a peer may keep a test waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const PROGRAMS: &[&str] = &[
    "autobahn_client",
    "broadcast",
    "client",
    "echo",
    "echo_by_hand",
    #[cfg(feature = "tokio")]
    "autobahn_client_tokio",
    #[cfg(all(feature = "http", feature = "tokio"))]
    "axum_upgrade",
    #[cfg(feature = "tokio")]
    "chat",
    #[cfg(feature = "tokio")]
    "echo_tokio",
    #[cfg(all(feature = "http", feature = "tokio"))]
    "hyper_upgrade",
    #[cfg(all(feature = "tokio", target_os = "linux"))]
    "load",
];

/// An example that runs. It is killed when it keeps the test waiting, and when the test drops it.
pub(crate) struct Program {
    /// What it was started with, for whoever has to find out.
    name: String,
    child: Arc<Mutex<Child>>,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    /// Tells the watchdog that the test goes on.
    alive: Sender<()>,
    late: Arc<AtomicBool>,
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: by a signal.
    pub(crate) status: Option<i32>,
    /// What had not been read before.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Program {
    pub(crate) fn start(name: &str, args: &[&str]) -> Self {
        Self::start_with(name, PATIENCE, |command| command.args(args))
    }

    /// As [`start`](Self::start), with a patience of its own and whatever else is to be said.
    pub(crate) fn start_with(
        name: &str,
        patience: Duration,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(example(name));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(command.stderr(Stdio::piped()));
        let mut child = command.spawn().expect("the example can be started");
        let mut stderr = child.stderr.take().expect("it is piped");
        let (alive, signs) = channel();
        let program = Self {
            name: format!("{name} {:?}", command.get_args().collect::<Vec<_>>()),
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map(BufReader::new),
            stderr: Some(thread::spawn(move || {
                let mut bytes = Vec::new();
                stderr.read_to_end(&mut bytes).expect("a pipe can be read");
                bytes
            })),
            child: Arc::new(Mutex::new(child)),
            alive,
            late: Arc::default(),
        };
        let (child, late) = (Arc::clone(&program.child), Arc::clone(&program.late));
        thread::spawn(move || watch(&signs, patience, &child, &late));
        program
    }

    /// Starts one of the servers, at an address that it has to tell.
    pub(crate) fn serve(name: &str, args: &[&str]) -> (Self, SocketAddr) {
        let args = [&["--listen", "127.0.0.1:0"], args].concat();
        let mut program = Self::start(name, &args);
        let line = program.line();
        let port = line.rsplit(':').next().map(str::parse);
        let Some(Ok(port)) = port else {
            panic!("the first line does not end in the port: {line}");
        };
        (program, ([127, 0, 0, 1], port).into())
    }

    /// Writes to stdin.
    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) {
        self.go_on();
        let stdin = self.stdin.as_mut().expect("stdin is open");
        let written = stdin.write_all(text.as_ref());
        written.unwrap_or_else(|error| panic!("{} reads no stdin: {error}", self.name));
    }

    /// Writes to stdin and ends it, while the test goes on. A program that ends before it has read
    /// all of that is for the test to judge.
    pub(crate) fn say_all(&mut self, text: impl AsRef<[u8]> + Send + 'static) {
        let mut stdin = self.stdin.take().expect("stdin is open");
        thread::spawn(move || stdin.write_all(text.as_ref()));
    }

    /// Writes this to stdin again and again, as long as there is anybody to read it.
    pub(crate) fn say_for_ever(&mut self, text: impl AsRef<[u8]> + Send + 'static) {
        let mut stdin = self.stdin.take().expect("stdin is open");
        thread::spawn(move || while stdin.write_all(text.as_ref()).is_ok() {});
    }

    pub(crate) fn end_stdin(&mut self) {
        self.stdin = None;
    }

    /// Nobody will ever read stdout.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Waits for a line of stdout; without its end.
    pub(crate) fn line(&mut self) -> String {
        self.go_on();
        let mut line = Vec::new();
        let stdout = self.stdout.as_mut().expect("stdout is open");
        let read = stdout.read_until(b'\n', &mut line);
        read.expect("a pipe can be read");
        if line.pop() != Some(b'\n') {
            let told = self.told();
            panic!("{} tells no line: {told}", self.name);
        }
        String::from_utf8(line).expect("UTF-8")
    }

    /// Waits until it has ended by itself.
    pub(crate) fn finish(mut self) -> Ended {
        self.go_on();
        let mut ended = Ended {
            status: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        while let Some(stdout) = &mut self.stdout {
            let some = stdout.fill_buf().expect("a pipe can be read");
            if some.is_empty() {
                break;
            }
            ended.stdout.extend_from_slice(some);
            let read = some.len();
            stdout.consume(read);
            // It is slow perhaps, but it goes on.
            self.go_on();
        }
        let stderr = self.stderr.take().expect("it has not ended before");
        ended.stderr = stderr.join().expect("a pipe can be read");
        // What has no stderr any more has ended, or does so now.
        let status = lock(&self.child).wait().expect("it is our child");
        ended.status = status.code();
        let late = self.late.load(Ordering::Relaxed);
        assert!(!late, "{} does not end: {}", self.name, ended.tell());
        ended
    }

    /// Ends a program that never does, and gives what it has told on stderr.
    pub(crate) fn kill(mut self) -> String {
        self.told()
    }

    fn told(&mut self) -> String {
        // It may have ended before.
        let _ = lock(&self.child).kill();
        let stderr = self.stderr.take().map(JoinHandle::join);
        let stderr = stderr.and_then(Result::ok).unwrap_or_default();
        String::from_utf8_lossy(&stderr).into()
    }

    fn go_on(&self) {
        // A watchdog that had to bite is gone.
        let _ = self.alive.send(());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // It may have ended before.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Ended {
    /// Everything, for a human being.
    pub(crate) fn tell(&self) -> String {
        let [stdout, stderr] = [&self.stdout, &self.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(500)]));
        let status = self.status;
        format!("status {status:?}, stdout {stdout:?}, stderr {stderr:?}")
    }
}

/// Kills a program if the test gives no sign of life: then it waits for the program.
fn watch(signs: &Receiver<()>, patience: Duration, child: &Mutex<Child>, late: &AtomicBool) {
    loop {
        match signs.recv_timeout(patience) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                late.store(true, Ordering::Relaxed);
                // It may have ended in this moment.
                let _ = lock(child).kill();
                return;
            }
        }
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A peer that a thread plays; dropped, it is left to itself.
pub(crate) struct Peer<T> {
    address: SocketAddr,
    result: Receiver<T>,
}

/// Lets a thread play, with a listener of its own.
pub(crate) fn peer<T: Send + 'static>(
    play: impl FnOnce(&TcpListener) -> T + Send + 'static,
) -> Peer<T> {
    let listener = listen();
    let address = listener.local_addr().expect("it is bound");
    let (sender, result) = channel();
    thread::spawn(move || sender.send(play(&listener)));
    Peer { address, result }
}

impl<T> Peer<T> {
    pub(crate) fn uri(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Waits for the end of the play.
    pub(crate) fn join(self) -> T {
        match self.result.recv_timeout(PATIENCE) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => panic!("the peer has panicked"),
            Err(RecvTimeoutError::Timeout) => panic!("the peer does not end"),
        }
    }
}

pub(crate) fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

/// Accepts one client.
pub(crate) fn accepted(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("somebody connects");
    patient(stream)
}

pub(crate) fn connected(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).expect("somebody listens"))
}

pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    let limits = [
        stream.set_read_timeout(Some(PATIENCE)),
        stream.set_write_timeout(Some(PATIENCE)),
    ];
    assert!(limits.iter().all(Result::is_ok));
    stream
}

/// Everything that comes up to the end, be it a reset.
pub(crate) fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            panic!("{error} behind {} bytes", bytes.len())
        }
        _ => bytes,
    }
}

/// Where an example is, which `cargo test` has built; who runs one test alone may have none, or old ones.
fn example(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        // target/PROFILE/deps/TEST
        let test = env::current_exe().expect("a test has a path");
        let profile = test.ancestors().nth(2).expect("it lies in a target folder");
        let examples = profile.join("examples");
        if !are_fresh(&examples) {
            build(profile);
        }
        examples
    });
    executable(folder, name)
}

fn executable(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension(env::consts::EXE_EXTENSION)
}

/// Whether all of them are there, and newer than what they are made of.
fn are_fresh(examples: &Path) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = newest(&root.join("src"));
    PROGRAMS.iter().all(|name| {
        let source = root.join("examples").join(name);
        let source = if source.is_dir() {
            newest(&source)
        } else {
            modified(&source.with_extension("rs"))
        };
        let built = modified(&executable(examples, name));
        built.is_some() && built >= library.max(source)
    })
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).expect("the folder is readable");
    entries
        .map(|entry| entry.expect("the folder is readable").path())
        .map(|path| {
            if path.is_dir() {
                newest(&path)
            } else {
                modified(&path)
            }
        })
        .max()
        .flatten()
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

/// Builds them as `cargo test` would have done.
fn build(profile: &Path) {
    let name = profile.file_name().unwrap_or_default();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--examples", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    // The profiles `dev` and `test` share a folder.
    let name = if name == "debug" {
        "test".as_ref()
    } else {
        name
    };
    cargo.arg("--profile").arg(name);
    cargo.arg("--target-dir").args(profile.parent());
    if !cfg!(feature = "simd") {
        cargo.args(["--no-default-features", "--features", "std"]);
    }
    if cfg!(feature = "tokio") {
        cargo.args(["--features", "tokio"]);
    }
    if cfg!(feature = "http") {
        cargo.args(["--features", "http"]);
    }
    if cfg!(feature = "rustls") {
        cargo.args(["--features", "rustls"]);
    }
    let done = cargo.output().expect("cargo can be started");
    assert!(
        done.status.success(),
        "the examples are missing or old, and can't be built from here: run `cargo test`, or \
         `cargo build --examples` before; {cargo:?} said\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
