//! What a gate has published.

use std::sync::atomic::{AtomicU64, Ordering};

use super::encoded::PublicationId;
use super::publication::Audience;
use crate::types::NodeId;

/// Numbers the publications of a gate, and counts them by audience.
#[derive(Debug, Default)]
pub(crate) struct PublicationCounts {
    last: AtomicU64,
    to_channels: AtomicU64,
    to_sessions: AtomicU64,
    to_subjects: AtomicU64,
}

impl PublicationCounts {
    /// The id of the next publication of this gate.
    pub(crate) fn next(&self, node: NodeId) -> PublicationId {
        PublicationId {
            node,
            sequence: self.last.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// Counts a publication.
    pub(crate) fn add(&self, audience: &Audience) {
        let count = match audience {
            Audience::Channel(_) => &self.to_channels,
            Audience::Session(_) => &self.to_sessions,
            Audience::Subject { .. } => &self.to_subjects,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were, by the word of their audience.
    pub(crate) fn by_audience(&self) -> [(&'static str, u64); 3] {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("channel", load(&self.to_channels)),
            ("session", load(&self.to_sessions)),
            ("subject", load(&self.to_subjects)),
        ]
    }
}
