//! TLS, for `wss`: whom a client trusts, what a server shows, and one session that both adapters drive.
//!
//! The protocol and the cryptography are those of [`rustls`], which is exported here: whatever it can be configured
//! to do, client certificates for instance, is done by passing a configuration of it. What is decided
//! here is little: which roots are trusted where nobody says, and that a connection which agrees on an
//! application protocol (ALPN, RFC 7301) agrees on `http/1.1`, the one that the opening handshake speaks.
//! Early data, which an attacker could replay (RFC 8446 section 8), is neither sent nor accepted.
//!
//! # Clients
//!
//! `wss` works in `connect` with nothing else to do: the roots of the platform are trusted. Others are
//! given to a [`Connector`](crate::connect::Connector):
//!
//! ```no_run
//! use framewire::{blocking, client::Request, connect::Connector, tls};
//!
//! let tls = tls::client(&std::fs::read("ca.pem")?)?;
//! let request = Request::new("wss://localhost:9001/")?;
//! let (mut ws, _) = blocking::connect_via(&request, &Connector::new().tls(tls))?;
//! ws.send("Hello")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The name in the URI is what the certificate has to be for. Nothing of the WebSocket is sent before that
//! has been checked.
//!
//! # Servers
//!
//! A socket becomes a stream with TLS, which every function of the adapters takes as it takes the socket. Its
//! handshake happens when it is first read, so that the time-out of the opening handshake is for both.
//!
//! ```no_run
//! use std::{net::TcpListener, sync::Arc};
//!
//! use framewire::{blocking, server, tls};
//!
//! let tls = tls::server(&std::fs::read("chain.pem")?, &std::fs::read("key.pem")?)?;
//! let listener = TcpListener::bind("127.0.0.1:9001")?;
//! let (socket, _) = listener.accept()?;
//! let stream = blocking::TlsStream::server(socket, Arc::clone(&tls))?;
//! let mut ws = blocking::accept(stream, &server::Config::new())?;
//! ws.send("Hello")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! On tokio it is the same, with `framewire::tokio::TlsStream::server` and an await behind `accept`.
//! `examples/echo_tokio.rs` listens with and without TLS.
//!
//! # The end
//!
//! Both adapters send `close_notify` before they end a transport (RFC 8446 section 6.1). A peer that ends its own
//! without is no error by itself: whether a WebSocket ended as it should is what its closing handshake
//! tells. Only the body of a refusal may be cut off without anybody noticing, as it may without TLS.

mod session;

use std::{
    sync::{Arc, OnceLock},
    vec,
    vec::Vec,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use thiserror::Error;

pub use ::rustls;
pub(crate) use session::Session;

/// The only application protocol that the opening handshake is written in.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The configuration of a client that trusts whom the platform trusts.
///
/// It is made once, which may read a few hundred certificates, and shared from then on, sessions to
/// resume included: what connects to `wss` without a configuration of its own uses it.
///
/// # Errors
///
/// [`InvalidTls::Config`] if the platform has no roots.
pub fn platform_client() -> Result<Arc<ClientConfig>, InvalidTls> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = SHARED.get() {
        return Ok(Arc::clone(config));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(Arc::clone(
        SHARED.get_or_init(|| for_client(Arc::new(config))),
    ))
}

/// The configuration of a client that trusts the certificates in `roots`, and nobody else. They are in the format
/// PEM (RFC 7468).
///
/// Share it between connections: they resume each other's sessions.
///
/// # Errors
///
/// If there is no certificate in it, or an invalid one.
pub fn client(roots: &[u8]) -> Result<Arc<ClientConfig>, InvalidTls> {
    let mut store = RootCertStore::empty();
    for root in certificates(roots)? {
        store.add(root)?;
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(for_client(Arc::new(config)))
}

/// The configuration of a server with a certificate, its own before those of its issuers, and the private
/// key to it: both in the format PEM (RFC 7468).
///
/// # Errors
///
/// If there is no certificate, no key, an invalid one of either, or a key to another certificate.
pub fn server(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, InvalidTls> {
    let key = PrivateKeyDer::pem_slice_iter(key).next();
    let key = key.ok_or(InvalidTls::NoKey)?.map_err(InvalidTls::Pem)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(chain)?, key)?;
    Ok(for_server(Arc::new(config)))
}

/// With `http/1.1` as its only application protocol.
pub(crate) fn for_client(mut config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if config.alpn_protocols != [HTTP_1_1] {
        Arc::make_mut(&mut config).alpn_protocols = vec![HTTP_1_1.into()];
    }
    config
}

/// With `http/1.1` as its only application protocol, and without early data, which nobody here would read.
pub(crate) fn for_server(mut config: Arc<ServerConfig>) -> Arc<ServerConfig> {
    if config.alpn_protocols != [HTTP_1_1] || config.max_early_data_size > 0 {
        let config = Arc::make_mut(&mut config);
        config.alpn_protocols = vec![HTTP_1_1.into()];
        config.max_early_data_size = 0;
    }
    config
}

/// The certificates of a text.
fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, InvalidTls> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = certificates.map_err(InvalidTls::Pem)?;
    if certificates.is_empty() {
        return Err(InvalidTls::NoCertificate);
    }
    Ok(certificates)
}

/// The cryptography that the application has chosen, or that of ring.
fn provider() -> Arc<CryptoProvider> {
    let chosen = CryptoProvider::get_default().map(Arc::clone);
    chosen.unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// Certificates, keys or roots are not what TLS can be done with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidTls {
    /// A text is not in the format PEM.
    #[error("not in the format PEM: {0}")]
    Pem(pem::Error),
    /// There is no certificate in a text.
    #[error("no certificate")]
    NoCertificate,
    /// There is no private key in a text.
    #[error("no private key")]
    NoKey,
    /// The host is no name that a certificate could be for.
    #[error("host that no certificate can be for")]
    Name,
    /// A certificate or key is invalid, they do not belong together, or the platform has no roots.
    #[error(transparent)]
    Config(#[from] rustls::Error),
}
