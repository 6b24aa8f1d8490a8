//! Passive health: a server that has failed is tried after the others for a while.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::config::Passive;

/// What the last failures of a server say about the next try.
#[derive(Debug, Default)]
pub(super) struct PassiveHealth {
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// Failures since the first that still counts.
    failures: u32,
    first_failure: Option<Instant>,
    /// The server is tried last until then. Later, one try decides what follows.
    tried_last_until: Option<Instant>,
}

impl PassiveHealth {
    /// Whether every other server is tried before this one.
    pub(super) fn is_tried_last(&self, now: Instant) -> bool {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.tried_last_until.is_some_and(|until| now < until)
    }

    /// Notes that a handshake tries the server. If it has failed before, no other tries it until the
    /// result is known: with the fewest sessions of all it would get every newcomer.
    pub(super) fn begin_try(&self, settings: Passive, now: Instant) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.tried_last_until.is_some_and(|until| until <= now) {
            record.tried_last_until = Some(now + settings.within);
        }
    }

    /// Notes a failure.
    pub(super) fn note_failure(&self, settings: Passive, now: Instant) {
        let Some(limit) = settings.failures else {
            return;
        };
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let first = record.first_failure;
        if first.is_none_or(|first| now.duration_since(first) > settings.within) {
            record.first_failure = Some(now);
            record.failures = 0;
        }
        record.failures = record.failures.saturating_add(1);
        // The failure of a try that was to decide needs no others beside it.
        if record.failures >= limit || record.tried_last_until.is_some() {
            record.tried_last_until = Some(now + settings.within);
        }
    }

    /// Notes a right answer: what failed before no longer counts.
    pub(super) fn note_success(&self) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if record.first_failure.is_some() {
            *record = Record::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    fn settings(failures: u32) -> Passive {
        Passive {
            failures: Some(failures).filter(|failures| *failures > 0),
            within: WITHIN,
        }
    }

    #[test]
    fn a_server_is_tried_last_after_so_many_failures_within_the_time() {
        let (health, start) = (PassiveHealth::default(), Instant::now());
        let failing = settings(2);
        health.note_failure(failing, start);
        let late = start + WITHIN + Duration::from_secs(1);
        health.note_failure(failing, late);
        assert!(!health.is_tried_last(late), "the first is too long ago");
        health.note_failure(failing, late);
        assert!(health.is_tried_last(late));
        assert!(!health.is_tried_last(late + WITHIN));
    }

    #[test]
    fn one_try_decides_when_the_time_is_over() {
        let (health, start) = (PassiveHealth::default(), Instant::now());
        let failing = settings(2);
        health.note_failure(failing, start);
        health.note_failure(failing, start);
        let over = start + WITHIN;
        assert!(!health.is_tried_last(over));
        health.begin_try(failing, over);
        assert!(health.is_tried_last(over), "the others wait");
        let later = over + Duration::from_secs(5);
        health.note_failure(failing, later);
        assert!(health.is_tried_last(over + WITHIN), "it failed again");
        health.begin_try(failing, later + WITHIN);
        health.note_success();
        assert!(!health.is_tried_last(later + WITHIN));
        health.note_failure(failing, later + WITHIN);
        assert!(!health.is_tried_last(later + WITHIN), "one failure of two");
    }

    #[test]
    fn a_try_of_a_good_server_keeps_nobody_away() {
        let (health, now) = (PassiveHealth::default(), Instant::now());
        health.begin_try(settings(1), now);
        assert!(!health.is_tried_last(now));
    }

    #[test]
    fn without_a_number_no_failure_counts() {
        let (health, now) = (PassiveHealth::default(), Instant::now());
        health.note_failure(settings(0), now);
        assert!(!health.is_tried_last(now));
    }
}
