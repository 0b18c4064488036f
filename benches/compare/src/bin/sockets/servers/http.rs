//! The opening handshake by hyper, for libraries that leave it to a framework.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Setup;
use crate::{Outcome, serve::tell};

/// Answers one request by `upgrade`, and leaves the connection to a task of its own, with what that
/// returns besides the answer. So do the READMEs of all who are served here.
pub async fn serve<U: Send + 'static, F: Future<Output = Outcome<()>> + Send + 'static>(
    stream: TcpStream,
    setup: Setup,
    upgrade: impl Fn(&mut Request<Incoming>) -> Outcome<(Response<Empty<Bytes>>, U)>,
    task: impl FnOnce(U) -> F,
) -> Outcome<()> {
    // It is used once, which a service can't promise.
    let task = Mutex::new(Some(task));
    let service = service_fn(|mut request| {
        let answer = upgrade(&mut request).and_then(|(response, upgraded)| {
            let task = task.lock().unwrap_or_else(PoisonError::into_inner).take();
            let task = task.ok_or("one request for each connection")?(upgraded);
            tokio::spawn(task.map(move |ended| tell(setup, ended)));
            Ok(response)
        });
        async { answer.map_err(io::Error::other) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    Ok(connection.with_upgrades().await?)
}
