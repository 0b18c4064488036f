//! The server: the echo of the README, in threads each of which has a runtime of its own.

use std::{
    io::stdin,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use framewire::{Error, Event, server::Config, tokio::accept};
use futures::FutureExt as _;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Builder,
};

use crate::{
    Outcome,
    options::Options,
    process::{self, Figures},
    tables::Plan,
};

/// How many may wait to be accepted; the system has a limit as well, `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

static COUNTS: Counts = Counts {
    open: AtomicU64::new(0),
    failed: AtomicU64::new(0),
    not_accepted: AtomicU64::new(0),
};

struct Counts {
    open: AtomicU64,
    failed: AtomicU64,
    not_accepted: AtomicU64,
}

impl Counts {
    fn end(&self, end: &Result<(), Error>) {
        if end.is_err() {
            self.failed.fetch_add(1, Relaxed);
        }
        self.open.fetch_sub(1, Relaxed);
    }
}

/// Tells where it listens, and its figures for each line of stdin, up to the end of that.
pub(crate) fn serve(options: &Options) -> Outcome<()> {
    let plan = Plan::new(options)?;
    let mut address = options.listen;
    for _ in 0..plan.threads {
        let (bound, told) = channel();
        let own = plan.has_own_tables;
        thread::spawn(move || {
            if let Err(error) = work(address, own, &bound) {
                eprintln!("{address}: {error}");
            }
        });
        // The first one may have been given a port, which is that of the others as well.
        address = told.recv().map_err(|_| "a thread can't serve")?;
    }
    println!("listening on {address}");
    for line in stdin().lines() {
        line?;
        let figures = Figures {
            cpu: process::cpu()?,
            resident: process::resident()?,
            open: COUNTS.open.load(Relaxed),
            failed: COUNTS.failed.load(Relaxed),
            not_accepted: COUNTS.not_accepted.load(Relaxed),
        };
        println!("{figures}");
    }
    Ok(())
}

/// A thread, from its table to its runtime; it never ends.
fn work(address: SocketAddr, has_own_tables: bool, bound: &Sender<SocketAddr>) -> Outcome<()> {
    Plan::enter(has_own_tables)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        bound.send(listener.local_addr()?)?;
        accept_all(listener).await;
        Ok(())
    })
}

async fn accept_all(listener: TcpListener) {
    let config = Arc::new(Config::new());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let config = Arc::clone(&config);
                COUNTS.open.fetch_add(1, Relaxed);
                // Nothing but the echo: a block around it would hold the stream a second time.
                tokio::spawn(echo(stream, config).map(|end| COUNTS.end(&end)));
            }
            Err(_) => {
                // Out of descriptors, most likely: some will come free.
                COUNTS.not_accepted.fetch_add(1, Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn echo(stream: TcpStream, config: Arc<Config>) -> Result<(), Error> {
    let mut ws = accept(stream, &config).await?;
    while let Some((event, conn)) = ws.recv_ref().await? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            _ => {} // pings and Close frames have been answered
        }
    }
    Ok(())
}
