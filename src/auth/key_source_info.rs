//! The keys of an issuer, for metrics.

use std::time::Duration;

/// The state of a source of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySourceInfo {
    /// Fetches that brought keys.
    pub(crate) succeeded: u64,
    /// Fetches that brought none.
    pub(crate) failed: u64,
    /// The keys that are in use.
    pub(crate) keys: usize,
    /// How long ago those were fetched; none without any.
    pub(crate) age: Option<Duration>,
}
