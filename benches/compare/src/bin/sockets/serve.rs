//! The process of a server, from inside: `sockets serve CONTESTANT IDIOM PURPOSE [PROCESSOR]`.
//!
//! It tells its port on stdout, and answers on stdout what it is asked on stdin, a line each.

mod publish;

use std::{fs, io::stdin, process, thread};

use framewire_compare::process_cpu;
use futures_util::FutureExt as _;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

use crate::{
    Outcome, contestants,
    contestants::Idiom,
    processors,
    servers::{self, Broadcasts, Library, Setup},
};

/// What a server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Echoing messages of at most a few KiB fast, ...
    Small,
    /// ... or larger ones. Whoever serves knows which.
    Large,
    /// Accepting connections that end at once.
    Handshake,
    /// Holding connections that wait, and taking little for them.
    Idle,
    /// The same with signs of life asked for.
    Keepalive,
    /// Sending one message to many.
    Broadcast,
}

impl Purpose {
    pub const fn echoing(size: usize) -> Self {
        if size <= 4096 {
            Self::Small
        } else {
            Self::Large
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::Keepalive => "keepalive",
            Self::Broadcast => "broadcast",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Small,
            Self::Large,
            Self::Handshake,
            Self::Idle,
            Self::Keepalive,
            Self::Broadcast,
        ];
        all.into_iter().find(|purpose| purpose.name() == name)
    }

    /// Whether the client hangs up while the server still serves: no failure then.
    const fn is_hung_up_on(self) -> bool {
        matches!(self, Self::Handshake | Self::Idle | Self::Keepalive)
    }
}

pub fn main(args: &[String]) -> Outcome<()> {
    let [name, idiom, purpose, processor @ ..] = args else {
        return Err("usage: sockets serve CONTESTANT IDIOM PURPOSE [PROCESSOR]".into());
    };
    if let [number] = processor {
        processors::keep_to(number.parse()?)?;
    }
    let idiom = Idiom::named(idiom).ok_or("no such idiom")?;
    let purpose = Purpose::named(purpose).ok_or("no such purpose")?;
    let setup = Setup { idiom, purpose };
    match &**name {
        contestants::FRAMEWIRE => serve::<servers::Framewire>(setup),
        contestants::FRAMEWIRE_OWNED => echo::<servers::FramewireOwned>(setup),
        contestants::FLOOR => serve::<servers::Floor>(setup),
        contestants::RAW => echo::<servers::Raw>(setup),
        contestants::TUNGSTENITE => serve::<servers::Tungstenite>(setup),
        contestants::FASTWEBSOCKETS => serve::<servers::Fastwebsockets>(setup),
        contestants::TOKIO_WEBSOCKETS => serve::<servers::TokioWebsockets>(setup),
        contestants::YAWC => serve::<servers::Yawc>(setup),
        contestants::SOCKUDO => serve::<servers::Sockudo>(setup),
        contestants::SOKETTO => serve::<servers::Soketto>(setup),
        contestants::WEB_SOCKET => serve::<servers::WebSocket>(setup),
        _ => Err("no such contestant".into()),
    }
}

fn serve<L: Broadcasts>(setup: Setup) -> Outcome<()> {
    if setup.purpose == Purpose::Broadcast {
        run(publish::serve::<L>(setup))
    } else {
        echo::<L>(setup)
    }
}

fn echo<L: Library>(setup: Setup) -> Outcome<()> {
    run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        begin(&listener.local_addr()?.port().to_string());
        accept::<L, _>(listener, setup, |stream| L::echo(stream, setup)).await
    })
}

/// On one thread: what is compared is the work, not how it is spread.
fn run(server: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(server)
}

/// Tells where it listens. Questions are answered from now on, by a thread that only waits otherwise.
fn begin(ports: &str) {
    println!("{ports}");
    thread::spawn(answer);
}

/// A task for each connection.
async fn accept<L: Library, F: Future<Output = Outcome<()>> + Send + 'static>(
    listener: TcpListener,
    setup: Setup,
    serve: impl Fn(TcpStream) -> F,
) -> Outcome<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        if !L::SETS_NODELAY {
            stream.set_nodelay(true)?;
        }
        // A block that waits for it would hold it twice.
        tokio::spawn(serve(stream).map(move |ended| tell(setup, ended)));
    }
}

/// What went wrong, if it was not the client's leaving.
pub fn tell(setup: Setup, ended: Outcome<()>) {
    if let Err(error) = ended
        && !setup.purpose.is_hung_up_on()
    {
        eprintln!("a connection failed: {error}");
    }
}

/// Answers the questions on stdin, and ends with them.
fn answer() {
    for question in stdin().lines().map_while(Result::ok) {
        match &*question {
            "cpu" => println!("{}", process_cpu().as_nanos()),
            _ => println!("{}", resident().expect("Linux tells it")),
        }
    }
    process::exit(0);
}

/// The bytes of this process that are resident. The counters of `statm` and `status` lag behind by some
/// dozens of pages, these don't.
fn resident() -> Outcome<u64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.ok_or("no Rss in smaps_rollup")?.parse()?;
    Ok(kilobytes * 1024)
}
