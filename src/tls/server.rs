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

use super::acceptor::{ChallengeAnswers, TlsAcceptor};
use super::certificate::{CertificateFacts, ServerCertificate};
use super::error::TlsError;
use super::ordered::{ACME_TLS, Challenges, OrderedCertificate};
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
    /// One that an authority is asked for. It comes after the others.
    ordered: Option<Arc<OrderedCertificate>>,
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
    /// Shows these certificates: by the name that a client asks for, or else the first. The one that an authority is
    /// asked for is the last of them.
    ///
    /// # Errors
    /// [`TlsError::Setup`] if the library has none of the versions.
    pub(crate) fn new(
        certificates: Vec<ServerCertificate>,
        ordered: Option<Arc<OrderedCertificate>>,
        clients: ClientCertificates,
        only_tls13: bool,
    ) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::new(certificates, ordered));
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

    /// Shows another certificate in the place of one that an authority is asked for.
    pub(crate) fn replace_ordered(
        &mut self,
        replaced: &Arc<OrderedCertificate>,
        by: &Arc<OrderedCertificate>,
    ) {
        let ordered = self.certificates.ordered.as_ref();
        if ordered.is_some_and(|ordered| Arc::ptr_eq(ordered, replaced)) {
            let all = self.certificates.all.clone();
            self.certificates = Arc::new(Certificates::new(all, Some(Arc::clone(by))));
            let resolver: Arc<Certificates> = Arc::clone(&self.certificates);
            self.config.cert_resolver = resolver;
        }
    }

    /// The certificates at this moment: those of files in the order of the settings, then that of an authority, if it
    /// has issued one.
    pub fn certificates(&self) -> impl Iterator<Item = CertificateFacts> {
        let files = self.certificates.all.iter().map(ServerCertificate::facts);
        let ordered = self.certificates.ordered.as_ref();
        (files.cloned()).chain(ordered.and_then(|ordered| ordered.facts()))
    }

    /// The certificate that a client gets for this host, and whether it names the host: clients refuse one that does
    /// not. None if no file has a certificate.
    ///
    /// The client is one that supports every signature algorithm. Only certificates of files count, and none that an
    /// authority is asked for.
    pub fn certificate_for(&self, host: &str) -> Option<(&CertificateFacts, bool)> {
        let named = self.certificates.named(host).and_then(<[_]>::first);
        let mut all = self.certificates.all.iter();
        let shown = match named {
            Some(key) => all.find(|certificate| Arc::ptr_eq(certificate.key(), key)),
            None => all.next(),
        };
        shown.map(|certificate| (certificate.facts(), named.is_some()))
    }

    /// The certificate authorities (PEM) that certificates of clients are verified with, and whether a client without one
    /// is refused; none if the listener requests no client certificate.
    pub fn verified_clients(&self) -> Option<(&[u8], bool)> {
        match &self.clients {
            ClientCertificates::NotAsked => None,
            ClientCertificates::Verified(verified) => Some((&verified.ca, verified.is_required)),
        }
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
        TlsAcceptor::new(config, self.challenges())
    }

    /// What proves names to an authority: the authority shows no certificate, and may have any version.
    fn challenges(&self) -> Option<ChallengeAnswers> {
        let ordered = self.certificates.ordered.as_ref()?;
        let challenges = Arc::clone(ordered.challenges());
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).ok()?;
        let resolver: Arc<Challenges> = Arc::clone(&challenges);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![ACME_TLS.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Some(ChallengeAnswers::new(challenges, config))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Certificates {
    fn new(all: Vec<ServerCertificate>, ordered: Option<Arc<OrderedCertificate>>) -> Self {
        let mut by_name = HashMap::<_, Vec<_>>::new();
        for certificate in &all {
            for name in &certificate.facts().names {
                let named = by_name.entry(name.clone()).or_default();
                named.push(Arc::clone(certificate.key()));
            }
        }
        Self {
            all,
            by_name,
            ordered,
        }
    }

    /// Those for a host: of its own name, or else of all names of its domain (RFC 9525 §6.3).
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
        let host = client.server_name();
        let named = host.and_then(|name| self.named(name));
        let named = named.unwrap_or_default().iter();
        let ordered = self.ordered.as_ref();
        let ordered = ordered.and_then(|ordered| ordered.key_for(host));
        let ordered = ordered.as_ref();
        let ordered_named = ordered.filter(|(_, is_for_host)| *is_for_host);
        let others = self.all.iter().map(ServerCertificate::key);
        (named.chain(ordered_named.map(|(key, _)| key)))
            .chain(others)
            .chain(ordered.map(|(key, _)| key))
            .find(is_usable)
            .cloned()
    }
}

impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        let ordered = [self, other].map(|tls| tls.certificates.ordered.as_ref().map(Arc::as_ptr));
        self.certificates.all == other.certificates.all
            && ordered[0] == ordered[1]
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
