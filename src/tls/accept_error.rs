//! Why a handshake with a client fails.

use std::io;

use tokio_rustls::rustls::{self, CertificateError, Error};

use crate::transport::Transport;

const NOT_TLS: &str = "not_tls";
const CERTIFICATE_MISSING: &str = "client_certificate_missing";
const CERTIFICATE_EXPIRED: &str = "client_certificate_expired";
const CERTIFICATE: &str = "client_certificate";
const REFUSED: &str = "tls_refused";
const INCOMPATIBLE: &str = "tls_incompatible";
const MALFORMED: &str = "bad_tls";

/// Why there is no TLS with a client.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TlsAcceptError(#[from] Cause);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the client does not speak TLS")]
    NotTls {
        /// For an answer.
        socket: Transport,
        source: rustls::Error,
    },
    #[error("the connection ended in the TLS handshake")]
    Ended(#[source] io::Error),
    #[error("the client has no certificate")]
    NoCertificate,
    #[error("the client's certificate is not valid any more, or not yet")]
    ExpiredCertificate(#[source] rustls::Error),
    #[error("the client's certificate is not accepted")]
    Certificate(#[source] rustls::Error),
    #[error("the client's certificate cannot be read")]
    UnreadableCertificate,
    /// It does not trust the authority of our certificate, or expects another name in it, say.
    #[error("the client has refused the connection")]
    Refused(#[source] rustls::Error),
    #[error("client and listener have no version, cipher suite or protocol in common")]
    Incompatible(#[source] rustls::Error),
    #[error("the client's TLS is malformed")]
    Malformed(#[source] rustls::Error),
    /// There is nothing more to say to it.
    #[error("a certificate authority has got the proof that {0} is ours")]
    ChallengeAnswered(String),
}

impl TlsAcceptError {
    /// Every word of [`TlsAcceptError::reason`].
    pub const REASONS: [&str; 7] = [
        NOT_TLS,
        CERTIFICATE_MISSING,
        CERTIFICATE_EXPIRED,
        CERTIFICATE,
        REFUSED,
        INCOMPATIBLE,
        MALFORMED,
    ];

    pub(super) fn not_tls(source: rustls::Error, socket: Transport) -> Self {
        Self(Cause::NotTls { socket, source })
    }

    pub(super) fn of(error: io::Error) -> Self {
        Self(Cause::of(error))
    }

    pub(super) fn unreadable_certificate() -> Self {
        Self(Cause::UnreadableCertificate)
    }

    /// The client is a certificate authority, which has what it came for.
    pub(super) fn challenge_answered(name: String) -> Self {
        Self(Cause::ChallengeAnswered(name))
    }

    /// The word for logs; none where the client has only gone away, or has what it came for.
    pub fn reason(&self) -> Option<&'static str> {
        Some(match self.0 {
            Cause::Ended(_) | Cause::ChallengeAnswered(_) => return None,
            Cause::NotTls { .. } => NOT_TLS,
            Cause::NoCertificate => CERTIFICATE_MISSING,
            Cause::ExpiredCertificate(_) => CERTIFICATE_EXPIRED,
            Cause::Certificate(_) | Cause::UnreadableCertificate => CERTIFICATE,
            Cause::Refused(_) => REFUSED,
            Cause::Incompatible(_) => INCOMPATIBLE,
            Cause::Malformed(_) => MALFORMED,
        })
    }

    /// The socket of a client that does not speak TLS, for an answer that it understands.
    pub fn into_plain_socket(self) -> Option<Transport> {
        match self.0 {
            Cause::NotTls { socket, .. } => Some(socket),
            _ => None,
        }
    }
}

impl Cause {
    fn of(error: io::Error) -> Self {
        if !error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            return Self::Ended(error);
        }
        let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
        match inner.map(|inner| *inner) {
            None => Self::Ended(io::ErrorKind::Other.into()),
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(
                error @ Error::InvalidCertificate(
                    CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. },
                ),
            ) => Self::ExpiredCertificate(error),
            Some(error @ Error::InvalidCertificate(_)) => Self::Certificate(error),
            Some(error @ Error::AlertReceived(_)) => Self::Refused(error),
            Some(error @ (Error::PeerIncompatible(_) | Error::NoApplicationProtocol)) => {
                Self::Incompatible(error)
            }
            Some(error) => Self::Malformed(error),
        }
    }
}
