//! What the sessions of a route get of publications.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted by all sessions of a route together. Sessions in no channel never touch it.
#[derive(Debug, Default)]
pub(crate) struct DeliveryCounts {
    messages: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    left: AtomicU64,
    joins_refused: AtomicU64,
}

// Relaxed everywhere: the counts guard no other memory.
impl DeliveryCounts {
    pub(super) fn delivered(&self, messages: usize, bytes: usize) {
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, messages: usize) {
        self.dropped.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(super) fn left(&self, messages: usize) {
        self.left.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Counts a channel that a session cannot join.
    pub(crate) fn join_refused(&self) {
        self.joins_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Publications that were handed to sockets.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// The bytes of those, frame headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Publications that a slow session did not get.
    pub(crate) fn slow(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Publications that waited for a session when it ended.
    pub(crate) fn unsent(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Channels that a session could not join, because their names would not be right or it was in too many.
    pub(crate) fn refused(&self) -> u64 {
        self.joins_refused.load(Ordering::Relaxed)
    }
}
