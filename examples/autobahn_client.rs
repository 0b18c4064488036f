//! An echo client, as the target of the conformance suite.
//!
//! ```text
//! cargo run --release --example autobahn_client -- [--deflate] ws://127.0.0.1:9002 NAME
//! ```
//!
//! Asks the suite how many cases there are, lets itself be tested by each of them, and has the report
//! written under NAME. `autobahn/run-client` does all of that.

use std::{env, error::Error};

use framewire::{
    Deflate, Event, Message,
    blocking::{connect, connect_with},
    client::{Config, Request},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (uri, name, connection) = match &args[..] {
        [uri, name] => (uri, name, framewire::Config::new()),
        [option, uri, name] if option == "--deflate" => {
            (uri, name, framewire::Config::new().deflate(Deflate::new()))
        }
        _ => return Err("usage: autobahn_client [--deflate] URI NAME".into()),
    };
    let config = Config::new().connection(connection);
    let Some(Message::Text(count)) = connect(&format!("{uri}/getCaseCount"))?.recv()? else {
        return Err("no count of cases".into());
    };
    for case in 1..=count.parse::<u32>()? {
        // What goes wrong is what the suite is after: it is in its report.
        if let Err(error) = echo(&format!("{uri}/runCase?case={case}&agent={name}"), &config) {
            eprintln!("case {case}: {error}");
        }
    }
    let report = format!("{uri}/updateReports?agent={name}");
    while connect(&report)?.recv()?.is_some() {}
    Ok(())
}

fn echo(uri: &str, config: &Config) -> Outcome<()> {
    let (mut ws, _) = connect_with(&Request::new(uri)?, config)?;
    while let Some((event, conn)) = ws.recv_ref()? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            _ => {}
        }
    }
    Ok(())
}
