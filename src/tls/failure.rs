//! Why there is no TLS with a server, as far as the answer to the client depends on it.

use std::io;

use crate::rejection::Rejection;

/// Why there is no TLS with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
pub(crate) enum TlsFailure {
    /// What the server sends is not TLS.
    NotTls,
    /// Its certificate is for another name.
    WrongName,
    /// Its certificate is not valid any more, or not yet.
    Expired,
    /// Its certificate is wrong in another way: nobody who is trusted has issued it, say.
    Untrusted,
    /// It did not choose HTTP/2.
    NoHttp2,
    /// Something else: no common version, an alert.
    Other,
}

/// The server chose another protocol than HTTP/2, or none.
#[derive(Debug, thiserror::Error)]
#[error("the server did not choose h2 (ALPN)")]
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
pub(super) struct NotChosen;

impl TlsFailure {
    /// What the error of a connection says of TLS, if it is one of TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        use tokio_rustls::rustls::{CertificateError, Error};
        let error = error.get_ref()?;
        if error.is::<NotChosen>() {
            return Some(Self::NoHttp2);
        }
        Some(match error.downcast_ref::<Error>()? {
            Error::InvalidMessage(_) => Self::NotTls,
            Error::InvalidCertificate(wrong) => match wrong {
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::Expired,
                _ => Self::Untrusted,
            },
            _ => Self::Other,
        })
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn of(_error: &io::Error) -> Option<Self> {
        None
    }

    /// The answer to the client.
    pub(crate) fn rejection(self) -> Rejection {
        match self {
            Self::NotTls => Rejection::UpstreamNotTls,
            Self::WrongName => Rejection::UpstreamCertificateName,
            Self::Expired => Rejection::UpstreamCertificateExpired,
            Self::Untrusted => Rejection::UpstreamCertificate,
            Self::NoHttp2 => Rejection::UpstreamNoHttp2,
            Self::Other => Rejection::UpstreamTls,
        }
    }
}
