//! What the files of TLS hold, in PEM (RFC 7468).

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};

use super::error::TlsError;

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(pem).collect()
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
