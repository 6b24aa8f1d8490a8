//! The keys of issuers, for the host.

use std::sync::Arc;
use std::time::Duration;

use crate::pipeline::Core;

/// An issuer whose keys are fetched from a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuerMetrics {
    /// The issuer's name in the settings.
    pub issuer: Arc<str>,
    /// The keys that are in use; without any its tokens are refused.
    pub keys: usize,
    /// How long ago they were fetched; `None` without any.
    pub keys_age: Option<Duration>,
    /// Fetches that brought keys, since the issuer is in the settings with this URL.
    pub fetched: u64,
    /// Fetches that brought none.
    pub failed_fetches: u64,
}

impl IssuerMetrics {
    pub(super) fn all(core: &Core) -> Vec<Self> {
        let sources = core.auth.key_sources().into_iter();
        let each = sources.map(|(issuer, info)| Self {
            issuer,
            keys: info.keys,
            keys_age: info.age,
            fetched: info.succeeded,
            failed_fetches: info.failed,
        });
        each.collect()
    }
}
