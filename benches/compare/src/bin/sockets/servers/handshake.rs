//! An opening handshake that does the least: it looks for the end of the request and for the key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Outcome;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

pub async fn accept(stream: &mut TcpStream) -> Outcome<()> {
    let mut request = Vec::with_capacity(1024);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Err("the client went away".into());
        }
    }
    let accept = accept_value(key(&request).ok_or("the request has no key")?);
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Ok(stream.write_all(response.as_bytes()).await?)
}

fn key(request: &[u8]) -> Option<&[u8]> {
    let mut lines = request.split(|&byte| byte == b'\n');
    let value = lines.find_map(|line| {
        let (name, value) = line.split_at_checked("Sec-WebSocket-Key:".len())?;
        name.eq_ignore_ascii_case(b"Sec-WebSocket-Key:")
            .then_some(value)
    });
    value.map(<[u8]>::trim_ascii)
}

fn accept_value(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}
