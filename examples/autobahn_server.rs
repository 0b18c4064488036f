//! The server that the Autobahn suite is run against (`autobahn/run-server`): the echo of
//! `echo_by_hand`, so that what is tested is what the example shows.

#[path = "echo_by_hand.rs"]
mod echo_by_hand;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    echo_by_hand::main()
}
