//! What the tests of TLS share: an authority that signs good and bad certificates, configurations, and a
//! peer made of rustls alone that keeps everything it got.
#![allow(dead_code, reason = "every test crate uses a part of it")]

use std::{
    cell::RefCell,
    io::{self, Read as _, Write as _},
    rc::Rc,
    sync::{Arc, LazyLock},
};

use framewire::{
    Connection, Event, MessageKind, RecvBuf,
    tls::rustls::{
        self, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        server::WebPkiClientVerifier,
        version::{TLS12, TLS13},
    },
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use crate::{
    script::Wire,
    support::trace::{Seen, drain},
};

pub(crate) type Version = &'static SupportedProtocolVersion;

pub(crate) const VERSIONS: [Version; 2] = [&TLS12, &TLS13];

/// A certificate and the key to it, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// What is wrong with the certificate of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    WrongName,
    Expired,
    NotYetValid,
    SelfSigned,
    UnknownIssuer,
}

pub(crate) const FLAWS: [Flaw; 5] = [
    Flaw::WrongName,
    Flaw::Expired,
    Flaw::NotYetValid,
    Flaw::SelfSigned,
    Flaw::UnknownIssuer,
];

/// Those that a good certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

type Authority = CertifiedIssuer<'static, KeyPair>;

static TRUSTED: LazyLock<Authority> = LazyLock::new(|| authority("trusted"));

fn authority(name: &str) -> Authority {
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("valid names")
}

fn signed(params: &CertificateParams, by: &Authority) -> Identity {
    let key = KeyPair::generate().expect("a key");
    Identity {
        chain: params.signed_by(&key, by).expect("a certificate").pem(),
        key: key.serialize_pem(),
    }
}

/// A certificate for [`NAMES`] that [`roots`] has signed.
pub(crate) fn good() -> Identity {
    static GOOD: LazyLock<Identity> = LazyLock::new(|| good_for(&NAMES));
    GOOD.clone()
}

/// As [`good`], for other names.
pub(crate) fn good_for(names: &[&str]) -> Identity {
    signed(&params(names), &TRUSTED)
}

pub(crate) fn flawed(flaw: Flaw) -> Identity {
    let mut params = params(match flaw {
        Flaw::WrongName => &["other.example", "192.0.2.1"],
        _ => &NAMES,
    });
    match flaw {
        Flaw::Expired => params.not_after = date_time_ymd(2001, 1, 1),
        Flaw::NotYetValid => params.not_before = date_time_ymd(4000, 1, 1),
        Flaw::WrongName | Flaw::SelfSigned | Flaw::UnknownIssuer => {}
    }
    match flaw {
        Flaw::SelfSigned => {
            let key = KeyPair::generate().expect("a key");
            let certificate = params.self_signed(&key).expect("a certificate");
            Identity {
                chain: certificate.pem(),
                key: key.serialize_pem(),
            }
        }
        // One of the same name, which is found by that, and has another key.
        Flaw::UnknownIssuer => signed(&params, &authority("trusted")),
        Flaw::WrongName | Flaw::Expired | Flaw::NotYetValid => signed(&params, &TRUSTED),
    }
}

/// The root of [`good`], in PEM.
pub(crate) fn roots() -> String {
    TRUSTED.pem()
}

fn root_store() -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add(TRUSTED.der().clone()).expect("a certificate");
    store
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl Identity {
    fn parse(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes());
        (
            chain.collect::<Result<_, _>>().expect("certificates"),
            PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key"),
        )
    }
}

/// Trusts [`roots`], in this version alone.
pub(crate) fn client_config(version: Version) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("it is supported")
        .with_root_certificates(root_store())
        .with_no_client_auth()
}

/// As [`client_config`], with a certificate of its own.
pub(crate) fn client_config_with(version: Version, identity: &Identity) -> ClientConfig {
    let (chain, key) = identity.parse();
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("it is supported")
        .with_root_certificates(root_store())
        .with_client_auth_cert(chain, key)
        .expect("they belong together")
}

pub(crate) fn server_config(version: Version, identity: &Identity) -> ServerConfig {
    let (chain, key) = identity.parse();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("it is supported")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they belong together")
}

/// As [`server_config`], but clients need a certificate.
pub(crate) fn strict_server_config(version: Version, identity: &Identity) -> ServerConfig {
    let (chain, key) = identity.parse();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(root_store()), provider()).build();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("it is supported")
        .with_client_cert_verifier(verifier.expect("roots"))
        .with_single_cert(chain, key)
        .expect("they belong together")
}

