//! The gate as a client: its settings and its handshake with a server.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, TlsStream, rustls};

use super::error::TlsError;
use super::failure::NotChosen;
use super::pem::{certificates, private_key, roots_of};
use crate::transport::Transport;

/// The files that a client is made of, as they were read.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientFiles {
    /// The certificate authorities that servers are verified with; `None` is those of the system.
    pub(crate) ca: Option<Vec<u8>>,
    /// The certificate chain and the private key of the client, both in PEM.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// What is spoken on TLS (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplicationProtocol {
    /// Offered to servers, which need not choose it.
    Http1,
    /// Chosen by the server, or there is no connection (RFC 9113 §3.2).
    Http2,
    /// Another protocol, which the server expects without being offered any.
    #[allow(dead_code, reason = "not every set of features has such a server")]
    Unnamed,
}

/// TLS with the servers of one upstream: a clone is the same, and resumes the same sessions.
///
/// A server is always verified.
#[derive(Clone)]
pub(crate) struct ClientTls {
    files: Arc<ClientFiles>,
    /// The name that certificates must have; `None` is the host of each server.
    server_name: Option<String>,
    protocol: ApplicationProtocol,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// # Errors
    /// [`TlsError`] if the files are not what they are to be.
    pub(crate) fn new(
        files: ClientFiles,
        server_name: Option<String>,
        protocol: ApplicationProtocol,
    ) -> Result<Self, TlsError> {
        let roots = match &files.ca {
            Some(pem) => roots_of(pem)?,
            None => roots_of_system()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(roots);
        let mut config = match &files.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain).map_err(TlsError::Certificate)?;
                if chain.is_empty() {
                    return Err(TlsError::NoCertificate);
                }
                let key = private_key(key)?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(TlsError::of_identity)?
            }
        };
        config.alpn_protocols = protocol.names();
        Ok(Self {
            files: Arc::new(files),
            server_name,
            protocol,
            config: Arc::new(config),
        })
    }

    /// Makes the handshake with the server of this host, and verifies it.
    ///
    /// # Errors
    /// The error of the connection, or what [`TlsFailure::of`](super::TlsFailure::of) knows.
    pub(crate) async fn secure(&self, host: &str, stream: Transport) -> io::Result<Transport> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let failed = |error| self.protocol.name_failure(error);
        Ok(match stream {
            Transport::Tcp(stream) => {
                let stream = connector.connect(name, stream).await.map_err(failed)?;
                self.protocol.check(stream.get_ref().1.alpn_protocol())?;
                Transport::tls(TlsStream::Client(stream))
            }
            other => {
                let stream = connector.connect(name, other).await.map_err(failed)?;
                self.protocol.check(stream.get_ref().1.alpn_protocol())?;
                Transport::custom(stream)
            }
        })
    }
}

/// HTTP/2 over TLS (RFC 9113 §3.2).
const HTTP2: &[u8] = b"h2";

impl ApplicationProtocol {
    /// What is offered.
    fn names(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::Http2 => vec![HTTP2.to_vec()],
            Self::Unnamed => Vec::new(),
        }
    }

    /// Checks what the server chose. One of HTTP/1.1 may choose nothing.
    fn check(self, chosen: Option<&[u8]>) -> io::Result<()> {
        match self {
            Self::Http2 if chosen != Some(HTTP2) => Err(not_chosen()),
            Self::Http1 | Self::Http2 | Self::Unnamed => Ok(()),
        }
    }

    /// Says what a server meant that chose none of what it was offered.
    fn name_failure(self, error: io::Error) -> io::Error {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        match self {
            Self::Http2 if cause == Some(&alert) => not_chosen(),
            Self::Http1 | Self::Http2 | Self::Unnamed => error,
        }
    }
}

fn not_chosen() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, NotChosen)
}

/// The same files, the same name and the same protocol make the same TLS.
impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        let made_of = |tls: &Self| {
            (
                Arc::clone(&tls.files),
                tls.server_name.clone(),
                tls.protocol,
            )
        };
        Arc::ptr_eq(&self.config, &other.config) || made_of(self) == made_of(other)
    }
}

impl Eq for ClientTls {}

/// The key stays out.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

fn roots_of_system() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs().certs;
    match roots.add_parsable_certificates(found) {
        (0, _) => Err(TlsError::NoSystemCa),
        _ => Ok(roots),
    }
}
