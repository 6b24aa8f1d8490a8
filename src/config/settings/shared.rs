//! `[shared]`: what several processes of wsgate share.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, FilePath, Name, SharedUrl};

/// The engine (Redis or Valkey) through which several processes of wsgate share channels and limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["url"])))]
#[serde(default, deny_unknown_fields)]
pub struct SharedSettings {
    /// redis://host:port/0, redis-sentinel://host:port,host:port/NAME or redis-cluster://host:port,host:port; rediss://,
    /// rediss-sentinel:// and rediss-cluster:// for TLS. USER:PASSWORD@ may stand before the hosts.
    #[cfg_attr(feature = "server", schemars(with = "SharedUrl"))]
    pub url: Option<SharedUrl>,
    /// The limits per client address and per subject that count over all processes.
    pub limits: Vec<SharedLimit>,
    /// The action while the engine cannot be reached: local (each process counts for itself) or deny.
    pub on_failure: OnFailure,
    /// The beginning of all keys in the engine: processes with the same one share.
    #[serde(with = "As::<Name>")]
    pub prefix: String,
    /// The file of the certificate authorities (PEM) that the engine is verified with; "" is those of the system.
    #[serde(with = "As::<FilePath>")]
    pub ca: Option<PathBuf>,
}

/// A limit per client address or per subject that counts over all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SharedLimit {
    /// Handshakes.
    Handshakes,
    /// Open sessions.
    Connections,
    /// Messages, client to upstream.
    Messages,
    /// Bytes, client to upstream.
    Bytes,
}

/// The action while the engine cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnFailure {
    /// Each process counts its own clients.
    #[default]
    Local,
    /// What a shared limit would have to allow is refused.
    Deny,
}

impl SharedLimit {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Handshakes,
        Self::Connections,
        Self::Messages,
        Self::Bytes,
    ];

    /// The word of the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::Connections => "connections",
            Self::Messages => "messages",
            Self::Bytes => "bytes",
        }
    }
}

impl Default for SharedSettings {
    fn default() -> Self {
        Self {
            url: None,
            limits: SharedLimit::ALL.to_vec(),
            on_failure: OnFailure::default(),
            prefix: "wsgate".to_owned(),
            ca: None,
        }
    }
}
