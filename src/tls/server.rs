//! The gate as a server: what the settings of a listener give it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::acceptor::TlsAcceptor;
use super::certificate::{CertificateFacts, ServerCertificate};
use super::error::TlsError;
use super::pem::roots_of;
use super::tickets::Tickets;

/// TLS with the clients of one listener, as `[listen.tls]` has it.
#[derive(Clone)]
pub struct ServerTls {
    certificates: Arc<Certificates>,
    clients: ClientCertificates,
    only_tls13: bool,
    /// Without protocols and tickets.
    config: ServerConfig,
}

/// Whether clients show certificates, and who issues them.
#[derive(Clone, Default)]
pub(crate) enum ClientCertificates {
    #[default]
    NotAsked,
    Verified(Verified),
}

/// Certificates of clients that are verified.
#[derive(Clone)]
pub(crate) struct Verified {
    /// As the file has them.
    ca: Vec<u8>,
    is_required: bool,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// The certificates of a listener.
struct Certificates {
    /// In the order of the settings.
    all: Vec<ServerCertificate>,
    /// By the names that they are for.
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
}

impl ClientCertificates {
    /// Those that an authority of this file (PEM) has issued; `is_required` refuses clients without one.
    ///
    /// # Errors
    /// [`TlsError`] if the file holds no certificate authorities.
    pub(crate) fn verified(ca: Vec<u8>, is_required: bool) -> Result<Self, TlsError> {
        let roots = Arc::new(roots_of(&ca)?);
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
        let builder = match is_required {
            true => builder,
            false => builder.allow_unauthenticated(),
        };
        Ok(Self::Verified(Verified {
            ca,
            is_required,
            verifier: builder.build().map_err(TlsError::Verifier)?,
        }))
    }
}

impl ServerTls {
    /// Shows these certificates: by the name that a client asks for, or else the first.
    ///
    /// # Errors
    /// [`TlsError::Setup`] if the library has none of the versions.
    pub(crate) fn new(
        certificates: Vec<ServerCertificate>,
        clients: ClientCertificates,
        only_tls13: bool,
    ) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::new(certificates));
        let versions: &[_] = match only_tls13 {
            true => &[&TLS13],
            false => &[&TLS13, &TLS12],
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?;
        let builder = match &clients {
            ClientCertificates::NotAsked => builder.with_no_client_auth(),
            ClientCertificates::Verified(verified) => {
                builder.with_client_cert_verifier(Arc::clone(&verified.verifier))
            }
        };
        let resolver: Arc<Certificates> = Arc::clone(&certificates);
        let mut config = builder.with_cert_resolver(resolver);
        // Tickets are enough: all workers read them, and the next process.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            certificates,
            clients,
            only_tls13,
            config,
        })
    }

    /// The certificates, in the order of the settings.
    pub fn certificates(&self) -> impl Iterator<Item = &CertificateFacts> {
        self.certificates.all.iter().map(ServerCertificate::facts)
    }

    /// The certificate that a client gets which asks for this host, if it can verify any signature; none if there is no
    /// certificate. The flag is whether that is for the host: clients refuse another one.
    pub fn certificate_for(&self, host: &str) -> Option<(&CertificateFacts, bool)> {
        let named = self.certificates.named(host).and_then(<[_]>::first);
        let mut all = self.certificates.all.iter();
        let shown = match named {
            Some(key) => all.find(|certificate| Arc::ptr_eq(certificate.key(), key)),
            None => all.next(),
        };
        shown.map(|certificate| (certificate.facts(), named.is_some()))
    }

    /// What makes handshakes with clients, and offers them these protocols (RFC 7301), the first of which is
    /// preferred.
    pub fn acceptor(&self, protocols: &[&[u8]], tickets: &Arc<Tickets>) -> TlsAcceptor {
        let mut config = self.config.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        match &self.clients {
            ClientCertificates::NotAsked => {
                let tickets: Arc<Tickets> = Arc::clone(tickets);
                config.ticketer = tickets;
            }
            // A ticket would let in whose certificate has expired, or is of an authority that was removed, and
            // could be one of a listener that asks for no certificate.
            ClientCertificates::Verified(_) => config.send_tls13_tickets = 0,
        }
        TlsAcceptor::new(config)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Certificates {
    fn new(all: Vec<ServerCertificate>) -> Self {
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for certificate in &all {
            for name in &certificate.facts().names {
                let named = by_name.entry(name.clone()).or_default();
                named.push(Arc::clone(certificate.key()));
            }
        }
        Self { all, by_name }
    }

    /// Those for a host: of its own name, or else of all names of its domain (RFC 6125 §6.4.3).
    fn named(&self, host: &str) -> Option<&[Arc<CertifiedKey>]> {
        let host = host.to_ascii_lowercase();
        let wildcard = || {
            let (_, domain) = host.split_once('.')?;
            self.by_name.get(&format!("*.{domain}"))
        };
        self.by_name.get(&host).or_else(wildcard).map(Vec::as_slice)
    }
}

impl ResolvesServerCert for Certificates {
    /// The first whose key the client can verify.
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = client.signature_schemes();
        let is_usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let named = client.server_name().and_then(|name| self.named(name));
        let named = named.unwrap_or_default().iter();
        let others = self.all.iter().map(ServerCertificate::key);
        named.chain(others).find(is_usable).cloned()
    }
}

impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        self.certificates.all == other.certificates.all
            && self.clients == other.clients
            && self.only_tls13 == other.only_tls13
    }
}

impl Eq for ServerTls {}

impl PartialEq for ClientCertificates {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NotAsked, Self::NotAsked) => true,
            (Self::Verified(one), Self::Verified(other)) => {
                (&one.ca, one.is_required) == (&other.ca, other.is_required)
            }
            _ => false,
        }
    }
}

impl Eq for ClientCertificates {}

/// The keys stay out.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates: Vec<_> = self.certificates().collect();
        f.debug_struct("ServerTls")
            .field("certificates", &certificates)
            .field("only_tls13", &self.only_tls13)
            .finish_non_exhaustive()
    }
}

/// The keys stay out.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}
