//! What the files of TLS hold, in PEM (RFC 7468).

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
}

/// The first private key of a file.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match is_encrypted(pem) {
        true => TlsError::EncryptedKey,
        false => TlsError::Key(error),
    })
}

/// Whether the key has a passphrase: by its label (RFC 5958 §3), or by a header of RFC 1421.
fn is_encrypted(pem: &[u8]) -> bool {
    let mut lines = pem.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| {
        line == b"-----BEGIN ENCRYPTED PRIVATE KEY-----" || line == b"Proc-Type: 4,ENCRYPTED"
    })
}

/// The certificate authorities of a file.
pub(super) fn roots_of(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(pem).map_err(TlsError::Ca)?);
    match added {
        0 => Err(TlsError::NoCa),
        _ => Ok(roots),
    }
}
