//! The connection that a probe makes: TCP, and TLS on it.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_util::either::Either;

use super::error::ProbeError;
use super::url::ProbeUrl;

/// A connection with or without TLS.
pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Makes the connection.
pub(super) struct Connector {
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// Reads the certificate authorities where the URL needs them: those of this file, or else
    /// those of the system.
    pub(super) fn new(url: &ProbeUrl, ca: Option<&Path>) -> Result<Self, ProbeError> {
        if !url.is_tls {
            return Ok(Self { tls: None });
        }
        let name = ServerName::try_from(url.host.clone());
        let name = name.map_err(|_| ProbeError::Url("its host has no valid name for TLS"))?;
        let roots = match ca {
            Some(file) => roots_of_file(file)?,
            None => roots_of_system(),
        };
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ProbeError::TlsSetup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: Some((TlsConnector::from(Arc::new(config)), name)),
        })
    }

    pub(super) async fn connect(&self, url: &ProbeUrl) -> Result<Stream, ProbeError> {
        let authority = || url.authority.clone();
        let connected = TcpStream::connect((&*url.host, url.port)).await;
        let stream = connected.map_err(|error| ProbeError::Connect(authority(), error))?;
        // Otherwise the times would be those of Nagle's algorithm.
        let without_delay = stream.set_nodelay(true);
        without_delay.map_err(|error| ProbeError::Connect(authority(), error))?;
        match &self.tls {
            None => Ok(Either::Left(stream)),
            Some((connector, name)) => {
                let secured = connector.connect(name.clone(), stream).await;
                let secured = secured.map_err(|error| ProbeError::Tls(authority(), error))?;
                Ok(Either::Right(secured))
            }
        }
    }

    pub(super) fn tls_version(stream: &Stream) -> Option<&'static str> {
        let Either::Right(stream) = stream else {
            return None;
        };
        stream.get_ref().1.protocol_version()?.as_str()
    }
}

fn roots_of_file(file: &Path) -> Result<RootCertStore, ProbeError> {
    let wrong = |cause| ProbeError::CaFile(file.to_owned(), cause);
    let certificates = CertificateDer::pem_file_iter(file);
    let certificates = certificates.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut roots = RootCertStore::empty();
    let certificates = certificates.map_err(|error| wrong(Some(error)))?;
    match roots.add_parsable_certificates(certificates) {
        (0, _) => Err(wrong(None)),
        _ => Ok(roots),
    }
}

/// Without any, no server is trusted, and the error says so.
fn roots_of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
