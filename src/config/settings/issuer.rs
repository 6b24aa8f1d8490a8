//! `[issuer.NAME]`: who signs the tokens that clients show (RFC 7519).

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::values::{AnyDuration, As, FilePath, Secret};

/// Who signs tokens, and with which keys. `jwt` in `[route.auth]` names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["issuer", "audience"])))]
#[serde(default, deny_unknown_fields)]
pub struct IssuerSettings {
    /// The `iss` that a token must have, character for character.
    pub issuer: String,
    /// The issuer's public keys (a JWK set): a URL with https://, or a file; "" with `secret`.
    pub jwks: String,
    /// The secret of tokens with HS256, HS384 or HS512; instead of `jwks`.
    pub secret: Option<Secret>,
    /// The algorithms of tokens; by default RS256 and ES256, and HS256 with a secret.
    pub algorithms: Vec<TokenAlgorithm>,
    /// The `aud` of a token must have one of these.
    pub audience: Vec<String>,
    /// How far the clocks of the issuer and of this machine may be apart, 5 minutes at most.
    #[serde(with = "As::<AnyDuration>")]
    pub leeway: Duration,
    /// The file of the certificate authorities (PEM) that the URL of the keys is verified with; "" is those of the system.
    #[serde(with = "As::<FilePath>")]
    pub ca: Option<PathBuf>,
}

/// How a token is signed (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub enum TokenAlgorithm {
    /// RSA, PKCS #1 v1.5, with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, PKCS #1 v1.5, with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA, PKCS #1 v1.5, with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSA, PSS, with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA, PSS, with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA, PSS, with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256: whoever can verify a token can make one.
    #[serde(rename = "HS256")]
    Hs256,
    /// HMAC with SHA-384.
    #[serde(rename = "HS384")]
    Hs384,
    /// HMAC with SHA-512.
    #[serde(rename = "HS512")]
    Hs512,
}

impl TokenAlgorithm {
    /// Its name in the header of a token.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether it verifies with the secret that it signs with.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            jwks: String::new(),
            secret: None,
            algorithms: Vec::new(),
            audience: Vec::new(),
            leeway: Duration::from_secs(30),
            ca: None,
        }
    }
}
