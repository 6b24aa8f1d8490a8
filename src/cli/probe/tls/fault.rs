//! Why there is no TLS with a server, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;

use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

/// Why there is no TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::probe) enum TlsFault {
    NotTls,
    WrongName,
    Expired,
    NotYetValid,
    UnknownIssuer,
    WrongCertificate,
    /// The server refuses us for our certificate.
    ClientCertificate,
    /// The server asks for a certificate, and we have none.
    NoClientCertificate,
    Version,
    Protocol,
    UnknownName,
    /// The server ended the connection without an alert.
    HungUp,
    Other,
}

impl TlsFault {
    /// What an error of a connection says of TLS.
    pub(in crate::cli::probe) fn of(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = of_tls(error) {
            return Self::of_rustls(error);
        }
        let ends = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        match error.downcast_ref::<io::Error>() {
            Some(error) if ends.contains(&error.kind()) => Self::HungUp,
            _ => Self::Other,
        }
    }

    /// What a server says after its part of the handshake: in TLS 1.3 it looks at our certificate only then.
    pub(in crate::cli::probe) fn of_alert(error: &(dyn Error + 'static)) -> Option<Self> {
        let error = of_tls(error)?;
        matches!(error, rustls::Error::AlertReceived(_)).then(|| Self::of_rustls(error))
    }

    fn of_rustls(error: &rustls::Error) -> Self {
        use AlertDescription as Alert;
        use CertificateError as Wrong;
        match error {
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            rustls::Error::InvalidCertificate(wrong) => match wrong {
                Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Self::WrongName,
                Wrong::Expired | Wrong::ExpiredContext { .. } => Self::Expired,
                Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => Self::NotYetValid,
                // The other one is from somebody with the name of an authority that is trusted.
                Wrong::UnknownIssuer | Wrong::BadSignature => Self::UnknownIssuer,
                _ => Self::WrongCertificate,
            },
            rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(Alert::ProtocolVersion) => Self::Version,
            rustls::Error::NoApplicationProtocol
            | rustls::Error::AlertReceived(Alert::NoApplicationProtocol) => Self::Protocol,
            rustls::Error::AlertReceived(Alert::UnrecognisedName) => Self::UnknownName,
            rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied,
            ) => Self::ClientCertificate,
            _ => Self::Other,
        }
    }

    pub(in crate::cli::probe) fn help(self) -> Option<&'static str> {
        Some(match self {
            Self::NotTls => "use ws:// for a server without TLS, or correct the port",
            Self::WrongName => {
                "use a host that the certificate names, or --server-name NAME to expect that name"
            }
            Self::Expired => "renew the certificate of the server",
            Self::NotYetValid => "compare the clocks of the two machines",
            Self::UnknownIssuer => {
                "use --ca FILE for an authority that the system does not trust, or let the server send the \
                 certificates between its own and the authority"
            }
            Self::ClientCertificate | Self::NoClientCertificate => {
                "use --cert FILE and --key FILE for a certificate that the server trusts"
            }
            Self::UnknownName => "use --server-name NAME for a name that the server knows",
            Self::HungUp => "use ws:// for a server without TLS, or look at the log of the server",
            Self::WrongCertificate | Self::Version | Self::Protocol | Self::Other => return None,
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTls => "the server does not speak TLS",
            Self::WrongName => "the certificate is for another name",
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::UnknownIssuer => "the certificate is from an authority that is not trusted",
            Self::WrongCertificate => "the certificate is wrong",
            Self::ClientCertificate => "the server does not accept the certificate of the probe",
            Self::NoClientCertificate => {
                "the server asks for a certificate, and the probe has none"
            }
            Self::Version => "there is no version of TLS that both sides speak",
            Self::Protocol => "the server speaks no HTTP/1.1",
            Self::UnknownName => "the server has no certificate for this name",
            Self::HungUp => "the server ended the connection in the handshake",
            Self::Other => "the handshake broke off",
        })
    }
}

/// The error of rustls among the causes. An `io::Error` around one passes it over in its own causes.
fn of_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
