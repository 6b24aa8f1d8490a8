//! Lost spans: their number and cause, for the log.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::server::logging::LogInterval;

/// Counts spans that wait and spans that were lost.
#[derive(Debug)]
pub(super) struct Losses {
    /// The most that may wait.
    most: usize,
    waiting: AtomicUsize,
    /// They found no room; counted apart, so that no worker writes a cause.
    dropped: AtomicU64,
    lost: AtomicU64,
    /// Why the last of them were.
    cause: Mutex<String>,
    log_interval: LogInterval,
}

/// The least time between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

impl Losses {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            cause: Mutex::default(),
            log_interval: LogInterval::new(LOG_INTERVAL),
        }
    }

    /// Admits a span to the queue; if it is full, the span is lost. Called on the workers.
    pub(super) fn admit(&self) -> bool {
        // Relaxed: the count guards no other memory.
        let order = Ordering::Relaxed;
        let one_more = |waiting| (waiting < self.most).then_some(waiting + 1);
        let admitted = self.waiting.fetch_update(order, order, one_more).is_ok();
        if !admitted {
            self.dropped.fetch_add(1, order);
        }
        admitted
    }

    /// So many have left the queue, exported or not. Those that found no room meanwhile are logged.
    pub(super) fn finished(&self, spans: usize) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        self.add_dropped();
    }

    /// Why the current export fails, if it does.
    pub(super) fn set_cause(&self, cause: String) {
        *self.cause() = cause;
    }

    /// So many were lost.
    pub(super) fn add(&self, spans: u64) {
        self.lost.fetch_add(spans, Ordering::Relaxed);
        self.log_sometimes();
    }

    /// The spans in the queue are lost, because the process ends.
    pub(super) fn left_behind(&self) {
        let waiting = self.waiting.swap(0, Ordering::Relaxed) as u64;
        if waiting > 0 {
            self.set_cause("the collector had not taken them when the process ended".to_owned());
            self.lost.fetch_add(waiting, Ordering::Relaxed);
        }
    }

    /// Logs the last losses.
    pub(super) fn log_rest(&self) {
        self.add_dropped();
        self.log();
    }

    fn log(&self) {
        let Some(lost) = NonZeroU64::new(self.lost.swap(0, Ordering::Relaxed)) else {
            return;
        };
        let cause = self.cause().clone();
        tracing::warn!(reason = "spans_lost", lost, error = cause, "spans are lost");
    }

    fn add_dropped(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.set_cause("the queue is full (OTEL_BSP_MAX_QUEUE_SIZE)".to_owned());
            self.add(dropped);
        }
    }

    fn log_sometimes(&self) {
        if self.log_interval.admit() {
            self.log();
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
        let admitted: Vec<_> = (0..4).map(|_| losses.admit()).collect();
        assert_eq!(admitted, [true, true, false, false]);
        losses.finished(1);
        assert!(losses.admit());
        assert!(!losses.admit());
    }

    #[test]
    fn losses_are_logged_once() {
        let losses = Losses::new(1);
        losses.set_cause("connection refused".to_owned());
        // This one is logged at once, and the next ones not before a minute is over.
        losses.add(3);
        assert_eq!(losses.lost.load(Ordering::Relaxed), 0);
        losses.add(4);
        losses.add(5);
        assert_eq!(losses.lost.load(Ordering::Relaxed), 9);
        losses.log_rest();
        assert_eq!(losses.lost.load(Ordering::Relaxed), 0);
    }
}
