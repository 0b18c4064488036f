//! TLS over the I/O traits of `futures`: both roles, messages larger than a record, the closing handshake.
#![expect(clippy::disallowed_types, reason = "sockets are what is tested")]

use std::net::{TcpListener, TcpStream};

use async_io::Async;
use framewire::{
    CloseCode, Error, Event,
    client::Request,
    futures::{TlsStream, Untimed, WebSocket, accept, client},
    tls,
};

async fn echo(stream: TlsStream<Async<TcpStream>>) -> Result<(), Error> {
    let mut ws: WebSocket<_, Untimed> = accept(stream, &Default::default()).await?;
    while let Some((event, conn)) = ws.recv_ref().await? {
        if let Event::Text(text) = event {
            conn.send_text(text)?;
        }
    }
    Ok(())
}

#[test]
fn messages_come_back_and_the_end_is_clean() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("valid");
    let certificate = pair.cert.pem();
    let key = pair.signing_key.serialize_pem();
    let server = tls::server(certificate.as_bytes(), key.as_bytes()).expect("they match");
    let roots = tls::client(certificate.as_bytes()).expect("a certificate");
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a port");
    let address = listener.get_ref().local_addr().expect("it is bound");
    let serving = async {
        let (stream, _) = listener.accept().await?;
        echo(TlsStream::server(stream, server).expect("valid")).await
    };
    let asking = async {
        let stream = Async::<TcpStream>::connect(address).await?;
        let stream = TlsStream::client(stream, roots, "localhost").expect("a name");
        let request = Request::new("wss://localhost/")?;
        let (mut ws, _) = client::<_, Untimed>(stream, &request, &Default::default()).await?;
        for size in [0, 1, 16 * 1024, 1 << 20] {
            let text = "x".repeat(size);
            ws.send(&*text).await?;
            assert_eq!(ws.recv().await?, Some(text.into()));
        }
        assert!(ws.close(CloseCode::NORMAL, "").await?.clean);
        Ok(())
    };
    let (served, asked) = futures::executor::block_on(async { futures::join!(serving, asking) });
    served.and(asked).expect("both end in order");
}
