//! A certificate that an authority is asked for while the listener serves, and the proofs that it asks for in turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificate::{CertificateFacts, ServerCertificate};
use super::error::TlsError;

/// A certificate that comes and is replaced while listeners show it. All listeners that name it have the same one.
#[derive(Default)]
pub(crate) struct OrderedCertificate {
    shown: RwLock<Option<Shown>>,
    challenges: Arc<Challenges>,
}

/// What clients get.
#[derive(Clone)]
struct Shown {
    certificate: Arc<ServerCertificate>,
    /// Whether we have signed it ourselves, because there is none yet.
    is_placeholder: bool,
}

/// The certificates that prove to an authority that we have names (RFC 8737 §3).
#[derive(Default)]
pub(crate) struct Challenges {
    by_name: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

/// The protocol of an authority's connection (RFC 8737 §6.2).
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

impl OrderedCertificate {
    /// Shows this certificate to clients from now on.
    pub(crate) fn show(&self, certificate: ServerCertificate) {
        self.replace(certificate, false);
    }

    /// Shows a certificate of ours to clients as long as there is no other.
    pub(crate) fn show_placeholder(&self, certificate: ServerCertificate) {
        self.replace(certificate, true);
    }

    fn replace(&self, certificate: ServerCertificate, is_placeholder: bool) {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(Shown {
            certificate: Arc::new(certificate),
            is_placeholder,
        });
    }

    /// What the authority's certificate says; none as long as there is none.
    pub(crate) fn facts(&self) -> Option<CertificateFacts> {
        let shown = self.shown().filter(|shown| !shown.is_placeholder)?;
        Some(shown.certificate.facts().clone())
    }

    pub(crate) fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }

    /// The key that is shown, and whether it is for a host.
    pub(super) fn key_for(&self, host: Option<&str>) -> Option<(Arc<CertifiedKey>, bool)> {
        let certificate = self.shown()?.certificate;
        let mut names = certificate.facts().names.iter();
        let is_for_host =
            host.is_some_and(|host| names.any(|name| name.eq_ignore_ascii_case(host)));
        Some((Arc::clone(certificate.key()), is_for_host))
    }

    fn shown(&self) -> Option<Shown> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

impl Challenges {
    /// Proves with this certificate that we have the name, until [`Challenges::remove`]. The key is that of the
    /// certificate.
    ///
    /// # Errors
    /// [`TlsError::Identity`] if the key is of no kind that is known.
    pub(crate) fn add(
        &self,
        name: &str,
        certificate: CertificateDer<'static>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<(), TlsError> {
        // Without the check that it is a certificate that anybody could take: it has a critical extension.
        let key = any_supported_type(key).map_err(TlsError::Identity)?;
        let key = Arc::new(CertifiedKey::new(vec![certificate], key));
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(name.to_ascii_lowercase(), key);
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.remove(&name.to_ascii_lowercase());
    }

    /// Whether this client is an authority that wants a proof that is here.
    pub(super) fn are_asked_by(&self, client: &ClientHello<'_>) -> bool {
        let mut protocols = client.alpn().into_iter().flatten();
        protocols.next() == Some(ACME_TLS)
            && protocols.next().is_none()
            && self.of(client).is_some()
    }

    fn of(&self, client: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = client.server_name()?.to_ascii_lowercase();
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(&name).cloned()
    }
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.of(&client)
    }
}

/// The key stays out.
impl fmt::Debug for OrderedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OrderedCertificate")
            .field(&self.facts())
            .finish()
    }
}

/// The keys stay out.
impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}
