//! What a probe can come to, beside a session that works.

use std::io;
use std::path::PathBuf;

use http::StatusCode;
use tokio_rustls::rustls::client::VerifierBuilderError;
use tokio_rustls::rustls::{self, pki_types::pem};
use tokio_tungstenite::tungstenite;

use super::tls::fault::TlsFault;
use crate::cli::error::{CommandError, REJECTED, UNREACHABLE};
use crate::cli::table::printable;

/// Why a probe failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("the URL is wrong: {0}")]
    Url(&'static str),
    #[error("{0} cannot be sent: {1}")]
    Header(String, &'static str),
    #[error("{} holds no certificate authority", .0.display())]
    CaFile(PathBuf, #[source] Option<pem::Error>),
    #[error("the system has no certificate authorities")]
    NoSystemCa,
    #[error("{} holds no certificate", .0.display())]
    CertFile(PathBuf, #[source] Option<pem::Error>),
    #[error("{} holds no private key that can be read", .0.display())]
    KeyFile(PathBuf, #[source] pem::Error),
    #[error("the certificate and the key cannot be used together")]
    Identity(#[source] rustls::Error),
    #[error("the name of --server-name is neither a host name nor an address")]
    ServerName,
    #[error("{0} is for URLs that begin with wss://")]
    NoTls(&'static str),
    #[error("TLS cannot be set up")]
    TlsSetup(#[source] rustls::Error),
    #[error("the authorities cannot be used")]
    Verifier(#[from] VerifierBuilderError),
    #[error("{0} cannot be reached")]
    Connect(String, #[source] io::Error),
    #[error("TLS with {0} failed: {1}")]
    Tls(String, TlsFault, #[source] io::Error),
    #[error("TLS with {0} was ended: {1}")]
    TlsEnded(String, TlsFault, #[source] hyper::Error),
    #[error("the handshake was refused: {status}{}", sentence(.body))]
    Refused {
        status: StatusCode,
        body: String,
        retry_after: Option<String>,
    },
    #[error("the session was closed early: {}{}", code_text(.code), sentence(.reason))]
    Closed { code: Option<u16>, reason: String },
    #[error("the answer to the handshake is wrong: {0}")]
    Handshake(&'static str),
    #[error("the connection ended before the handshake was answered")]
    Unanswered(#[source] hyper::Error),
    #[error("the session ended without a close frame")]
    Lost(#[source] tungstenite::Error),
    #[error("the server broke the protocol")]
    Protocol(#[source] tungstenite::Error),
    #[error("no answer in time, while waiting for {0}")]
    Timeout(&'static str),
}

const REFUSED: u8 = 4;
const PROTOCOL: u8 = 5;
const TIMEOUT: u8 = 6;

impl ProbeError {
    /// What it is where the server has asked for a certificate that the probe does not have.
    pub(super) fn without_certificate(self, authority: &str) -> Self {
        let authority = authority.to_owned();
        match self {
            Self::Unanswered(error) | Self::TlsEnded(_, _, error) => {
                Self::TlsEnded(authority, TlsFault::NoClientCertificate, error)
            }
            Self::Tls(
                _,
                TlsFault::ClientCertificate | TlsFault::HungUp | TlsFault::Other,
                error,
            ) => Self::Tls(authority, TlsFault::NoClientCertificate, error),
            other => other,
        }
    }

    /// The kind of failure, for scripts.
    pub(super) fn outcome(&self) -> &'static str {
        match self.exit_code() {
            UNREACHABLE => "unreachable",
            REFUSED => "refused",
            PROTOCOL => "protocol_error",
            TIMEOUT => "timeout",
            _ => "usage",
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Url(_)
            | Self::Header(..)
            | Self::CaFile(..)
            | Self::NoSystemCa
            | Self::CertFile(..)
            | Self::KeyFile(..)
            | Self::Identity(_)
            | Self::ServerName
            | Self::NoTls(_)
            | Self::TlsSetup(_)
            | Self::Verifier(_) => REJECTED,
            Self::Connect(..) | Self::Tls(..) | Self::TlsEnded(..) => UNREACHABLE,
            Self::Refused { .. } | Self::Closed { .. } => REFUSED,
            Self::Handshake(_) | Self::Unanswered(_) | Self::Lost(_) | Self::Protocol(_) => {
                PROTOCOL
            }
            Self::Timeout(_) => TIMEOUT,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Refused {
                retry_after: Some(after),
                ..
            } => Some(format!(
                "try again later (Retry-After: {})",
                printable(after)
            )),
            Self::Tls(_, fault, _) | Self::TlsEnded(_, fault, _) => fault.help().map(str::to_owned),
            Self::NoSystemCa => Some("install them, or use --ca FILE".to_owned()),
            Self::Timeout(_) => Some("increase --timeout".to_owned()),
            _ => None,
        }
    }
}

impl From<ProbeError> for CommandError {
    fn from(error: ProbeError) -> Self {
        let (exit_code, help) = (error.exit_code(), error.help());
        Self::new(error, exit_code).with_help(help)
    }
}

/// Behind a colon, or nothing.
fn sentence(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!(": {}", printable(text)),
    }
}

pub(super) fn code_text(code: &Option<u16>) -> String {
    code.map_or_else(|| "without a code".to_owned(), |code| code.to_string())
}
