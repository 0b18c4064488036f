//! The runs of `docs/scale.md`, and that page.

use std::fmt::Write as _;

use crate::{
    Outcome, machine,
    options::Options,
    report::{Course, Report},
    run,
};

/// For the table of connections: a rate that is no effort.
const RATE: u32 = 20_000;
/// For the table of rates.
const RATES: [u32; 5] = [20_000, 40_000, 60_000, 80_000, 100_000];
/// What latency is to stay below, in milliseconds.
const LATENCY: f64 = 10.0;
const CHURN: u32 = 2_000;
/// So that memory which grows has the time to.
const CHURN_TIME: u32 = 3;

const MIB: f64 = 1024.0 * 1024.0;

/// Makes the runs; on stderr it tells which.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let machine = machine::describe()?;
    let most = options.connections;
    let small = (most / 50).max(1);
    let base = Options {
        rate: RATE,
        churn: 0,
        server: None,
        ..options.clone()
    };
    let mut runs = Runs::default();
    let counts = [small, (most / 5).max(1), most].map(|connections| Options {
        connections,
        ..base.clone()
    });
    let counts = counts.map(|options| runs.make(&options));
    let at_rates = |runs: &mut Runs, connections| -> Outcome<Vec<Report>> {
        let rates = RATES.into_iter().map(|rate| Options {
            connections,
            rate,
            ..base.clone()
        });
        rates.map(|options| runs.make(&options)).collect()
    };
    let many = at_rates(&mut runs, most)?;
    let few = at_rates(&mut runs, small)?;
    let churn = runs.make(&Options {
        connections: (most / 5).max(1),
        rate: 0,
        churn: CHURN,
        seconds: base.seconds * CHURN_TIME,
        ..base.clone()
    })?;

    let command = format!(
        "--documented --connections {most} --size {} --seconds {}",
        base.size, base.seconds
    );
    let [first, second, third] = counts;
    let counts = [first?, second?, third?];
    println!("# Many connections on one machine\n");
    println!("{INTRODUCTION}\n");
    println!(
        "```console\n$ cargo run --release --features tokio --example load -- {command}\n```\n"
    );
    println!("{machine}");
    println!("{}", summary(&counts[2], &churn));
    println!("{}", best(most, &many));
    println!("{}\n", best(small, &few));
    println!("## Connections, and what they cost\n");
    println!("{RATE} messages a second, all connections taken together.\n");
    println!("{}", cost(&counts));
    println!("{COST}\n");
    println!("## Messages a second\n");
    for (connections, reports) in [(most, &many), (small, &few)] {
        println!("{connections} connections:\n");
        println!("{}", rates(reports));
    }
    println!("{LIMITED}\n");
    println!("## Connections that come and go\n");
    println!("{}\n", churned(&churn));
    println!("{KERNEL}\n");
    println!("## What the runs have printed\n");
    print!("{}", runs.printed);
    Ok(())
}

const INTRODUCTION: &str = "\
One process with a server on tokio, one more with all of its clients, over the loopback device of one machine. The
server is the echo of the README, whose tasks share one configuration. `examples/load` makes the runs, checks every
byte that comes back, and prints this page.";

const COST: &str = "\
Resident memory is that of the server's process, above what it had when 16 connections for each thread had come and
gone before; with few connections that is mostly what the threads allocate once. The kernel's memory for the sockets
is not in it: that is estimated in what the runs have printed, for both ends. CPU is that of all threads of the
server, with the time that the kernel takes for them. A socket does the work of receiving in the name of whoever
sends over the loopback device, so that some of it is paid for by the other side, on both sides.";

const LIMITED: &str = "\
Latency is counted from the moment at which a message was to be sent, also where the load could not send it then.
`server` and `load` are the cores that the two processes kept busy: where they add up to nearly all that there are,
the machine is the limit, which has to do the work of the clients as well. Where they don't, and latency grows, others
were at work on the machine. A message has failed if it has not come back 10 seconds after the last one was sent.";

const KERNEL: &str = "\
## Limits of the system

- **Open files in a table** (`ulimit -n`): each thread has a table of its own, in the server and in the load.
- **Ports**: an address has as many as `net.ipv4.ip_local_port_range` says, so that the clients use several addresses
  of 127.0.0.0/8. A server is at one port, and does not mind.
- **Those that wait to be accepted** (`net.core.somaxconn`, `net.ipv4.tcp_max_syn_backlog`): 64 handshakes of each
  thread at the same time are far from that.
- **Connections that have ended** (`TIME_WAIT`, a minute long, on the side of the server, which closes first):
  churn leaves up to 120 000 behind, and above `net.ipv4.tcp_max_tw_buckets` the system forgets them sooner.
- **Memory of the sockets** (`net.ipv4.tcp_mem`, in pages): counts what is in their buffers, which is nothing when
  they are idle.
