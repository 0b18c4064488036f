//! One run: a server, connections, load, the end of them; and what there is to measure on the way.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    connection::Opener,
    driver::{self, Command, Load, Tally},
    messages::Messages,
    options::Options,
    process::{self, Figures, Server},
    report::{Report, Sample},
    tables::{self, Plan},
};

/// What each thread connects and sends before anything is measured, so that code and buffers are resident.
const WARM_UP: usize = 16;
const WARM_UP_RATE: f64 = 200.0;
const WARM_UP_TIME: Duration = Duration::from_millis(300);
/// The time for all threads to get ready.
const RUN_UP: Duration = Duration::from_millis(50);
/// How long the system remembers an address and a port after a connection.
const TIME_WAIT_SECONDS: usize = 60;

pub(crate) fn run(options: &Options) -> Outcome<Report> {
    let plan = Plan::new(options)?;
    let mut server = match options.server {
        Some(_) => None,
        None => Some(Server::start(options, &plan)?),
    };
    let load = Threads::start(options, &plan, server.as_ref())?;
    load.warm_up()?;

    let before = alone(&mut server)?;
    let slab_before = process::slab()?;
    let start = Instant::now();
    let opened = load.tell_all(|n, of| Command::Open(share(plan.connections, n, of)))?;
    let opening_time = start.elapsed();
    let idle = figures(&mut server)?;
    let slab_idle = process::slab()?;

    let own_before = process::cpu()?;
    let mut samples = vec![sample(Duration::ZERO, &mut server)?];
    let start = load.begin(options)?;
    let loaded = load.wait(|| {
        samples.push(sample(start.elapsed(), &mut server)?);
        Ok(())
    })?;
    let own = process::cpu()? - own_before;
    let loaded_time = start.elapsed();
    let after = figures(&mut server)?;

    let closed = load.tell_all(|_, _| Command::Close)?;
    let end = alone(&mut server)?;
    Ok(Report {
        options: options.clone(),
        plan,
        opened,
        opening_time,
        loaded,
        // Of the clock of the threads, from the moment on at which the load began.
        first: start.duration_since(load.origin),
        loaded_time,
        own,
        closed,
        server: before
            .zip(idle)
            .zip(after)
            .zip(end)
            .map(|(((before, idle), after), end)| [before, idle, after, end]),
        slab: slab_idle.saturating_sub(slab_before),
        samples: samples.into_iter().flatten().collect(),
    })
}

fn figures(server: &mut Option<Server>) -> Outcome<Option<Figures>> {
    server.as_mut().map(Server::figures).transpose()
}

fn alone(server: &mut Option<Server>) -> Outcome<Option<Figures>> {
    server.as_mut().map(Server::figures_alone).transpose()
}

fn sample(time: Duration, server: &mut Option<Server>) -> Outcome<Option<Sample>> {
    let Some(server) = server else {
        return Ok(None);
    };
    Ok(Some(Sample {
        time,
        resident: server.figures()?.resident,
        descriptors: server.descriptors()?,
    }))
}

/// The part of the `n`th of so many.
fn share(whole: usize, n: usize, of: usize) -> usize {
    whole * (n + 1) / of - whole * n / of
}

/// The threads of the load.
struct Threads {
    origin: Instant,
    commands: Vec<Sender<Command>>,
    tallies: Receiver<Outcome<Tally>>,
}

impl Threads {
    fn start(options: &Options, plan: &Plan, server: Option<&Server>) -> Outcome<Self> {
        let address = options
            .server
            .or_else(|| server.map(|server| server.address));
        let address = address.ok_or("there is a server")?;
        // Twice what is needed: the system finds free ones sooner.
        let remembered = TIME_WAIT_SECONDS * options.churn as usize;
        let sources = 2 * (plan.connections + remembered) / tables::ports()? + 1;
        let is_here = address.is_ipv4() && address.ip().is_loopback();
        let sources = is_here.then(|| u8::try_from(sources.min(250)).expect("it is small"));
        let (told, tallies) = channel();
        let mut threads = Self {
            origin: Instant::now(),
            commands: Vec::new(),
            tallies,
        };
        for n in 0..plan.threads {
            let (command, commands) = channel();
            threads.commands.push(command);
            let opener = Arc::new(Opener {
                server: address,
                sources,
                messages: Messages::new(options.size),
                origin: threads.origin,
                tally: Tally::new().into(),
                next: (n as u64).into(),
                threads: plan.threads as u64,
            });
            let (told, own) = (told.clone(), plan.has_own_tables);
            thread::spawn(move || {
                if let Err(error) = driver::drive(opener, own, &commands, &told) {
                    // Nobody may be waiting any more.
                    let _ = told.send(Err(error));
                }
            });
        }
        Ok(threads)
    }

    fn warm_up(&self) -> Outcome<()> {
        self.tell_all(|_, _| Command::Open(WARM_UP))?;
        let load = Load {
            start: Instant::now(),
            time: WARM_UP_TIME,
            rate: WARM_UP_RATE,
            churn: 0.0,
            phase: 0.0,
        };
        self.tell_all(|_, _| Command::Load(load))?;
        self.tell_all(|_, _| Command::Close)?;
        Ok(())
    }

    /// Begins to send, and tells when.
    fn begin(&self, options: &Options) -> Outcome<Instant> {
        let start = Instant::now() + RUN_UP;
        let threads = self.commands.len();
        for (n, thread) in self.commands.iter().enumerate() {
            thread.send(Command::Load(Load {
                start,
                time: Duration::from_secs(options.seconds.into()),
                rate: f64::from(options.rate) / threads as f64,
                churn: f64::from(options.churn) / threads as f64,
                phase: n as f64 / threads as f64,
            }))?;
        }
        Ok(start)
    }

    fn tell_all(&self, command: impl Fn(usize, usize) -> Command) -> Outcome<Tally> {
        let threads = self.commands.len();
        for (n, thread) in self.commands.iter().enumerate() {
            thread.send(command(n, threads))?;
        }
        self.wait(|| Ok(()))
    }

    /// Waits until all of them are ready, and does something each second meanwhile.
    fn wait(&self, mut each_second: impl FnMut() -> Outcome<()>) -> Outcome<Tally> {
        const SECOND: Duration = Duration::from_secs(1);
        let mut all = Tally::new();
        let mut next = Instant::now() + SECOND;
        let mut ready = 0;
        while ready < self.commands.len() {
            match self
                .tallies
                .recv_timeout(next.duration_since(Instant::now()))
            {
                Ok(tally) => {
                    all.add(tally?);
                    ready += 1;
                }
                Err(RecvTimeoutError::Timeout) => {
                    each_second()?;
                    next += SECOND;
                }
                Err(RecvTimeoutError::Disconnected) => return Err("the load has ended".into()),
            }
        }
        Ok(all)
    }
}
