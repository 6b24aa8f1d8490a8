//! What is wrong with the files of TLS.

use tokio_rustls::rustls::pki_types::pem;
use tokio_rustls::rustls::server::VerifierBuilderError;
use tokio_rustls::rustls::{self, InconsistentKeys};

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
    #[error("the file holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    #[error("the certificate is malformed")]
    UnreadableCertificate,
    #[error(
        "the file holds no private key in PEM that can be read, which begins with -----BEGIN PRIVATE KEY-----"
    )]
    Key(#[source] pem::Error),
    #[error("the private key is encrypted: `openssl pkey` writes it without a passphrase")]
    EncryptedKey,
    #[error(
        "this is not the private key of the certificate in `cert`, or that is not the first one in its file"
    )]
    OtherKey,
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
            Self::Key(_) | Self::EncryptedKey | Self::OtherKey | Self::Identity(_) => "key",
        }
    }

    /// Why a certificate and a key cannot be used.
    pub(super) fn of_identity(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Self::OtherKey,
            error => Self::Identity(error),
        }
    }
}
