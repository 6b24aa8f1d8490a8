//! What happens with the engine, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::histogram::{Durations, Histogram, ROUND_TRIP};

/// What is asked of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// The limits of a handshake.
    Handshake,
    /// Messages and bytes that are borrowed.
    Loan,
    /// The places of open sessions.
    Lease,
    /// A publication to other gates.
    Publish,
    /// What a channel retains.
    Retained,
    /// How many members channels have.
    Presence,
    /// Questions to other gates, and answers.
    Ask,
    /// One-time tickets.
    Ticket,
    /// Keys of publications.
    Key,
}

#[derive(Debug)]
pub(super) struct Counts {
    failures: [AtomicU64; Operation::ALL.len()],
    round_trips: Histogram,
}

impl Operation {
    pub(super) const ALL: [Self; 9] = [
        Self::Handshake,
        Self::Loan,
        Self::Lease,
        Self::Publish,
        Self::Retained,
        Self::Presence,
        Self::Ask,
        Self::Ticket,
        Self::Key,
    ];

    /// The word of the metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Loan => "loan",
            Self::Lease => "lease",
            Self::Publish => "publish",
            Self::Retained => "retained",
            Self::Presence => "presence",
            Self::Ask => "ask",
            Self::Ticket => "ticket",
            Self::Key => "key",
        }
    }
}

impl Counts {
    pub(super) fn note_failure(&self, operation: Operation) {
        self.failures[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_answer(&self, took: Duration) {
        self.round_trips.add(took);
    }

    /// By operation.
    pub(super) fn failures(&self) -> Vec<(&'static str, u64)> {
        let count = |operation: Operation| {
            let count = self.failures[operation as usize].load(Ordering::Relaxed);
            (operation.as_str(), count)
        };
        Operation::ALL.map(count).to_vec()
    }

    pub(super) fn round_trips(&self) -> Durations {
        self.round_trips.durations()
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            failures: Default::default(),
            round_trips: Histogram::new(ROUND_TRIP),
        }
    }
}
