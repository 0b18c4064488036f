//! Requests that are valid: what can be asked of them, and the ways to answer.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, ops::Deref, str};

use thiserror::Error;

use super::{Head, InvalidHeader, Response};
use crate::{
    Connection, Role, SendBuf,
    deflate::{
        Codec,
        negotiate::{self, Agreement},
    },
    handshake::{
        extension::extensions,
        header::{elements, push_field, values},
    },
};

/// A valid request for a WebSocket, which waits for its answer: [`upgrade`](Self::upgrade) it, or
/// [`respond`](Self::respond) with anything else.
///
/// What it says is in its [`Head`], which it derefs to, so that one function can route and
/// authenticate both kinds of requests. It owns all it needs: deciding may take its time, and happen
/// elsewhere.
///
/// # Examples
///
/// ```
/// use framewire::server::{Request, Response};
/// use framewire::{Connection, SendBuf};
///
/// fn answer(mut request: Request) -> Result<Connection, SendBuf> {
///     if request.path() != "/chat" {
///         return Err(request.respond(Response::new(404).expect("a final status")));
///     }
///     request.choose_subprotocol(&["chat.v2", "chat.v1"]);
///     Ok(request.upgrade())
/// }
/// # use framewire::{RecvBuf, server::{Config, Handshake, Opening}};
/// # let mut rx = RecvBuf::new();
/// # rx.extend_from_slice(b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n");
/// # rx.extend_from_slice(b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
/// # rx.extend_from_slice(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
/// # rx.extend_from_slice(b"Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n");
/// # let Some(Opening::Upgrade(request)) = Handshake::new(&Config::new()).receive(&mut rx) else {
/// #     panic!("a valid request");
/// # };
/// # assert_eq!(answer(request).expect("the right path").subprotocol(), Some("chat.v1"));
/// ```
pub struct Request {
    head: Head,
    accept: [u8; 28],
    /// Which of the offered subprotocols was chosen.
    subprotocol: Option<usize>,
    /// Header lines for the 101.
    headers: Vec<u8>,
    /// What was agreed on about compression, and how that is told.
    deflate: Option<(Agreement, String)>,
    config: crate::Config,
}

impl Request {
    pub(super) fn new(head: Head, accept: [u8; 28], config: crate::Config) -> Self {
        let offers = || values(head.headers(), "sec-websocket-extensions");
        let deflate = config.deflate.and_then(|options| {
            // They were checked with the rest of the head.
            negotiate::accept(&options, extensions(offers()).flatten())
        });
        Self {
            deflate,
            head,
            accept,
            subprotocol: None,
            headers: Vec::new(),
            config,
        }
    }

    /// The subprotocols that the client offers, in its order of preference; none twice
    /// (RFC 6455 section 4.1).
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.head
            .headers()
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .flat_map(|(_, value)| elements(value))
            .filter_map(|name| str::from_utf8(name).ok())
    }

    /// Chooses the first of the client's subprotocols that is among `supported`, in the exact letter
    /// case, and tells which one. `None` if there is none in common, and none will be named to the
    /// client: then decide whether to go on without.
    ///
    /// Replaces an earlier choice. To follow the server's preference instead, look at
    /// [`subprotocols`](Self::subprotocols) and [select](Self::select_subprotocol).
    pub fn choose_subprotocol(&mut self, supported: &[impl AsRef<str>]) -> Option<&str> {
        let is_supported = |offer| supported.iter().any(|name| name.as_ref() == offer);
        let chosen = self.subprotocols().position(is_supported);
        self.subprotocol = chosen;
        self.subprotocol()
    }

    /// Selects a subprotocol that the client offers. Replaces an earlier choice.
    ///
    /// # Errors
    ///
    /// [`NotOffered`] if the client does not offer it in this letter case: it would have to fail the
    /// connection (RFC 6455 section 4.1). An earlier choice stays.
    pub fn select_subprotocol(&mut self, name: &str) -> Result<(), NotOffered> {
        let chosen = self.subprotocols().position(|offer| offer == name);
        self.subprotocol = Some(chosen.ok_or(NotOffered)?);
        Ok(())
    }

    /// The subprotocol that was chosen.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocols().nth(self.subprotocol?)
    }

    /// Adds a header to the 101, for instance `Set-Cookie`. Adding the same name again adds another
    /// field. Has no effect on [`respond`](Self::respond).
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token, if the value has a line break or another control
    /// character in it, or if the header is one of those that only this library may write.
    pub fn add_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidHeader> {
        push_field(&mut self.headers, name, value.as_ref())
    }

    /// Accepts the request. The 101 is in the connection's
    /// [`send_buf`](Connection::send_buf) already, and messages may be queued behind it.
    ///
    /// Lend the connection the buffer that the request came in: what the client has sent behind it is
    /// left there.
    #[must_use]
    pub fn upgrade(self) -> Connection {
        let mut tx = SendBuf::new();
        tx.push_bytes(b"HTTP/1.1 101 Switching Protocols\r\n");
        tx.push_bytes(&self.switching());
        tx.push_bytes(b"\r\n");
        self.open(tx)
    }

    /// The header lines of the 101.
    pub(super) fn switching(&self) -> Vec<u8> {
        let field = |name, value: Option<&str>| {
            let line = value.map(|value| format!("{name}: {value}\r\n"));
            line.unwrap_or_default()
        };
        let protocol = field("Sec-WebSocket-Protocol", self.subprotocol());
        let response = self.deflate.as_ref().map(|(_, response)| &response[..]);
        let extension = field("Sec-WebSocket-Extensions", response);
        let lines = [
            b"Upgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
            &self.accept[..],
            b"\r\n",
            protocol.as_bytes(),
            extension.as_bytes(),
            &self.headers,
        ];
        lines.concat()
    }

    /// Makes the connection, which writes `tx` first.
    pub(super) fn open(self, tx: SendBuf) -> Connection {
        let subprotocol = self.subprotocol();
        let options = self.config.deflate.as_ref().zip(self.deflate.as_ref());
        let codec = options.map(|(options, (agreement, _))| Codec::new(options, agreement));
        Connection::opened(Role::Server, self.config, None, tx, subprotocol, codec)
    }

    /// Answers without upgrading. Write what is returned, and close the transport.
    #[must_use]
    pub fn respond(self, response: Response) -> SendBuf {
        respond(response)
    }
}

impl Deref for Request {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// A valid request that does not ask for a WebSocket: a health check, or somebody who opens the
/// address in a browser. All that can be done is to [`respond`](Self::respond).
///
/// What it says is in its [`Head`], which it derefs to. Its Origin has not been compared with
/// anything.
#[derive(Debug)]
pub struct PlainRequest(Head);

impl PlainRequest {
    pub(super) fn new(head: Head) -> Self {
        Self(head)
    }

    /// Answers. Write what is returned, and close the transport.
    ///
    /// 426 is the answer of a server that serves nothing but WebSockets.
    #[must_use]
    pub fn respond(self, response: Response) -> SendBuf {
        respond(response)
    }
}

impl Deref for PlainRequest {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.0
    }
}

fn respond(response: Response) -> SendBuf {
    let mut tx = SendBuf::new();
    // Only GET requests get here.
    response.queue(&mut tx, false);
    tx
}

/// The client does not offer this subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("subprotocol that the client does not offer")]
#[non_exhaustive]
pub struct NotOffered;
