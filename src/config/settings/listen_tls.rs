//! `[listen.tls]`: TLS with the clients of a listener.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, FilePath};

/// TLS with the clients of a listener. Its files are followed by their contents: a changed certificate is shown in
/// new handshakes, and no session is closed for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ListenTls {
    /// The certificates. A client gets the one for the name that it asks for (SNI), or else the first.
    pub certificates: Vec<CertificateFiles>,
    /// The name of an [acme.NAME], whose certificate comes after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme: Option<String>,
    /// Whether clients authenticate with a certificate: "off", "optional" or "required".
    pub client_auth: ClientAuth,
    /// The file of the certificate authorities (PEM) that clients are verified with.
    #[serde(with = "As::<FilePath>")]
    pub client_ca: Option<PathBuf>,
    /// The lowest version of TLS: "1.2" or "1.3".
    pub min_version: TlsVersion,
}

/// A certificate and its private key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The file of the certificate, followed by those of its chain (PEM).
    #[serde(with = "As::<FilePath>")]
    pub cert: Option<PathBuf>,
    /// The file of the private key (PEM) of that certificate.
    #[serde(with = "As::<FilePath>")]
    pub key: Option<PathBuf>,
}

/// Whether clients authenticate with a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// None is requested.
    #[default]
    Off,
    /// A certificate is verified, and none is needed.
    Optional,
    /// A client without one is refused.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}
