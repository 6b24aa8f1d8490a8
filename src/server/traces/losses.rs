//! Spans that nobody gets, and what the log says of them.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::log_throttle::LogThrottle;

/// Counts spans that wait and spans that were lost.
#[derive(Debug)]
pub(super) struct Losses {
    /// The most that may wait.
    most: usize,
    waiting: AtomicUsize,
    /// They found no room; counted for themselves, so that no worker writes a cause.
    turned_away: AtomicU64,
    lost: AtomicU64,
    /// Why the last of them were.
    cause: Mutex<String>,
    throttle: LogThrottle,
}

/// How often the log is told.
const TOLD_EVERY: Duration = Duration::from_secs(60);

impl Losses {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: AtomicUsize::new(0),
            turned_away: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            cause: Mutex::default(),
            throttle: LogThrottle::one_in(TOLD_EVERY),
        }
    }

    /// Whether one more span may wait; if not, it is lost. It is asked on the workers.
    pub(super) fn admits_one(&self) -> bool {
        // Relaxed: the count guards no other memory.
        let order = Ordering::Relaxed;
        let one_more = |waiting| (waiting < self.most).then_some(waiting + 1);
        let admitted = self.waiting.fetch_update(order, order, one_more).is_ok();
        if !admitted {
            self.turned_away.fetch_add(1, order);
        }
        admitted
    }

    /// So many wait no longer, whatever became of them. Those that found no room meanwhile are
    /// told of.
    pub(super) fn done_with(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        self.add_turned_away();
    }

    /// Why what is exported now does not arrive, if it does not.
    pub(super) fn because(&self, cause: String) {
        *self.cause() = cause;
    }

    /// So many did not arrive.
    pub(super) fn add(&self, spans: u64) {
        self.lost.fetch_add(spans, Ordering::Relaxed);
        self.tell_sometimes();
    }

    /// What waits is lost, because the process ends.
    pub(super) fn left_behind(&self) {
        let waiting = self.waiting.swap(0, Ordering::Relaxed) as u64;
        if waiting > 0 {
            self.because("the collector had not taken them when the process ended".to_owned());
            self.lost.fetch_add(waiting, Ordering::Relaxed);
        }
    }

    /// Tells of what nobody was told of, for the last time.
    pub(super) fn tell_rest(&self) {
        self.add_turned_away();
        self.tell();
    }

    fn tell(&self) {
        let Some(lost) = NonZeroU64::new(self.lost.swap(0, Ordering::Relaxed)) else {
            return;
        };
        let cause = self.cause().clone();
        tracing::warn!(reason = "spans_lost", lost, error = cause, "spans are lost");
    }

    fn add_turned_away(&self) {
        let turned_away = self.turned_away.swap(0, Ordering::Relaxed);
        if turned_away > 0 {
            self.because("the queue is full (OTEL_BSP_MAX_QUEUE_SIZE)".to_owned());
            self.add(turned_away);
        }
    }

    fn tell_sometimes(&self) {
        if self.throttle.allows() {
            self.tell();
        }
    }

    fn cause(&self) -> MutexGuard<'_, String> {
        // A text is whole at every moment.
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_spans_wait_than_may() {
        let losses = Losses::new(2);
        let admitted: Vec<_> = (0..4).map(|_| losses.admits_one()).collect();
        assert_eq!(admitted, [true, true, false, false]);
        losses.done_with(1);
        assert!(losses.admits_one());
        assert!(!losses.admits_one());
    }

    #[test]
    fn what_was_lost_is_told_once() {
        let losses = Losses::new(1);
        losses.because("nobody listens".to_owned());
        // This one is told at once, and the next ones not before a minute is over.
        losses.add(3);
        assert_eq!(losses.lost.load(Ordering::Relaxed), 0);
        losses.add(4);
        losses.add(5);
        assert_eq!(losses.lost.load(Ordering::Relaxed), 9);
        losses.tell_rest();
        assert_eq!(losses.lost.load(Ordering::Relaxed), 0);
    }
}
