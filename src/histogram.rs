//! Durations, counted in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long many things of one kind took, as a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// How many took this long or less, for each of the ascending bounds; whatever counts for one
    /// counts for all that are greater.
    pub up_to: Vec<(Duration, u64)>,
    /// How many there were, those above the last bound included.
    pub count: u64,
    /// How long they took together.
    pub sum: Duration,
}

/// Durations that many threads count at once, without a lock.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [Duration],
    /// How many fell between a bound and the one before it; the last are above all bounds.
    counts: Box<[AtomicU64]>,
    /// 584 years of them fit, and one that begins anew looks like that of a process that did.
    nanoseconds: AtomicU64,
}

/// Bounds for what happens within the time-outs of a handshake: 1 ms to 10 s.
pub(crate) const SHORT: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// Bounds for plain requests, which may wait for their response for a minute, and be downloads: 1 ms to
/// 5 min.
pub(crate) const PLAIN: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
];

/// Bounds for an answer that a handshake waits for in the same rack: 100 µs to 1 s.
#[allow(
    dead_code,
    reason = "only gates that share an engine have such answers"
)]
pub(crate) const ROUND_TRIP: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
];

/// Bounds for how long a session lasts: 1 s to 24 h.
pub(crate) const LONG: &[Duration] = &[
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(4 * 60 * 60),
    Duration::from_secs(12 * 60 * 60),
    Duration::from_secs(24 * 60 * 60),
];

impl Durations {
    /// None yet.
    pub(crate) fn new(bounds: &[Duration]) -> Self {
        Self {
            up_to: bounds.iter().map(|bound| (*bound, 0)).collect(),
            count: 0,
            sum: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, duration: Duration) {
        for (bound, count) in &mut self.up_to {
            *count += u64::from(duration <= *bound);
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
    }
}

impl Histogram {
    /// A histogram with buckets up to each of these ascending bounds, and one for what is above.
    pub(crate) fn new(bounds: &'static [Duration]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, duration: Duration) {
        // Relaxed: the counts guard no other memory.
        let bucket = self.bounds.partition_point(|bound| *bound < duration);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// What has been counted until now. The counts fit each other; the sum may be that of a moment
    /// later.
    pub(crate) fn durations(&self) -> Durations {
        let mut count = 0;
        let mut counts = self.counts.iter().map(|bucket| {
            count += bucket.load(Ordering::Relaxed);
            count
        });
        let up_to = self.bounds.iter().copied().zip(&mut counts).collect();
        counts.for_each(drop);
        Durations {
            up_to,
            count,
            sum: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_secs(1)];

    #[test]
    fn a_bound_belongs_to_its_bucket_and_a_bucket_holds_those_below() {
        let histogram = Histogram::new(BOUNDS);
        let mut durations = Durations::new(BOUNDS);
        for (nanoseconds, counts) in [
            (0, [1, 1, 1]),
            (1_000_000, [2, 2, 2]),
            (1_000_001, [2, 3, 3]),
            (1_000_000_000, [2, 4, 4]),
            (1_000_000_001, [2, 4, 5]),
            (90_000_000_000, [2, 4, 6]),
        ] {
            let duration = Duration::from_nanos(nanoseconds);
            histogram.add(duration);
            durations.add(duration);
            let counted: Vec<_> = durations.up_to.iter().map(|(_, count)| *count).collect();
            assert_eq!([&counted[..], &[durations.count]].concat(), counts);
            assert_eq!(histogram.durations(), durations, "{duration:?}");
        }
        assert_eq!(durations.sum, Duration::from_nanos(92_002_000_002));
        let bounds: Vec<_> = durations.up_to.iter().map(|(bound, _)| *bound).collect();
        assert_eq!(bounds, BOUNDS);
    }

    #[test]
    fn the_bounds_ascend_and_span_what_is_measured() {
        let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
        for (bounds, least, most) in [
            (SHORT, Duration::from_millis(1), Duration::from_secs(10)),
            (PLAIN, Duration::from_millis(1), Duration::from_secs(300)),
            (LONG, Duration::from_secs(1), hours(24)),
            (
                ROUND_TRIP,
                Duration::from_micros(100),
                Duration::from_secs(1),
            ),
        ] {
            assert!(bounds.is_sorted_by(|before, after| before < after));
            assert_eq!((bounds.first(), bounds.last()), (Some(&least), Some(&most)));
        }
    }
}
