//! How it is with what is shared, for metrics.

use crate::histogram::Durations;

/// What was counted of the engine.
#[derive(Clone, Debug)]
pub(crate) struct SharedInfo {
    pub(crate) is_up: bool,
    /// How often what other gates published was not heard for a while.
    pub(crate) interruptions: u64,
    /// By operation.
    pub(crate) failures: Vec<(&'static str, u64)>,
    pub(crate) round_trips: Durations,
}
