//! The engine that gates share, for the host.

use crate::histogram::Durations;
use crate::pipeline::Core;

/// The engine of `[shared]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedMetrics {
    /// Whether every connection with it is there at the moment.
    pub up: bool,
    /// How often what other gates published was not heard for a while, because a connection was lost.
    pub interruptions: u64,
    /// What it did not answer, or not in time.
    pub failures: Vec<SharedFailureMetrics>,
    /// How long its answers took.
    pub round_trips: Durations,
}

/// How often the engine failed in one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedFailureMetrics {
    /// `handshake` (the limits of one), `lease` (the places of open sessions), `loan` (messages and bytes that are
    /// borrowed), `publish` (a publication to other gates), `retained` (what a channel retains), `presence` (how many
    /// members channels have) or `ask` (questions to other gates).
    pub operation: &'static str,
    /// How many times.
    pub count: u64,
}

impl SharedMetrics {
    pub(super) fn of(core: &Core) -> Option<Self> {
        let info = core.shared.info()?;
        let failures = info.failures.into_iter();
        let failures = failures.map(|(operation, count)| SharedFailureMetrics { operation, count });
        Some(Self {
            up: info.is_up,
            interruptions: info.interruptions,
            failures: failures.collect(),
            round_trips: info.round_trips,
        })
    }
}
