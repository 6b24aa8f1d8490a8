//! TLS with the server of a probe: what it is given, and what it finds.

mod certificate;
pub(super) mod fault;
mod peer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub(super) use self::certificate::ShownCertificate;
use self::fault::TlsFault;
pub(super) use self::peer::ClientCertificate;
use self::peer::{Identity, Verifier};
use super::error::ProbeError;
use super::url::ProbeUrl;

/// Options for wss:// URLs.
#[derive(Args, Debug)]
pub(super) struct TlsOptions {
    /// Trust the certificate authorities of this PEM file, in place of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show this certificate (PEM, with its chain) to a server that asks for one
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key (PEM) of that certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Ask for this name (SNI), and expect it in the certificate, in place of the host of the URL
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

/// The handshake of TLS as a probe makes it.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
    identity: Arc<Identity>,
}

/// What the two sides have agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) version: Option<&'static str>,
    pub(super) cipher: Option<&'static str>,
    /// By ALPN; none where the server chose nothing.
    pub(super) protocol: Option<String>,
}

impl TlsOptions {
    /// Reads the files, if the URL asks for TLS.
    pub(super) fn tls(&self, url: &ProbeUrl) -> Result<Option<Tls>, ProbeError> {
        let given = [
            ("--ca", self.ca.is_some()),
            ("--cert", self.cert.is_some()),
            ("--server-name", self.server_name.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) if !url.is_tls => Err(ProbeError::NoTls(option)),
            _ if url.is_tls => Tls::new(&url.host, self).map(Some),
            _ => Ok(None),
        }
    }
}

impl Tls {
    fn new(host: &str, options: &TlsOptions) -> Result<Self, ProbeError> {
        let name = match &options.server_name {
            Some(name) => {
                let parsed = ServerName::try_from(name.clone());
                parsed.map_err(|_| ProbeError::ServerName)?
            }
            None => {
                let parsed = ServerName::try_from(host.to_owned());
                parsed.map_err(|_| ProbeError::Url("its host has no valid name for TLS"))?
            }
        };
        let roots = match &options.ca {
            Some(file) => roots_of_file(file)?,
            None => roots_of_system()?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let identity = match (&options.cert, &options.key) {
            (Some(cert), Some(key)) => Some(identity(cert, key, &provider)?),
            _ => None,
        };
        let identity = Arc::new(Identity::new(identity));
        let roots = Arc::new(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let verifier = Arc::new(Verifier::new(verifier.build()?));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ProbeError::TlsSetup)?
            // It is rustls's own verifier, behind one that keeps what it is asked about.
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_client_cert_resolver(Arc::clone(&identity) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            verifier,
            identity,
        })
    }

    /// Makes the handshake, and verifies the server.
    pub(super) async fn secure(
        &self,
        url: &ProbeUrl,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ProbeError> {
        let secured = self.connector.connect(self.name.clone(), stream).await;
        secured.map_err(|error| {
            let fault = TlsFault::of(&error);
            ProbeError::Tls(url.authority.clone(), fault, error)
        })
    }

    /// The certificate that the server has shown, trusted or not.
    pub(super) fn certificate(&self) -> Option<ShownCertificate> {
        ShownCertificate::of(&self.verifier.shown()?)
    }

    /// What became of our own certificate.
    pub(super) fn client_certificate(&self) -> ClientCertificate {
        self.identity.state()
    }
}

impl Agreed {
    pub(super) fn of(stream: &TlsStream<TcpStream>) -> Self {
        let connection = stream.get_ref().1;
        let version = connection.protocol_version();
        let suite = connection.negotiated_cipher_suite();
        let protocol = connection.alpn_protocol();
        Self {
            version: version.and_then(|version| version.as_str()),
            cipher: suite.and_then(|suite| suite.suite().as_str()),
            protocol: protocol.map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }
}

fn roots_of_file(file: &Path) -> Result<RootCertStore, ProbeError> {
    let wrong = |cause| ProbeError::CaFile(file.to_owned(), cause);
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file);
    let certificates = certificates.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| wrong(Some(error)))?;
    match roots.add_parsable_certificates(certificates) {
        (0, _) => Err(wrong(None)),
        _ => Ok(roots),
    }
}

fn roots_of_system() -> Result<RootCertStore, ProbeError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    match roots.add_parsable_certificates(found) {
        (0, _) => Err(ProbeError::NoSystemCa),
        _ => Ok(roots),
    }
}

fn identity(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, ProbeError> {
    let wrong = |cause| ProbeError::CertFile(cert.to_owned(), cause);
    let chain = CertificateDer::pem_file_iter(cert);
    let chain = chain.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| wrong(Some(error)))?;
    if chain.is_empty() {
        return Err(wrong(None));
    }
    let read = PrivateKeyDer::from_pem_file(key);
    let read = read.map_err(|error| ProbeError::KeyFile(key.to_owned(), error))?;
    CertifiedKey::from_der(chain, read, provider).map_err(ProbeError::Identity)
}
