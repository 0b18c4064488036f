//! One TLS connection without I/O: ciphertext in, plaintext out, and the other way round.

use core::fmt;
use std::{
    boxed::Box,
    io::{self, BufRead as _, IoSlice, Read as _, Write},
    sync::Arc,
};

use rustls::{ClientConfig, Connection, ServerConfig, pki_types::ServerName};

use super::{InvalidTls, for_client, for_server};
use crate::RecvBuf;

pub(crate) struct Session {
    // It is large, and moves with the stream.
    connection: Box<Connection>,
    /// Whether what the handshake has to say may not have left yet.
    opening: bool,
    closing: bool,
    /// Why no more ciphertext is taken. What came before is still there to be read. A pointer: most have none.
    failure: Option<Box<rustls::Error>>,
}

impl Session {
    /// For a certificate that is for `host`: a name, or an IP address without brackets.
    pub(crate) fn client(config: Arc<ClientConfig>, host: &str) -> Result<Self, InvalidTls> {
        let name = ServerName::try_from(host).map_err(|_| InvalidTls::Name)?;
        let config = for_client(config);
        let connection = rustls::ClientConnection::new(config, name.to_owned())?;
        Ok(Self::new(connection.into()))
    }

    pub(crate) fn server(config: Arc<ServerConfig>) -> Result<Self, InvalidTls> {
        let connection = rustls::ServerConnection::new(for_server(config))?;
        Ok(Self::new(connection.into()))
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection: Box::new(connection),
            opening: true,
            closing: false,
            failure: None,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether reading has to write: what the handshake says, and what was written meanwhile. Behind it
    /// nobody but who writes does, so that two of them are never in each other's way. Nor does anybody behind
    /// the end of writing.
    pub(crate) fn is_opening(&self) -> bool {
        self.opening && !self.closing
    }

    /// Everything that there was to say has left.
    pub(crate) fn has_left(&mut self) {
        self.opening = self.is_handshaking();
    }

    /// Plaintext into `buf`: 0 is the end. `None`: it needs more ciphertext.
    ///
    /// An end without `close_notify` is one as well: what it cuts off is for the protocol above to tell, which
    /// has an end of its own.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        match self.connection.reader().read(buf) {
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(_) if self.failure.is_some() => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// Whether the peer is to be told that something is wrong.
    pub(crate) fn has_alert(&self) -> bool {
        self.failure.is_some() && !self.closing
    }

    /// Fails if no more ciphertext is taken.
    pub(crate) fn check(&self) -> io::Result<()> {
        match &self.failure {
            Some(error) => Err(io::Error::new(io::ErrorKind::InvalidData, *error.clone())),
            None => Ok(()),
        }
    }

    /// Takes ciphertext out of `input`, until there is plaintext to read or nothing is left.
    pub(crate) fn receive(&mut self, input: &mut RecvBuf) -> io::Result<()> {
        let mut has_plaintext = false;
        while !input.is_empty() && !has_plaintext {
            let taken = self.connection.read_tls(&mut input.undecoded())?;
            if taken == 0 {
                // Behind the end of the session.
                input.clear();
            }
            input.consume(taken);
            has_plaintext = self.process().inspect_err(|_| input.clear())?;
        }
        Ok(())
    }

    /// The transport has ended.
    pub(crate) fn receive_eof(&mut self) -> io::Result<()> {
        self.connection.read_tls(&mut io::empty())?;
        self.process()?;
        Ok(())
    }

    /// Tells whether there is plaintext to read. An error comes behind it.
    fn process(&mut self) -> io::Result<bool> {
        let error = match self.connection.process_new_packets() {
            Ok(state) => return Ok(state.plaintext_bytes_to_read() > 0),
            Err(error) => error,
        };
        self.failure = Some(Box::new(error));
        let rest = self.connection.reader().fill_buf().map(<[u8]>::is_empty);
        match rest {
            Ok(false) => Ok(true),
            Ok(true) | Err(_) => self.check().map(|()| false),
        }
    }

    /// Encrypts of `plaintext`, and tells how much. It waits in here; 0: too much does already.
    pub(crate) fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        self.connection.writer().write(plaintext)
    }

    /// As [`Self::write`], of several slices.
    pub(crate) fn write_vectored(&mut self, plaintext: &[IoSlice<'_>]) -> io::Result<usize> {
        self.connection.writer().write_vectored(plaintext)
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Writes ciphertext to `output` once.
    pub(crate) fn write_to(&mut self, output: &mut impl Write) -> io::Result<usize> {
        self.connection.write_tls(output)
    }

    /// Nothing more is written: the peer is told so.
    pub(crate) fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.connection.send_close_notify();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.connection.protocol_version())
            .field("opening", &self.opening)
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}
