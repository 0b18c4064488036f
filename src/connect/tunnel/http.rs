//! CONNECT (RFC 9110 section 9.3.6, RFC 9112 section 3.2.3): the request for a tunnel and the head of the
//! answer. What a body would be if it were no tunnel is nobody's business here.

use super::ProxyError;
use crate::client::{Config, ResponseReader, Uri};
use crate::connect::proxy::{Credentials, authority};
use crate::{RecvBuf, SendBuf};

/// A request for a tunnel that waits for its answer.
#[derive(Debug)]
pub(super) struct Connect {
    reader: ResponseReader,
}

impl Connect {
    pub(super) fn begin(
        uri: &Uri,
        credentials: Option<&Credentials>,
        config: &Config,
        tx: &mut SendBuf,
    ) -> Self {
        // "There is no default port; a client MUST send the port number even if the CONNECT request is
        // based on a URI reference that contains an authority component with an elided port"
        let server = authority(uri.host(), uri.port());
        for part in ["CONNECT ", &server, " HTTP/1.1\r\nHost: ", &server, "\r\n"] {
            tx.push_bytes(part.as_bytes());
        }
        if let Some(Credentials::Basic(value)) = credentials {
            for part in ["Proxy-Authorization: ", value, "\r\n"] {
                tx.push_bytes(part.as_bytes());
            }
        }
        tx.push_bytes(b"\r\n");
        Self {
            reader: ResponseReader::new(config),
        }
    }

    /// Tells whether the tunnel is open.
    pub(super) fn receive(&mut self, rx: &mut RecvBuf) -> Result<bool, ProxyError> {
        let Some(status) = self.reader.receive(rx)? else {
            return Ok(false);
        };
        match status {
            101 => Err(ProxyError::UnexpectedUpgrade),
            // "A client MUST ignore any Content-Length or Transfer-Encoding header fields received in a
            // successful response to CONNECT."
            200..=299 => {
                self.reader.take(rx);
                Ok(true)
            }
            _ => Err(ProxyError::Refused(self.reader.take(rx))),
        }
    }

    pub(super) fn received(&self) -> usize {
        self.reader.received()
    }
}
