//! `[route.auth]` with its names resolved and its files read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};

use crate::close::CloseCode;
use crate::config::values::{CredentialSource, Template};
#[cfg(feature = "auth")]
use crate::jwt::{KeySet, TokenRules};
use crate::tls::ClientTls;

/// Who may come in on a route.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "auth"), allow(dead_code))]
pub(crate) struct AuthRules {
    /// Where a credential is looked for. What is found there never goes upstream. Empty where only an authentication
    /// server decides.
    pub(crate) from: Vec<CredentialSource>,
    #[cfg(feature = "auth")]
    pub(crate) issuers: Vec<Arc<Issuer>>,
    pub(crate) require: Vec<Requirement>,
    /// The claims that the session keeps.
    pub(crate) claims: Vec<String>,
    /// The close code of a session whose token expires; `None` lets it go on.
    pub(crate) expiry_code: Option<CloseCode>,
    pub(crate) forward: Option<Arc<AuthServer>>,
    pub(crate) keys: Option<Arc<KeyHashes>>,
    /// How long a ticket for the route may be used; `None` where none is accepted.
    pub(crate) ticket_lifetime: Option<Duration>,
}

impl AuthRules {
    /// Whether a client has to show a credential here, beside what an authentication server asks for.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(crate) fn takes_credentials(&self) -> bool {
        !self.from.is_empty()
    }
}

/// What a claim must be: one of these.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Requirement {
    /// Its name, or the path of names to it.
    pub(crate) claim: String,
    pub(crate) values: Vec<RequiredValue>,
}

/// One value that a claim may have.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "auth"), allow(dead_code))]
pub(crate) enum RequiredValue {
    Text(Template),
    Number(i64),
    Bool(bool),
}

/// Who signs tokens.
#[cfg(feature = "auth")]
#[derive(Debug, PartialEq)]
pub(crate) struct Issuer {
    pub(crate) name: Arc<str>,
    pub(crate) rules: TokenRules,
    pub(crate) keys: IssuerKeys,
}

/// Where the keys of an issuer are.
#[cfg(feature = "auth")]
#[derive(PartialEq)]
pub(crate) enum IssuerKeys {
    /// They were read with the settings.
    Fixed(Arc<KeySet>),
    /// They are fetched, again and again. The TLS is for a URL with https://.
    Url(Uri, Option<ClientTls>),
}

/// An authentication server.
#[derive(PartialEq)]
#[cfg_attr(not(feature = "auth"), allow(dead_code))]
pub(crate) struct AuthServer {
    pub(crate) url: Uri,
    /// For a URL with https://.
    pub(crate) tls: Option<ClientTls>,
    /// Headers of its answer that go upstream.
    pub(crate) copy: Vec<HeaderName>,
    /// The header of its answer that names the subject.
    pub(crate) subject: Option<HeaderName>,
    pub(crate) timeout: Duration,
    pub(crate) recheck: Option<Duration>,
}

/// The SHA-256 of each key that is accepted, and its name.
#[derive(PartialEq)]
pub(crate) struct KeyHashes(pub(in crate::config) HashMap<[u8; 32], Arc<str>>);

impl KeyHashes {
    /// How many keys there are.
    pub(in crate::config) fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of the key with this hash. The look-up need not take the same time for all: who cannot choose the hash of
    /// what it sends learns nothing from it.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(crate) fn name(&self, hash: &[u8; 32]) -> Option<&Arc<str>> {
        self.0.get(hash)
    }
}

/// The query of a URL may be a secret.
#[cfg(feature = "auth")]
impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(keys) => f.debug_tuple("Fixed").field(keys).finish(),
            Self::Url(url, tls) => f
                .debug_tuple("Url")
                .field(&url.authority())
                .field(&url.path())
                .field(tls)
                .finish(),
        }
    }
}

/// The query of its URL may be a secret.
impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer")
            .field("authority", &self.url.authority())
            .field("path", &self.url.path())
            .field("tls", &self.tls)
            .field("copy", &self.copy)
            .field("subject", &self.subject)
            .field("timeout", &self.timeout)
            .field("recheck", &self.recheck)
            .finish()
    }
}

/// A weak key could be guessed from its hash.
impl fmt::Debug for KeyHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyHashes").field(&self.0.len()).finish()
    }
}