/// The other end of TLS.
pub(crate) struct Peer {
    pub(crate) tls: rustls::Connection,
    /// Everything that it got, and what was in it.
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) plaintext: Vec<u8>,
    pub(crate) error: Option<rustls::Error>,
    pub(crate) has_close_notify: bool,
}

impl Peer {
    pub(crate) fn client(version: Version) -> Self {
        Self::client_of(client_config(version))
    }

    pub(crate) fn client_of(config: ClientConfig) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        let client = rustls::ClientConnection::new(Arc::new(config), name);
        Self::new(client.expect("a configuration").into())
    }

    pub(crate) fn server(version: Version) -> Self {
        Self::server_of(server_config(version, &good()))
    }

    pub(crate) fn server_of(config: ServerConfig) -> Self {
        let server = rustls::ServerConnection::new(Arc::new(config));
        Self::new(server.expect("a configuration").into())
    }

    fn new(mut tls: rustls::Connection) -> Self {
        tls.set_buffer_limit(None);
        Self {
            tls,
            ciphertext: Vec::new(),
            plaintext: Vec::new(),
            error: None,
            has_close_notify: false,
        }
    }

    /// Takes ciphertext, and gives the plaintext in it.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        self.ciphertext.extend_from_slice(bytes);
        let mut found = Vec::new();
        while !bytes.is_empty() && self.error.is_none() && !self.has_close_notify {
            self.tls.read_tls(&mut bytes).expect("room");
            match self.tls.process_new_packets() {
                Ok(state) => self.has_close_notify |= state.peer_has_closed(),
                Err(error) => self.error = Some(error),
            }
            match self.tls.reader().read_to_end(&mut found) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => panic!("{error}"),
                _ => {}
            }
        }
        self.plaintext.extend_from_slice(&found);
        found
    }

    pub(crate) fn say(&mut self, plaintext: &[u8]) {
        let mut writer = self.tls.writer();
        writer.write_all(plaintext).expect("there is no limit");
    }

    /// The ciphertext that it has to send.
    pub(crate) fn leave(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).expect("a vector");
        }
        bytes
    }

    /// Ciphertext of this.
    pub(crate) fn encrypt(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.say(plaintext);
        self.leave()
    }

    /// Reacts at the other end of a wire: `app` gets plaintext, and gives plaintext and whether that was all.
    pub(crate) fn attach(
        self,
        wire: Wire,
        mut app: impl FnMut(&[u8]) -> (Vec<u8>, bool) + 'static,
    ) -> (Wire, Rc<RefCell<Self>>) {
        let peer = Rc::new(RefCell::new(self));
        let first = peer.borrow_mut().leave();
        if !first.is_empty() {
            wire.deliver(&first);
        }
        let known = Rc::clone(&peer);
        let mut is_over = false;
        let wire = wire.peer(move |bytes| {
            let mut peer = known.borrow_mut();
            let plaintext = peer.take(bytes);
            if !peer.tls.is_handshaking() && !is_over && peer.error.is_none() {
                let (answer, ends) = app(&plaintext);
                peer.say(&answer);
                if ends {
                    peer.tls.send_close_notify();
                    is_over = true;
                }
            }
            vec![peer.leave()]
                .into_iter()
                .filter(|bytes| !bytes.is_empty())
                .collect()
        });
        (wire, peer)
    }
}

/// A WebSocket that echoes, as the application of a [`Peer`]. What it sees goes to `seen`.
pub(crate) fn echo(
    mut conn: Connection,
    seen: Rc<RefCell<Vec<Seen>>>,
) -> impl FnMut(&[u8]) -> (Vec<u8>, bool) {
    let mut rx = RecvBuf::new();
    move |bytes| {
        rx.extend_from_slice(bytes);
        let mut answer = drain(&mut conn);
        while let Some(event) = conn.receive(&mut rx) {
            let event = Seen::from(event);
            let _ = match &event {
                Seen::Text(text) => conn.send_text(text),
                Seen::Binary(data) => conn.send_bytes(MessageKind::Binary, data.to_vec().into()),
                _ => Ok(()),
            };
            seen.borrow_mut().push(event);
            answer.extend(drain(&mut conn));
        }
        answer.extend(drain(&mut conn));
        (answer, conn.is_closed())
    }
}

/// The lengths and types of the records in ciphertext, all of which must be complete.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut records = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*kind, len));
        bytes = &rest[len..];
    }
    assert!(bytes.is_empty(), "a part of a record");
    records
}

/// Whether these bytes occur in those.
pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What an event was, for those who only count.
pub(crate) fn seen(event: Event<'_>) -> Seen {
    event.into()
}
