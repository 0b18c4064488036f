//! Halves on several threads over real sockets: large messages both ways, futures dropped at random.
#![cfg(feature = "tokio")]

use std::time::Duration;

use framewire::Message;
use framewire::tokio::{Messages, WebSocket, accept, client};
use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

async fn pair() -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let request = framewire::client::Request::new(&format!("ws://{address}/")).expect("a URI");
    let config = Default::default();
    let (there, here) = tokio::join!(
        async {
            let stream = TcpStream::connect(address).await.expect("it listens");
            client(stream, &request, &config).await.expect("no error").0
        },
        async {
            let (stream, _) = listener.accept().await.expect("a client");
            accept(stream, &Default::default()).await.expect("no error")
        }
    );
    (here, there)
}

const MANY: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn split_halves_with_random_drops() {
    for round in 0..2_u64 {
        let (here, there) = pair().await;
        let mut tasks = Vec::new();
        for ws in [here, there] {
            let (mut receiver, sender) = ws.split();
            for n in 0..3_u32 {
                let sender = sender.clone();
                tasks.push(tokio::spawn(async move {
                    for i in 0..MANY {
                        let len = [10, 300, 70_000, 300_000][(i as usize * 7 + n as usize) % 4];
                        let mut data = vec![n as u8; len];
                        data[..4].copy_from_slice(&i.to_be_bytes());
                        sender.feed(&data[..]).await.expect("no error");
                        if i % 3 == 0 {
                            let short = Duration::from_micros(u64::from(i) * 13 % 400);
                            let _ = timeout(short, sender.flush()).await;
                        }
                    }
                    sender.flush().await.expect("no error");
                }));
            }
            tasks.push(tokio::spawn(async move {
                let mut next = [0; 3];
                let mut k = round;
                while next.iter().sum::<u32>() < 3 * MANY {
                    k = k.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let received = if k >> 63 == 0 {
                        let short = Duration::from_micros(k >> 33 & 127);
                        let Ok(received) = timeout(short, receiver.recv()).await else {
                            continue;
                        };
                        received
                    } else {
                        receiver.recv().await
                    };
                    let Some(Message::Binary(data)) = received.expect("no error") else {
                        panic!("data");
                    };
                    let i = u32::from_be_bytes(*data.first_chunk().expect("it is long enough"));
                    let n = usize::from(data[4]);
                    assert_eq!(i, next[n]);
                    next[n] += 1;
                }
                // Keeps what is queued going.
                let _ = timeout(Duration::from_millis(500), receiver.recv()).await;
            }));
        }
        for task in tasks {
            timeout(Duration::from_secs(60), task)
                .await
                .expect("it hangs")
                .expect("no panic");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_split_echo() {
    let (here, there) = pair().await;
    let (mut sink, stream) = Messages::new(here).split();
    let echo = tokio::spawn(async move {
        let (sink, stream) = Messages::new(there).split();
        let _ = stream.forward(sink).await;
    });
    let reader = tokio::spawn(async move {
        let mut stream = stream.take(500);
        let mut seen = 0;
        while let Some(message) = stream.next().await {
            message.expect("no error");
            seen += 1;
        }
        assert_eq!(seen, 500);
    });
    let writer = tokio::spawn(async move {
        for i in 0..500 {
            sink.send(Message::from(vec![7_u8; i * 997 % 200_000]))
                .await
                .expect("no error");
        }
        sink
    });
    let sink = timeout(Duration::from_secs(60), writer)
        .await
        .expect("it hangs")
        .expect("no panic");
    timeout(Duration::from_secs(60), reader)
        .await
        .expect("it hangs")
        .expect("no panic");
    drop(sink);
    timeout(Duration::from_secs(60), echo)
        .await
        .expect("it hangs")
        .expect("no panic");
}
