//! How long things took.

use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Latencies {
    microseconds: Vec<u32>,
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        let microseconds = u32::try_from(latency.as_micros());
        self.microseconds.push(microseconds.unwrap_or(u32::MAX));
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.microseconds.extend(other.microseconds);
    }

    pub(crate) fn count(&self) -> f64 {
        self.microseconds.len() as f64
    }

    /// In microseconds; 0 if nothing was measured.
    pub(crate) fn percentile(&mut self, percent: f64) -> f64 {
        let rank = self.count() * percent / 100.0;
        let last = self.microseconds.len().saturating_sub(1);
        if self.microseconds.is_empty() {
            return 0.0;
        }
        let (_, value, _) = self
            .microseconds
            .select_nth_unstable(last.min(rank as usize));
        f64::from(*value)
    }
}