- **Connection tracking** (`net.netfilter.nf_conntrack_max`): only if the firewall tracks what goes over loopback; the
  entries of connections that have ended count as well.
- **Files of the system** (`fs.file-max`), **threads** (`kernel.threads-max`): far away.";

#[derive(Default)]
struct Runs {
    /// What they were asked for, and what they have printed.
    printed: String,
}

impl Runs {
    fn make(&mut self, options: &Options) -> Outcome<Report> {
        let command = options.command();
        eprintln!("{command}");
        let report = run::run(options)?;
        let text = report.to_string();
        write!(self.printed, "```console\n$ {command}\n{text}```\n\n")?;
        if let Err(error) = report.verdict() {
            // It stands beside the figures as well.
            writeln!(self.printed, "This run has failed: {error}.\n")?;
            eprintln!("{error}");
        }
        Ok(report)
    }
}

fn cost(reports: &[Report]) -> String {
    let mut table = "\
| connections | opened a second | resident: idle | with traffic | after it | CPU a message | p50 | p99 | failed |
|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for report in reports {
        let [idle, most, after] = report.resident().unwrap_or_default();
        table += &format!(
            "| {} | {:.0} | {idle:.0} B | {most:.0} B | {after:.0} B | {:.2} us | {:.2} ms | {:.2} ms | {} |\n",
            report.opened.opened,
            report.opened_per_second(),
            report.cpu_per_message().unwrap_or_default(),
            report.latency(0.5),
            report.latency(0.99),
            report.loaded.failed(),
        );
    }
    table
}

fn rates(reports: &[Report]) -> String {
    let mut table = "\
| due | received | p50 | p99 | p99.9 | max | CPU a message | server | load | failed |
|---|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for report in reports {
        let [p50, p99, p999, max] =
            [0.5, 0.99, 0.999, 1.0].map(|quantile| report.latency(quantile));
        let [server, load] = report.cores().unwrap_or_default();
        table += &format!(
            "| {}/s | {:.0}/s | {p50:.2} ms | {p99:.2} ms | {p999:.2} ms | {max:.2} ms | {:.2} us | {server:.2} | {load:.2} | {} |\n",
            report.options.rate,
            report.achieved(),
            report.cpu_per_message().unwrap_or_default(),
            report.loaded.failed(),
        );
    }
    table
}

fn summary(held: &Report, churn: &Report) -> String {
    let [idle, most, _] = held.resident().unwrap_or_default();
    let resident = churn.course(|sample| sample.resident);
    let grown = resident.map_or(0.0, |course| course.most - course.first);
    format!(
        "In short:\n\n\
         - held by one process: {} connections of {}\n\
         - resident memory of a connection: {idle:.0} B idle, {most:.0} B with traffic\n\
         - {} connections closed and opened anew: {:.2} MiB more at most",
        held.opened.opened,
        held.options.connections,
        churn.loaded.opened,
        grown / MIB
    )
}

/// The highest rate that was kept up in time, and what came back of the highest of all.
fn best(connections: usize, reports: &[Report]) -> String {
    let in_time = reports.iter().filter(|report| {
        let kept_up = report.achieved() > 0.99 * f64::from(report.options.rate);
        kept_up && report.latency(0.99) < LATENCY && report.verdict().is_ok()
    });
    let most = reports.iter().map(Report::achieved).fold(0.0, f64::max);
    let rate = match in_time.map(|report| report.options.rate).max() {
        Some(rate) => format!("up to {rate} messages a second"),
        None => "none of the rates".to_owned(),
    };
    format!(
        "- with {connections} connections: p99 below {LATENCY} ms at {rate}; {most:.0} messages a second at most"
    )
}

fn churned(report: &Report) -> String {
    let resident = report.course(|sample| sample.resident);
    let descriptors = report.course(|sample| sample.descriptors);
    let mut text = format!(
        "{} connections, of which {CHURN} a second are closed, with a closing handshake, and opened anew, for {} s:\n\
         {} were closed, {} opened, {} failed. The server, once a second:\n\n\
         | | first | last | most | slope of the second half |\n|---|---|---|---|---|\n",
        report.opened.opened,
        report.options.seconds,
        report.loaded.closed,
        report.loaded.opened,
        report.loaded.not_opened + report.loaded.wrong + report.loaded.lost,
    );
    if let Some(Course {
        first,
        last,
        most,
        slope,
    }) = resident
    {
        let [first, last, most] = [first, last, most].map(|bytes| bytes / MIB);
        text += &format!(
            "| resident | {first:.1} MiB | {last:.1} MiB | {most:.1} MiB | {:+.2} KiB/s |\n",
            slope / 1024.0
        );
    }
    if let Some(Course {
        first,
        last,
        most,
        slope,
    }) = descriptors
    {
        text += &format!("| descriptors | {first:.0} | {last:.0} | {most:.0} | {slope:+.2}/s |\n");
    }
    text
}
