//! An echo client on tokio, as the target of the conformance suite.
//!
//! ```text
//! cargo run --release --features tokio --example autobahn_client_tokio -- [--deflate] ws://127.0.0.1:9002 NAME
//! ```
//!
//! Asks the suite how many cases there are, lets itself be tested by each of them, and has the report
//! written under NAME. `autobahn/run-client --tokio` does all of that.

use std::{env, error::Error};

use framewire::{
    Deflate, Event, Message,
    client::{Config, Request},
    tokio::{connect, connect_with},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (uri, name, connection) = match &args[..] {
        [uri, name] => (uri, name, framewire::Config::new()),
        [option, uri, name] if option == "--deflate" => {
            (uri, name, framewire::Config::new().deflate(Deflate::new()))
        }
        _ => return Err("usage: autobahn_client_tokio [--deflate] URI NAME".into()),
    };
    let config = Config::new().connection(connection);
    for case in 1..=case_count(uri).await? {
        // What goes wrong is what the suite is after: it is in its report.
        let case_uri = format!("{uri}/runCase?case={case}&agent={name}");
        if let Err(error) = echo(&case_uri, &config).await {
            eprintln!("case {case}: {error}");
        }
    }
    let mut ws = connect(&format!("{uri}/updateReports?agent={name}")).await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}

async fn case_count(uri: &str) -> Outcome<u32> {
    let mut ws = connect(&format!("{uri}/getCaseCount")).await?;
    let Some(Message::Text(count)) = ws.recv().await? else {
        return Err("no count of cases".into());
    };
    Ok(count.parse()?)
}

async fn echo(uri: &str, config: &Config) -> Outcome<()> {
    let (mut ws, _) = connect_with(&Request::new(uri)?, config).await?;
    while let Some((event, conn)) = ws.recv_ref().await? {
        match event {
            Event::Text(text) => conn.send_text(text)?,
            Event::Binary(data) => conn.send_binary(data)?,
            _ => {}
        }
    }
    Ok(())
}
