//! The halves of a split WebSocket on several threads at the same time: whoever could go on does.

use std::time::Duration;

use framewire::{
    CloseCode, Config, Connection, Message, RecvBuf,
    tokio::{Parts, Receiver, Sender, WebSocket},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, duplex},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);
const SENDERS: usize = 3;
const MESSAGES: usize = 200;

/// Two ends that have few bytes queued at most.
fn two<S: AsyncRead + AsyncWrite + Unpin>(near: S, far: S) -> [WebSocket<S>; 2] {
    let config = Config::new().max_queued(300);
    let client = Connection::client_with_seed(config, [7; 32]);
    [(near, client), (far, Connection::server(config))].map(|(stream, connection)| {
        WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()))
    })
}

async fn send_all<S>(sender: Sender<S>, who: usize)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for n in 0..MESSAGES {
        let text = format!("{who} {n} {}", "x".repeat(n * 7 % 400));
        if n % 3 == who % 3 {
            sender.feed(&text).await.expect("open");
        } else {
            sender.send(&text).await.expect("open");
        }
    }
    sender.flush().await.expect("open");
}

/// Receives what all senders of the other end send, and checks that each of them is in order.
async fn receive_all<S>(receiver: &mut Receiver<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * MESSAGES {
        let Ok(Some(Message::Text(text))) = receiver.recv().await else {
            panic!("a message is lost: {next:?}");
        };
        let mut words = text.split(' ').map(str::to_owned);
        let who: usize = words.next().expect("a number").parse().expect("a number");
        let n: usize = words.next().expect("a number").parse().expect("a number");
        assert_eq!(n, next[who]);
        next[who] += 1;
    }
}

async fn exchange<S>(ends: [WebSocket<S>; 2])
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for ws in ends {
        let (mut receiver, sender) = ws.split();
        let mut sending = JoinSet::new();
        for who in 0..SENDERS {
            sending.spawn(send_all(sender.clone(), who));
        }
        tasks.spawn(async move {
            receive_all(&mut receiver).await;
            while let Some(sent) = sending.join_next().await {
                sent.expect("no panic");
            }
            // The other end may have been quicker. It may wait until it is read from.
            let close = sender.close(CloseCode::NORMAL, "");
            let (_, end) = tokio::join!(close, receiver.recv());
            assert!(matches!(end, Ok(None)), "{end:?}");
        });
    }
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic");
        }
    };
    timeout(PATIENCE, all).await.expect("somebody is stuck");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_stuck_over_pipes() {
    for size in [1, 2, 7, 50, 301, 4096, 1 << 16] {
        for _ in 0..4 {
            let (near, far) = duplex(size);
            exchange(two(near, far)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_stuck_over_sockets() {
    for _ in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (near, (far, _)) = (near.expect("it listens"), far.expect("it connects"));
        exchange(two(near, far)).await;
    }
}

/// Full duplex: either end sends much, and has a task that does nothing but receive.
async fn both_send_much(whole: usize, count: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let streams = [near.expect("it listens"), far.expect("it connects").0];
    let connections = [
        Connection::client_with_seed(Config::new(), [7; 32]),
        Connection::server(Config::new()),
    ];
    let mut tasks = JoinSet::new();
    for (stream, connection) in streams.into_iter().zip(connections) {
        let ws = WebSocket::from_parts(Parts::new(stream, connection, RecvBuf::new()));
        let (mut receiver, sender) = ws.split();
        tasks.spawn(async move {
            for _ in 0..count {
                sender.send(vec![1; whole]).await.expect("the peer reads");
            }
            // Its clones keep nothing open.
            std::future::pending::<()>().await;
        });
        tasks.spawn(async move {
            for _ in 0..count {
                let message = receiver.recv().await.expect("the peer sends");
                assert_eq!(message.expect("open").payload().len(), whole);
            }
        });
    }
    let both = async {
        for _ in 0..2 {
            tasks.join_next().await.expect("a task").expect("no panic");
        }
    };
    let done = timeout(Duration::from_secs(20), both).await;
    done.expect("both wait for each other");
}

#[tokio::test]
async fn both_ends_send_large_messages_at_the_same_time() {
    both_send_much(8 << 20, 4).await;
}

#[tokio::test]
async fn both_ends_send_many_messages_at_the_same_time() {
    both_send_much(1000, 50_000).await;
}

/// Sends once, while another task of the same connection never stops: how many messages arrive before it, and
/// whether `send` ends.
async fn beside_a_flood(feeds: bool) -> (Option<usize>, bool) {
    let (near, far) = duplex(64);
    let [near, mut far] = two(near, far);
    let (mut receiver, sender) = near.split();
    let flooding = sender.clone();
    let tasks = [
        tokio::spawn(async move { while let Ok(Some(_)) = receiver.recv().await {} }),
        tokio::spawn(async move {
            loop {
                let sent = if feeds {
                    flooding.feed(&[0; 100]).await
                } else {
                    flooding.send(&[0; 100]).await
                };
                if sent.is_err() {
                    break;
                }
            }
        }),
    ];
    for _ in 0..10 {
        far.recv().await.expect("open");
    }
    let sent = tokio::spawn(async move { sender.send("now and then").await });
    let mut before = None;
    for n in 0..2000 {
        // It is read from, slowly.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let message = far.recv().await.expect("open");
        if matches!(message, Some(Message::Text(_))) {
            before = Some(n);
        }
        if sent.is_finished() && before.is_some() {
            break;
        }
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    (before, sent.is_finished())
}

#[tokio::test(start_paused = true)]
async fn sending_ends_while_another_task_sends_without_a_pause() {
    let (before, has_ended) = beside_a_flood(false).await;
    assert!(before.is_some() && has_ended, "{before:?} {has_ended}");
}

#[tokio::test(start_paused = true)]
async fn sending_ends_while_another_task_feeds_without_a_pause() {
    let (before, has_ended) = beside_a_flood(true).await;
    assert!(before.is_some() && has_ended, "{before:?} {has_ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_ends_while_another_thread_feeds_without_a_pause() {
    let (before, has_ended) = beside_a_flood(true).await;
    assert!(before.is_some() && has_ended, "{before:?} {has_ended}");
}
