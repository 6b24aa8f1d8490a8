//! TLS with an interface.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::cli::error::{CommandError, REJECTED};

/// Makes TLS handshakes with one interface.
#[derive(Clone)]
pub(crate) struct InterfaceTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// Whose certificates are accepted.
#[derive(Clone, Debug)]
pub(crate) enum Trust<'a> {
    /// Those of the system's authorities, for the host of the address.
    System,
    /// Those of the authorities in this file, likewise.
    Authorities(&'a Path),
    /// The first ones in these files, whatever their names: the files are those of the interface itself.
    These(Vec<PathBuf>),
}

/// The certificate and the key that an interface is shown which asks for them.
pub(crate) type Identity<'a> = (&'a Path, &'a Path);

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InterfaceTlsError {
    #[error("{} cannot be used", .0.display())]
    File(PathBuf, #[source] pem::Error),
    #[error("{} has no certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} has no valid name for TLS", .0)]
    Name(String),
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    #[error("no certificate can be verified")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// Accepts these certificates alone.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl InterfaceTls {
    /// Reads the files. `host` is the name or address that is connected to.
    pub(crate) fn new(
        host: &str,
        trust: Trust<'_>,
        identity: Option<Identity<'_>>,
    ) -> Result<Self, InterfaceTlsError> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let verifier = verifier(trust, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(InterfaceTlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let wrong = |error| InterfaceTlsError::File(key.to_owned(), error);
                let secret = PrivateKeyDer::from_pem_file(key).map_err(wrong)?;
                let shown = builder.with_client_auth_cert(certificates(cert)?, secret);
                shown.map_err(InterfaceTlsError::Setup)?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(bare.clone()).map_err(|_| InterfaceTlsError::Name(bare))?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, name })
    }

    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn verifier(
    trust: Trust<'_>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, InterfaceTlsError> {
    let mut roots = RootCertStore::empty();
    match trust {
        // Without any, no interface is trusted, and the error says so.
        Trust::System => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Trust::Authorities(file) => {
            roots.add_parsable_certificates(certificates(file)?);
        }
        Trust::These(files) => {
            let first = |file: &PathBuf| Ok(certificates(file)?.swap_remove(0));
            let certificates = files
                .iter()
                .map(first)
                .collect::<Result<_, InterfaceTlsError>>()?;
            return Ok(Arc::new(Pinned {
                certificates,
                provider: Arc::clone(provider),
            }));
        }
    }
    let roots = Arc::new(roots);
    let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
    Ok(builder.build()?)
}

/// The certificates of a file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, InterfaceTlsError> {
    let wrong = |error| InterfaceTlsError::File(file.to_owned(), error);
    let found = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    match found.is_empty() {
        true => Err(InterfaceTlsError::NoCertificate(file.to_owned())),
        false => Ok(found),
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.certificates.contains(end_entity) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Keys stay out.
impl fmt::Debug for InterfaceTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterfaceTls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl From<InterfaceTlsError> for CommandError {
    fn from(error: InterfaceTlsError) -> Self {
        let help = match &error {
            InterfaceTlsError::File(..) => Some(
                "run the command as the user of the process, or give its address by a name of the \
                 certificate, https://HOST:PORT",
            ),
            _ => None,
        };
        Self::new(error, REJECTED).with_help(help)
    }
}
