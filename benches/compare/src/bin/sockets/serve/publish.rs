//! One message for many: every connection is a subscriber of the same channel.

use futures_util::FutureExt as _;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    sync::broadcast::{Sender, channel},
};

use super::{Broadcasts, Outcome, Setup, accept, begin, tell};

/// How many messages a subscriber may be behind; there is never more than one on its way.
const BEHIND: usize = 16;

/// Listens for subscribers, and at another port for orders to publish.
pub async fn serve<L: Broadcasts>(setup: Setup) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let orders = TcpListener::bind("127.0.0.1:0").await?;
    begin(&format!(
        "{} {}",
        listener.local_addr()?.port(),
        orders.local_addr()?.port()
    ));
    let (publisher, _) = channel(BEHIND);
    let publishing = publish::<L>(orders, publisher.clone());
    tokio::spawn(publishing.map(move |ended| tell(setup, ended)));
    accept::<L, _>(listener, setup, |stream| {
        L::deliver(stream, setup, publisher.subscribe())
    })
    .await
}

/// An order is a size in four bytes. The message has so many: its number in eight bytes, and zeros.
async fn publish<L: Broadcasts>(orders: TcpListener, publisher: Sender<L::News>) -> Outcome<()> {
    let (mut stream, _) = orders.accept().await?;
    let (mut payload, mut size) = (Vec::new(), [0; 4]);
    for number in 0_u64.. {
        stream.read_exact(&mut size).await?;
        payload.resize(u32::from_be_bytes(size) as usize, 0);
        payload[..8].copy_from_slice(&number.to_be_bytes());
        // As much as the library can do once for all of them is done here. It is refused when nobody
        // listens any more, which the client notices.
        let _ = publisher.send(L::news(&payload));
    }
    Ok(())
}
