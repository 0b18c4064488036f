//! An echo client, as the target of the conformance suite.
//!
//! ```text
//! cargo run --release --example autobahn_client -- ws://127.0.0.1:9002 NAME
//! ```
//!
//! Asks the suite how many cases there are, lets itself be tested by each of them, and has the report
//! written under NAME. `autobahn/run-client` does all of that.

use std::{env, error::Error};

use framewire::{Event, Message, blocking::connect};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut args = env::args().skip(1);
    let (Some(uri), Some(name), None) = (args.next(), args.next(), args.next()) else {
        return Err("usage: autobahn_client URI NAME".into());
    };
    let Some(Message::Text(count)) = connect(&format!("{uri}/getCaseCount"))?.recv()? else {
        return Err("no count of cases".into());
    };
    for case in 1..=count.parse::<u32>()? {
        // What goes wrong is what the suite is after: it is in its report.
        if let Err(error) = echo(&format!("{uri}/runCase?case={case}&agent={name}")) {
            eprintln!("case {case}: {error}");
        }
    }
    let report = format!("{uri}/updateReports?agent={name}");
    while connect(&report)?.recv()?.is_some() {}
    Ok(())
}

fn echo(uri: &str) -> Outcome<()> {
    let mut ws = connect(uri)?;
    while let Some((event, conn)) = ws.recv_ref()? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            _ => {}
        }
    }
    Ok(())
}
