//! What is refused: counted, and a line of the log each, until there are too many.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

use super::library::ClientAddr;
use crate::server::api::response::Refused;
use crate::server::logging::LogInterval;

/// How many requests and lines of batches were refused, by the status.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts {
    counts: [AtomicU64; STATUSES.len()],
}

/// The lines about one publisher, or about all clients that are none.
#[derive(Debug)]
pub(super) struct RefusalLines {
    interval: LogInterval,
    /// Refusals without a line since the last line.
    suppressed: AtomicU64,
}

/// Every status of a refusal.
const STATUSES: [StatusCode; 11] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::CONFLICT,
    StatusCode::GONE,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::MISDIRECTED_REQUEST,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// One line in so long.
const INTERVAL: Duration = Duration::from_secs(1);

impl RefusalCounts {
    pub(super) fn add(&self, status: StatusCode) {
        let known = STATUSES.iter().position(|known| *known == status);
        // Relaxed: the counts guard no other memory.
        if let Some(count) = known.and_then(|known| self.counts.get(known)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each status with its count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StatusCode, u64)> {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        STATUSES.into_iter().zip(counts)
    }
}

impl RefusalLines {
    /// A request is refused.
    pub(super) fn request(&self, token: Option<&str>, refused: &Refused, client: &ClientAddr) {
        if let Some(suppressed) = self.admit() {
            tracing::info!(
                token,
                status = refused.status.as_u16(),
                error = &*refused.sentence,
                %client,
                suppressed,
                "publish request refused"
            );
        }
    }

    /// A line of a batch is refused.
    pub(super) fn batch(&self, token: Option<&str>, refused: &Refused) {
        if let Some(suppressed) = self.admit() {
            tracing::info!(
                token,
                status = refused.status.as_u16(),
                error = &*refused.sentence,
                suppressed,
                "line of a batch refused"
            );
        }
    }

    /// If there is to be a line, how many were left out before it.
    fn admit(&self) -> Option<Option<u64>> {
        if !self.interval.admit() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let suppressed = self.suppressed.swap(0, Ordering::Relaxed);
        Some((suppressed > 0).then_some(suppressed))
    }
}

impl Default for RefusalLines {
    fn default() -> Self {
        Self {
            interval: LogInterval::new(INTERVAL),
            suppressed: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_has_a_line_a_second_and_the_rest_is_counted() {
        let lines = RefusalLines::default();
        assert_eq!(lines.admit(), Some(None));
        for _ in 0..5 {
            assert_eq!(lines.admit(), None);
        }
        tokio::time::advance(INTERVAL).await;
        assert_eq!(lines.admit(), Some(Some(5)));
        tokio::time::advance(INTERVAL).await;
        assert_eq!(lines.admit(), Some(None));
    }

    #[test]
    fn refusals_are_counted_by_status() {
        let counts = RefusalCounts::default();
        counts.add(StatusCode::FORBIDDEN);
        counts.add(StatusCode::FORBIDDEN);
        let counted: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(StatusCode::FORBIDDEN, 2)]);
    }
}
