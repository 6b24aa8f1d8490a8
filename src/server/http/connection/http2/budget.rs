//! What a client may cost without asking for anything.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts what happened on a connection that no honest client does much of.
#[derive(Debug, Default)]
pub(super) struct Budget {
    begun: AtomicU32,
    /// The client reset them before they were answered.
    reset: AtomicU32,
    /// Handshakes that were refused.
    refused: AtomicU32,
}

/// So many streams may be reset before their answer. A page that is left resets what it was loading, but
/// it loads more than it resets.
const MOST_RESETS: u32 = 100;

/// So many handshakes may be refused. With HTTP/1.1 each takes a new connection.
const MOST_REFUSALS: u32 = 100;

impl Budget {
    /// A request has come.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Its client reset the stream before the answer.
    pub(super) fn note_reset(&self) {
        self.reset.fetch_add(1, Ordering::Relaxed);
    }

    /// It was a handshake, and was refused.
    pub(super) fn note_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether requests are made in order to be reset (CVE-2023-44487).
    pub(super) fn is_flood(&self) -> bool {
        let reset = self.reset.load(Ordering::Relaxed);
        reset > MOST_RESETS && reset > self.begun.load(Ordering::Relaxed) / 2
    }

    /// Whether the connection has had all the refusals that it gets.
    pub(super) fn is_spent(&self) -> bool {
        self.refused.load(Ordering::Relaxed) >= MOST_REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_resets_less_than_it_takes_may_go_on_for_ever() {
        let budget = Budget::default();
        for _ in 0..10 * MOST_RESETS {
            budget.begin();
            budget.begin();
            budget.note_reset();
            assert!(!budget.is_flood());
        }
    }

    #[test]
    fn one_that_resets_all_is_stopped_behind_the_bound() {
        let budget = Budget::default();
        for _ in 0..MOST_RESETS {
            budget.begin();
            budget.note_reset();
            assert!(!budget.is_flood());
        }
        budget.begin();
        budget.note_reset();
        assert!(budget.is_flood());
    }
}
