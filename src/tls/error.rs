//! What is wrong with the files of TLS.

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;
use tokio_rustls::rustls::server::VerifierBuilderError;

/// Why files make no settings of TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the file of the certificate authorities is no PEM")]
    Ca(#[source] pem::Error),
    #[error("the file holds no certificate authority")]
    NoCa,
    #[error("the certificate authorities cannot be used")]
    Verifier(#[source] VerifierBuilderError),
    #[error("the system has no certificate authorities")]
    NoSystemCa,
    #[error("the file of the certificate is no PEM")]
    Certificate(#[source] pem::Error),
    #[error("the file holds no certificate")]
    NoCertificate,
    #[error("the certificate is malformed")]
    UnreadableCertificate,
    #[error("the file holds no private key that can be read")]
    Key(#[source] pem::Error),
    #[error("certificate and key cannot be used")]
    Identity(#[source] rustls::Error),
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

impl TlsError {
    /// The key of the settings that names the file.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Ca(_) | Self::NoCa | Self::NoSystemCa | Self::Verifier(_) | Self::Setup(_) => {
                "ca"
            }
            Self::Certificate(_) | Self::NoCertificate | Self::UnreadableCertificate => "cert",
            Self::Key(_) | Self::Identity(_) => "key",
        }
    }
}
