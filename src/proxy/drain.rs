//! Sends every session away, gently.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::close::CloseReason;
use crate::config::Drain;
use crate::session::{Record, Registry};

/// What a drain came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Sessions that ended in time.
    pub closed: usize,
    /// Sessions that were still open at the deadline, and were cut.
    pub cut: usize,
}

pub(super) async fn drain(registry: &Registry, settings: Drain, deadline: Duration) -> Drained {
    registry.stop();
    let start = Instant::now();
    let deadline = start + deadline;
    let sessions = registry.list();
    tracing::info!(sessions = sessions.len(), "draining");
    registry.tasks.close();
    let told = tell(&sessions, settings, start, deadline);
    let ended = async {
        // Both: a session whose turn has not come may end by itself, and then nobody waits.
        tokio::select! {
            () = registry.tasks.wait() => {}
            () = async { told.await; registry.tasks.wait().await } => {}
        }
    };
    let mut cut = 0;
    if timeout_at(deadline, ended).await.is_err() {
        let left = registry.list();
        cut = left.len();
        left.iter()
            .for_each(|record| record.order(CloseReason::Cut));
        registry.tasks.wait().await;
    }
    let drained = Drained {
        closed: sessions.len().saturating_sub(cut),
        cut,
    };
    tracing::info!(closed = drained.closed, cut, "drained");
    drained
}

/// Tells the sessions one by one, each at a moment of its own within the spread: clients that
/// were all sent away at once would all come back at once.
async fn tell(sessions: &[Arc<Record>], settings: Drain, start: Instant, deadline: Instant) {
    let spread = settings.spread_within(deadline - start);
    let slot = spread.div_f64(sessions.len().max(1) as f64);
    for (index, record) in sessions.iter().enumerate() {
        let jitter: f64 = rand::random();
        sleep_until(start + slot.mul_f64(index as f64 + jitter)).await;
        record.order(CloseReason::Drain(settings.close_code));
    }
}
