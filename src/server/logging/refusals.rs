//! A bound on what refused requests can write into the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lets so many refusals a second into the log, and counts the others.
///
/// Anybody can have a request refused, as fast as the network carries them; the disk is not to
/// pay for that. The counters in the metrics stay exact.
#[derive(Debug)]
pub(super) struct RefusalBudget {
    start: Instant,
    /// The second since `start` in the upper half, its refusals in the lower one.
    window: AtomicU64,
    suppressed: AtomicU64,
}

/// The target of events that tell of a refused request.
pub(super) const TARGET: &str = "wsgate::refusal";

/// Refusals a second that are logged.
const PER_SECOND: u64 = 50;

impl Default for RefusalBudget {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            window: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }
}

impl RefusalBudget {
    /// Whether a refusal in this second is still within the budget, and how many before it were
    /// not and have not been told of.
    fn take(&self, second: u64) -> Option<u64> {
        let second = second << 32;
        let before = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
                Some(match window & !u64::from(u32::MAX) {
                    current if current == second => window + 1,
                    _ => second + 1,
                })
            })
            .unwrap_or_else(|window| window);
        let spent = match before & !u64::from(u32::MAX) {
            current if current == second => before & u64::from(u32::MAX),
            _ => 0,
        };
        if spent >= PER_SECOND {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

impl<S: Subscriber> Layer<S> for RefusalBudget {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if event.metadata().target() != TARGET {
            return true;
        }
        match self.take(self.start.elapsed().as_secs()) {
            None => false,
            Some(0) => true,
            Some(suppressed) => {
                tracing::warn!(
                    suppressed,
                    reason = "log_suppressed",
                    "refusals were not logged"
                );
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_each_second_and_counted() {
        let budget = RefusalBudget::default();
        for second in [0, 1, 7] {
            let logged = (0..1000).filter(|_| budget.take(second).is_some()).count();
            assert_eq!(logged as u64, PER_SECOND, "second {second}");
        }
        assert_eq!(budget.take(8), Some(1000 - PER_SECOND));
        assert_eq!(budget.take(8), Some(0));
    }
}
