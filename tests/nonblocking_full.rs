//! Two ends that both send more than either may queue, and both receive: neither waits for the other to read
//! first.
#![cfg(feature = "tokio")]

mod support;

use framewire::{
    CloseCode, Config, Error, Message, RecvBuf, Role,
    tokio::{ByteStream, Messages, Parts, WebSocket},
};
use futures::{SinkExt as _, StreamExt as _};
use support::connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

const MANY: usize = 100;
const LEN: usize = 60_000;

fn ends() -> [WebSocket<DuplexStream>; 2] {
    let (here, there) = duplex(4096);
    let end = |stream, role| {
        let parts = Parts::new(stream, connection(role, Config::new()), RecvBuf::new());
        WebSocket::from_parts(parts)
    };
    [end(here, Role::Server), end(there, Role::Client)]
}

#[tokio::test(start_paused = true)]
async fn halves_that_send_much_both_ways_do_not_block_each_other() {
    let talk = async |ws: WebSocket<DuplexStream>| {
        let (mut receiver, sender) = ws.split();
        let sending = async {
            for _ in 0..MANY {
                sender.feed(&[1; LEN]).await?;
            }
            sender.flush().await
        };
        let receiving = async {
            for _ in 0..MANY {
                assert!(receiver.recv().await?.is_some());
            }
            Ok::<(), Error>(())
        };
        tokio::try_join!(sending, receiving).map(|_| (sender, receiver))
    };
    let [here, there] = ends();
    let talked = tokio::try_join!(talk(here), talk(there));
    assert!(talked.is_ok(), "{talked:?}");
}

#[tokio::test(start_paused = true)]
async fn whole_ones_that_wait_for_a_message_read_while_they_write_a_large_one() {
    let talk = async |mut ws: WebSocket<DuplexStream>| {
        ws.feed(&vec![1; 3 << 20]).await?;
        assert!(ws.recv().await?.is_some());
        ws.flush().await?;
        Ok::<_, Error>(ws)
    };
    let [here, there] = ends();
    let talked = tokio::try_join!(talk(here), talk(there));
    assert!(talked.is_ok(), "{talked:?}");
}

#[tokio::test(start_paused = true)]
async fn whole_ones_that_close_read_while_they_write_a_large_message() {
    let talk = async |mut ws: WebSocket<DuplexStream>| {
        ws.feed(&vec![1; 3 << 20]).await?;
        ws.close(CloseCode::NORMAL, "").await
    };
    let [here, there] = ends();
    let talked = tokio::try_join!(talk(here), talk(there));
    assert!(talked.is_ok(), "{talked:?}");
}

#[tokio::test(start_paused = true)]
async fn streams_of_messages_that_send_much_both_ways_do_not_block_each_other() {
    let talk = async |ws: WebSocket<DuplexStream>| {
        let (mut sink, mut stream) = Messages::new(ws).split();
        let sending = async {
            for _ in 0..MANY {
                sink.feed(Message::from(vec![1; LEN])).await?;
            }
            sink.flush().await
        };
        let receiving = async {
            for _ in 0..MANY {
                stream.next().await.expect("a message")?;
            }
            Ok::<(), Error>(())
        };
        tokio::try_join!(sending, receiving).map(|_| (sink, stream))
    };
    let [here, there] = ends();
    let talked = tokio::try_join!(talk(here), talk(there));
    assert!(talked.is_ok(), "{:?}", talked.err());
}

#[tokio::test(start_paused = true)]
async fn streams_of_bytes_that_send_much_both_ways_do_not_block_each_other() {
    let talk = async |ws: WebSocket<DuplexStream>| {
        let (mut reader, mut writer) = tokio::io::split(ByteStream::new(ws));
        let sending = async {
            writer.write_all(&vec![1; MANY * LEN]).await?;
            writer.flush().await
        };
        let receiving = async { reader.read_exact(&mut vec![0; MANY * LEN]).await };
        tokio::try_join!(sending, receiving).map(|_| (reader, writer))
    };
    let [here, there] = ends();
    let talked = tokio::try_join!(talk(here), talk(there));
    assert!(talked.is_ok(), "{:?}", talked.err());
}
