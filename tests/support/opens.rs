//! The opening handshake with any adapter, so that a test can ask the same of all of them.

use framewire::blocking::{self, Incoming};
use framewire::server::{PlainRequest, Request, Response};
use framewire::{Error, client, server};

use crate::ends::{End, Form};
use crate::script::Wire;

#[cfg(any(feature = "tokio", feature = "futures"))]
use crate::ends::polled::{self, Runs};
#[cfg(feature = "tokio")]
use framewire::tokio::Tokio;
#[cfg(feature = "futures")]
use {crate::ends::polled::for_futures::Paused, framewire::futures::Futures};

/// What a client opened the connection with.
pub(crate) enum Asked<'a> {
    Upgrade(&'a mut Request),
    Plain(&'a PlainRequest),
}

/// Answers a request as it is decided: `None` is the upgrade.
pub(crate) fn serve(
    form: Form,
    wire: Wire,
    config: &server::Config,
    decide: impl FnOnce(Asked<'_>) -> Option<Response>,
) -> Result<Option<End>, Error> {
    match form {
        Form::Whole | Form::Split => match blocking::incoming(wire, config)? {
            Incoming::Upgrade(mut request) => match decide(Asked::Upgrade(&mut request)) {
                None => Ok(Some(End::of(form, request.upgrade()?))),
                Some(answer) => request.respond(answer).map(|()| None),
            },
            Incoming::Plain(request) => {
                let answer = decide(Asked::Plain(&request)).expect("there is no upgrade");
                request.respond(answer).map(|()| None)
            }
        },
        #[cfg(feature = "tokio")]
        Form::Tokio | Form::TokioSplit => {
            let incoming = framewire::tokio::incoming(wire, config);
            Ok(serve_polled(form, incoming, decide)?.map(End::Tokio))
        }
        #[cfg(feature = "futures")]
        Form::Futures | Form::FuturesSplit => {
            let incoming = framewire::futures::incoming::<_, Paused>(wire, config);
            Ok(serve_polled(form, incoming, decide)?.map(End::Futures))
        }
    }
}

#[cfg(any(feature = "tokio", feature = "futures"))]
fn serve_polled<R: Runs>(
    form: Form,
    incoming: impl Future<Output = Result<framewire::nonblocking::Incoming<Wire, R>, Error>>,
    decide: impl FnOnce(Asked<'_>) -> Option<Response>,
) -> Result<Option<polled::End<R>>, Error>
where
    Wire: framewire::nonblocking::Transport<R>,
{
    use framewire::nonblocking::Incoming;

    match R::run(incoming)? {
        Incoming::Upgrade(mut request) => match decide(Asked::Upgrade(&mut request)) {
            None => {
                let ws = R::run(request.upgrade())?;
                Ok(Some(polled::End::of(form.is_split(), ws)))
            }
            Some(answer) => R::run(request.respond(answer)).map(|()| None),
        },
        Incoming::Plain(request) => {
            let answer = decide(Asked::Plain(&request)).expect("there is no upgrade");
            R::run(request.respond(answer)).map(|()| None)
        }
    }
}

/// Opens a WebSocket as the server, at any path.
pub(crate) fn accept(form: Form, wire: Wire, config: &server::Config) -> Result<End, Error> {
    match form {
        Form::Whole | Form::Split => Ok(End::of(form, blocking::accept(wire, config)?)),
        #[cfg(feature = "tokio")]
        Form::Tokio | Form::TokioSplit => {
            let ws = Tokio::run(framewire::tokio::accept(wire, config))?;
            Ok(End::Tokio(polled::End::of(form.is_split(), ws)))
        }
        #[cfg(feature = "futures")]
        Form::Futures | Form::FuturesSplit => {
            let ws = Futures::<Paused>::run(framewire::futures::accept(wire, config))?;
            Ok(End::Futures(polled::End::of(form.is_split(), ws)))
        }
    }
}

/// Opens a WebSocket as the client.
pub(crate) fn client(
    form: Form,
    wire: Wire,
    request: &client::Request,
    config: &client::Config,
) -> Result<(End, client::Response), Error> {
    match form {
        Form::Whole | Form::Split => {
            let (ws, response) = blocking::client(wire, request, config)?;
            Ok((End::of(form, ws), response))
        }
        #[cfg(feature = "tokio")]
        Form::Tokio | Form::TokioSplit => {
            let (ws, response) = Tokio::run(framewire::tokio::client(wire, request, config))?;
            Ok((End::Tokio(polled::End::of(form.is_split(), ws)), response))
        }
        #[cfg(feature = "futures")]
        Form::Futures | Form::FuturesSplit => {
            let (ws, response) =
                Futures::<Paused>::run(framewire::futures::client(wire, request, config))?;
            Ok((End::Futures(polled::End::of(form.is_split(), ws)), response))
        }
    }
}
