//! Certificates for the tests that connect with TLS, made anew for each run.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::sync::Arc;

use framewire::{
    blocking::{TlsStream, Transport},
    tls::{
        self,
        rustls::{ClientConfig, ServerConfig},
    },
};

/// Somebody with a certificate that he has issued himself.
pub(crate) struct Owner {
    certificate: String,
    pub(crate) server: Arc<ServerConfig>,
}

impl Owner {
    /// Of these names and addresses.
    pub(crate) fn of(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|name| String::from(*name)).collect();
        let own = rcgen::generate_simple_self_signed(names).expect("valid names");
        let certificate = own.cert.pem();
        let key = own.signing_key.serialize_pem();
        let server = tls::server(certificate.as_bytes(), key.as_bytes());
        Self {
            server: server.expect("they belong together"),
            certificate,
        }
    }

    /// Speaks TLS on a transport, as the server.
    pub(crate) fn encrypt<S: Transport>(&self, stream: S) -> TlsStream<S> {
        let config = Arc::clone(&self.server);
        TlsStream::server(stream, config).expect("a valid configuration")
    }
}

/// A client that trusts these, and nobody else.
pub(crate) fn trusting(owners: &[&Owner]) -> Arc<ClientConfig> {
    let roots: String = owners.iter().map(|owner| &*owner.certificate).collect();
    tls::client(roots.as_bytes()).expect("valid certificates")
}
