//! `[route.auth]`: who may come in, and for how long.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::close::CloseCode;
use crate::config::values::{
    As, ClaimValues, CredentialSource, FilePath, Name, OnExpiry, OneOrMany, Positive, ZeroForNever,
};

/// Who may come in, and for how long. Without this table everybody may.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RouteAuth {
    /// Where a credential is looked for: header:authorization, cookie:NAME, query:NAME, subprotocol:PREFIX. The
    /// first that is there counts, and two that differ are refused. None of them goes upstream.
    pub from: Vec<CredentialSource>,
    /// The issuer whose tokens are accepted, or a list of issuers.
    #[serde(with = "OneOrMany::<Name>")]
    pub jwt: Vec<String>,
    /// What the claims of a token must be, by name: a value or one of a list. A claim that is a list must hold it, and
    /// so must the words of scope and scp; dots lead into objects.
    pub require: BTreeMap<String, ClaimValues>,
    /// Claims that are kept for the session beside those that headers.set, rewrite and channels.join use.
    pub claims: Vec<String>,
    /// The close code of a session whose token expires; "keep" lets it go on.
    pub on_expiry: OnExpiry,
    /// The server that authenticates each request.
    #[cfg_attr(feature = "server", schemars(with = "ForwardAuth"))]
    pub forward: Option<ForwardAuth>,
    /// Keys that are accepted.
    #[cfg_attr(feature = "server", schemars(with = "KeyFile"))]
    pub keys: Option<KeyFile>,
    /// One-time tickets that are accepted.
    #[cfg_attr(feature = "server", schemars(with = "TicketSettings"))]
    pub tickets: Option<TicketSettings>,
}

/// The server that authenticates each request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["url"])))]
#[serde(default, deny_unknown_fields)]
pub struct ForwardAuth {
    /// The URL that wsgate calls for each request: http:// or https://. A 2xx lets in; a 401 or 403 goes to the client.
    pub url: String,
    /// Headers of its answer that go upstream; the client's own of these names never do.
    pub copy: Vec<String>,
    /// The header of its answer that names the subject; "" is none. Not beside jwt, keys or tickets.
    pub subject: String,
    /// The longest wait for its answer; then the request is refused with 503.
    #[serde(with = "As::<Positive>")]
    pub timeout: Duration,
    /// Ask again in this interval while the session lives, and close it with 4403 if it is refused; "0s" is never.
    #[serde(with = "As::<ZeroForNever>")]
    pub recheck: Option<Duration>,
    /// The file of the certificate authorities (PEM) that an https:// URL is verified with; "" is those of the system.
    #[serde(with = "As::<FilePath>")]
    pub ca: Option<PathBuf>,
}

/// Keys of services and devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["file"])))]
#[serde(default, deny_unknown_fields)]
pub struct KeyFile {
    /// The file with a line `name = sha256:HEX` for each key; the name is the subject.
    #[serde(with = "As::<FilePath>")]
    pub file: Option<PathBuf>,
}

/// Tickets for one handshake each, from `POST /tickets` of the admin interface.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TicketSettings {
    /// How long a ticket may be used after it was issued, 10 minutes at most.
    #[serde(with = "As::<Positive>")]
    pub lifetime: Duration,
}

impl Default for RouteAuth {
    fn default() -> Self {
        Self {
            from: vec![CredentialSource::Header(http::header::AUTHORIZATION)],
            jwt: Vec::new(),
            require: BTreeMap::new(),
            claims: Vec::new(),
            on_expiry: OnExpiry::Close(CloseCode::EXPIRED),
            forward: None,
            keys: None,
            tickets: None,
        }
    }
}

impl Default for ForwardAuth {
    fn default() -> Self {
        Self {
            url: String::new(),
            copy: Vec::new(),
            subject: String::new(),
            timeout: Duration::from_secs(5),
            recheck: None,
            ca: None,
        }
    }
}

impl Default for TicketSettings {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(30),
        }
    }
}
