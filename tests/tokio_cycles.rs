//! However a connection of the adapter for tokio ends, nothing of it is left: no descriptor, no task, no
//! memory. One test alone, so that whatever is open in this process is its own, on one thread, so that
//! all allocations are counted.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

#[path = "support/sockets.rs"]
mod sockets;
#[path = "support/tokio.rs"]
mod support;

use std::{
    fs,
    future::poll_fn,
    net::{SocketAddr, TcpStream},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use allocation_counter::measure;
use framewire::{
    CloseCode, Config, Error, Event, Role,
    client::Request,
    server,
    tokio::{WebSocket, accept, client, connect_with},
};
use sockets::{Socket as _, patient};
use support::{Polled, reset, two, websocket};
use tokio::{
    io::AsyncWriteExt as _,
    net::{self, TcpListener},
    runtime::{Builder, Handle, Runtime},
    task::yield_now,
    time::timeout,
};

const WARM_UP: usize = 1_000;
const CYCLES: usize = 10_000;
/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// More than the buffers of a socket hold.
const MUCH: usize = 8 << 20;

#[test]
fn nothing_is_left_of_connections_however_they_end() {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a free port");
    flat(&runtime, &listener, CYCLES, |listener| {
        Box::pin(good(listener))
    });
    flat(&runtime, &listener, CYCLES / 50, |listener| {
        Box::pin(bad(listener))
    });
}

type Cycle<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs cycles, which leave as little after many as after a few.
fn flat(
    runtime: &Runtime,
    listener: &TcpListener,
    cycles: usize,
    cycle: impl Fn(&TcpListener) -> Cycle<'_>,
) {
    let run = |cycles: usize| {
        let all = async {
            for _ in 0..cycles {
                cycle(listener).await;
            }
            // What has been dropped or aborted is given up in the next turn.
            while Handle::current().metrics().num_alive_tasks() > 0 {
                yield_now().await;
            }
        };
        let in_time = runtime.block_on(async { timeout(PATIENCE, all).await });
        in_time.expect("it is stuck");
    };
    run(cycles.min(WARM_UP));
    let descriptors = descriptors();
    let left = measure(|| run(cycles));
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
    assert_eq!(self::descriptors(), descriptors);
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("Linux has it").count()
}

fn request(address: SocketAddr) -> Request {
    Request::new(&format!("ws://{address}/")).expect("a valid URI")
}

/// Open, echo, close.
async fn good(listener: &TcpListener) {
    let address = listener.local_addr().expect("it is bound");
    let opening = tokio::spawn(async move {
        let config = framewire::client::Config::new();
        let (mut ws, _) = connect_with(&request(address), &config).await?;
        ws.send("Hello").await?;
        assert_eq!(ws.recv().await?, Some("Hello".into()));
        ws.close(CloseCode::NORMAL, "").await
    });
    let (stream, _) = listener.accept().await.expect("it listens");
    echo(stream).await.expect("a closing handshake");
    let closed = opening.await.expect("no panic").expect("an answer");
    assert!(closed.clean);
}

async fn echo(stream: net::TcpStream) -> Result<(), Error> {
    let mut ws = accept(stream, &server::Config::new()).await?;
    while let Some((event, conn)) = ws.recv_ref().await? {
        if let Event::Text(text) = event {
            conn.send_text(text)?;
        }
    }
    Ok(())
}

/// One of each kind that ends badly.
async fn bad(listener: &TcpListener) {
    dropped_in_the_handshake(listener).await;
    for role in [Role::Client, Role::Server] {
        dropped_in_a_message(role).await;
        dropped_in_a_split_send(role).await;
        reset_in_a_message(role).await;
    }
}

/// Either side gives up before the other has answered.
async fn dropped_in_the_handshake(listener: &TcpListener) {
    let address = listener.local_addr().expect("it is bound");
    // The client has asked.
    let config = framewire::client::Config::new();
    let request = request(address);
    let accepted = {
        let opening = Box::pin(async {
            let stream = net::TcpStream::connect(address).await.expect("it listens");
            client(stream, &request, &config).await
        });
        let accepting = async { listener.accept().await.expect("it listens").0 };
        tokio::select! {
            biased;
            opened = opening => panic!("nobody answers: {opened:?}"),
            accepted = accepting => accepted,
        }
    };
    // It has gone, with a request or without.
    let ended = echo(accepted).await;
    assert!(ended.is_err(), "{ended:?}");

    // The server has not been asked all, and its task is aborted.
    let mut stream = net::TcpStream::connect(address).await.expect("it listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost:")
        .await
        .expect("a reader");
    let (accepted, _) = listener.accept().await.expect("it listens");
    let task = tokio::spawn(echo(accepted));
    yield_now().await;
    task.abort();
    let ended = task.await.expect_err("it was aborted");
    assert!(ended.is_cancelled());
}

fn pair(role: Role) -> [WebSocket<net::TcpStream>; 2] {
    let (client, server) = two::<TcpStream>(patient());
    match role {
        Role::Client => [client, server],
        Role::Server => [server, client],
    }
}

/// A future that sends, and one that receives, are dropped in the middle; then the WebSockets are.
async fn dropped_in_a_message(role: Role) {
    let [mut here, mut there] = pair(role);
    {
        let sending = here.send(vec![1; MUCH]);
        tokio::pin!(sending);
        assert!(poll(&mut sending).await.is_pending());
        {
            let receiving = there.recv();
            tokio::pin!(receiving);
            // Both have begun, and neither can be done.
            while poll(&mut sending).await.is_pending() && count_polls(&mut receiving).await < 3 {}
        }
    }
    drop(here);
    let ended = loop {
        match there.recv().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert!(matches!(ended, Err(Error::Eof(_)) | Err(Error::Io(_))));
}

async fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Polls a few times with others in between.
async fn count_polls<F: Future + Unpin>(future: &mut F) -> usize {
    for n in 0..3 {
        if poll(future).await.is_ready() {
            return n;
        }
        yield_now().await;
    }
    3
}

/// A sender that waits is dropped, and another; then the receiver.
async fn dropped_in_a_split_send(role: Role) {
    let [here, there] = pair(role);
    let (mut receiver, sender) = here.split();
    let other = sender.clone();
    {
        let one = sender.send(vec![1; MUCH]);
        let two = other.send(vec![2; MUCH]);
        let receiving = receiver.recv();
        tokio::pin!(one, two, receiving);
        for _ in 0..3 {
            assert!(poll(&mut one).await.is_pending());
            assert!(poll(&mut two).await.is_pending());
            assert!(poll(&mut receiving).await.is_pending());
            yield_now().await;
        }
    }
    drop(sender);
    drop(receiver);
    drop(other);
    drop(there);
}

async fn reset_in_a_message(role: Role) {
    let (here, there) = TcpStream::pair();
    let mut ws = websocket(here.into_polled(), role, Config::new());
    let sending = ws.send(vec![1; MUCH]);
    let (ended, ()) = tokio::join!(biased; sending, async { reset(there) });
    assert!(ended.is_err(), "{ended:?}");
    let ended = ws.recv().await;
    assert!(ended.is_err(), "{ended:?}");
}
