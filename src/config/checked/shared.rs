//! What several processes share, and through which engine.

use std::sync::Arc;

use crate::config::settings::{OnFailure, SharedLimit};
use crate::config::values::{EngineLayout, Secret};
use crate::tls::ClientTls;

/// A checked `[shared]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SharedRules {
    pub(crate) engine: Engine,
    pub(crate) limits: SharedLimits,
    pub(crate) on_failure: OnFailure,
    /// The beginning of all keys.
    pub(crate) prefix: Arc<str>,
}

/// Where an engine is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Engine {
    pub(crate) layout: EngineLayout,
    /// Hosts (IPv6 without brackets) and their ports; there is at least one, and exactly one of a single server.
    pub(crate) endpoints: Vec<(String, u16)>,
    pub(crate) database: u32,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    /// `None` is without TLS.
    pub(crate) tls: Option<ClientTls>,
}

/// The limits that count over all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SharedLimits {
    pub(crate) handshakes: bool,
    pub(crate) connections: bool,
    pub(crate) messages: bool,
    pub(crate) bytes: bool,
}

impl SharedLimits {
    /// Those that are listed.
    pub(in crate::config) fn of(listed: &[SharedLimit]) -> Self {
        Self {
            handshakes: listed.contains(&SharedLimit::Handshakes),
            connections: listed.contains(&SharedLimit::Connections),
            messages: listed.contains(&SharedLimit::Messages),
            bytes: listed.contains(&SharedLimit::Bytes),
        }
    }
}
