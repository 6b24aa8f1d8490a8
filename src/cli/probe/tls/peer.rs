//! What the two sides show each other in a handshake, kept for the report.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// Verifies as rustls does, and keeps the certificate: where it is wrong, it says what to mend.
#[derive(Debug)]
pub(super) struct Verifier {
    verifier: Arc<WebPkiServerVerifier>,
    shown: OnceLock<CertificateDer<'static>>,
}

impl Verifier {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self {
            verifier,
            shown: OnceLock::new(),
        }
    }

    /// The server's own certificate, if it has shown one.
    pub(super) fn shown(&self) -> Option<CertificateDer<'static>> {
        self.shown.get().cloned()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // There is one handshake.
        let _first = self.shown.set(own.clone().into_owned());
        let verifier = &self.verifier;
        verifier.verify_server_cert(own, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Our own certificate, if there is one, for a server that asks for it.
#[derive(Debug)]
pub(super) struct Identity {
    own: Option<Arc<CertifiedKey>>,
    is_asked_for: AtomicBool,
}

/// What became of our own certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::probe) enum ClientCertificate {
    /// The server did not ask for one.
    NotAskedFor,
    /// The server asked for one, and there is none.
    Missing,
    /// The server asked for one, and has got it.
    Shown,
}

impl Identity {
    pub(super) fn new(own: Option<CertifiedKey>) -> Self {
        Self {
            own: own.map(Arc::new),
            is_asked_for: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> ClientCertificate {
        match (self.is_asked_for.load(Ordering::Relaxed), &self.own) {
            (false, _) => ClientCertificate::NotAskedFor,
            (true, None) => ClientCertificate::Missing,
            (true, Some(_)) => ClientCertificate::Shown,
        }
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.is_asked_for.store(true, Ordering::Relaxed);
        self.own.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
