//! Drains: sessions are closed over a time, and aborted at a deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use super::entry::SessionEntry;
use super::registry::Registry;
use crate::close::CloseReason;
use crate::config::Drain;
use crate::types::SessionId;

/// The result of a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Sessions that ended in time.
    pub closed: usize,
    /// Sessions that were still open at the deadline, and were aborted.
    pub cut: usize,
}

/// Stands for a time that the clock cannot represent: 30 years.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The longest wait for the end of aborted sessions, which wait for nothing themselves.
const CUT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn drain(registry: &Registry, settings: Drain, deadline: Duration) -> Drained {
    registry.stop();
    let start = Instant::now();
    let deadline = end_of(start, deadline);
    let sessions = registry.list();
    tracing::info!(sessions = sessions.len(), "draining");
    registry.tasks.close();
    let closed = close_all(&sessions, settings, start, deadline);
    let ended = async {
        // Both: if every session ends by itself before its turn, the drain is over.
        tokio::select! {
            () = registry.tasks.wait() => {}
            () = async { closed.await; registry.tasks.wait().await } => {}
        }
    };
    let mut cut = 0;
    if timeout_at(deadline, ended).await.is_err() {
        let left = registry.list();
        cut = left.len();
        left.iter()
            .for_each(|entry| entry.request_close(CloseReason::Cut));
        if timeout(CUT_TIMEOUT, registry.tasks.wait()).await.is_err() {
            // Only a filter that blocks its thread can do this.
            tracing::error!(sessions = registry.list().len(), "sessions do not end");
        }
    }
    let drained = Drained {
        closed: sessions.len().saturating_sub(cut),
        cut,
    };
    tracing::info!(closed = drained.closed, cut, "drained");
    registry.end_events();
    drained
}

/// Closes the sessions one by one, spread over a time: clients that are all closed at once would all
/// reconnect at once.
async fn close_all(
    sessions: &[Arc<SessionEntry>],
    settings: Drain,
    start: Instant,
    deadline: Instant,
) {
    let spread = settings.spread_within(deadline - start);
    let turns = Turns::new(sessions.len(), start, spread);
    for (index, entry) in sessions.iter().enumerate() {
        turns.come(index).await;
        entry.request_close(CloseReason::Drain(settings.close_code));
    }
}

/// Sessions that are closed while the gate continues.
pub(crate) struct Eviction {
    pub(crate) sessions: Vec<SessionId>,
    /// What they are, for the log.
    pub(crate) are: &'static str,
    pub(crate) reason: CloseReason,
    /// The time over which the closes are spread.
    pub(crate) spread: Duration,
    /// Sessions still open after this time are aborted.
    pub(crate) deadline: Duration,
}

impl Eviction {
    /// Of sessions whose routes were removed.
    pub(crate) fn of_removed_routes(sessions: Vec<SessionId>, settings: Drain) -> Self {
        Self {
            sessions,
            are: "sessions of removed routes",
            reason: CloseReason::RouteRemoved(settings.close_code),
            spread: settings.spread_within(settings.deadline),
            deadline: settings.deadline,
        }
    }

    /// Of sessions whose server is being drained over this time.
    pub(crate) fn of_drained_server(
        sessions: Vec<SessionId>,
        settings: Drain,
        over: Duration,
    ) -> Self {
        Self {
            sessions,
            are: "sessions of a drained server",
            reason: CloseReason::ServerDrained(settings.close_code),
            // The clock cannot represent every time.
            spread: over.min(FOREVER),
            // The last one has as much time as in a drain of the gate.
            deadline: over.saturating_add(settings.deadline),
        }
    }
}

/// Closes sessions over a time, and aborts those that are still open at the deadline, in a task of
/// `owner`.
pub(crate) fn evict(
    registry: &Arc<Registry>,
    owner: &TaskTracker,
    eviction: Eviction,
) -> Option<AbortHandle> {
    if eviction.sessions.is_empty() {
        return None;
    }
    let registry = Arc::clone(registry);
    let task = owner.spawn(async move {
        let Eviction {
            sessions,
            are,
            reason,
            spread,
            deadline,
        } = eviction;
        let start = Instant::now();
        let order = |session, reason| {
            let entry = registry.find(session);
            entry.inspect(|entry| entry.request_close(reason)).is_some()
        };
        tracing::info!(sessions = sessions.len(), "{are} are being closed");
        let turns = Turns::new(sessions.len(), start, spread);
        for (index, session) in sessions.iter().enumerate() {
            turns.come(index).await;
            order(*session, reason.clone());
        }
        sleep_until(end_of(start, deadline)).await;
        let left = sessions.into_iter();
        let cut = left
            .filter(|session| order(*session, CloseReason::Cut))
            .count();
        if cut > 0 {
            tracing::info!(cut, "{are} were cut");
        }
    });
    Some(task.abort_handle())
}

fn end_of(start: Instant, deadline: Duration) -> Instant {
    start.checked_add(deadline).unwrap_or(start + FOREVER)
}

/// The times at which the sessions are closed.
struct Turns {
    start: Instant,
    slot: Duration,
}

impl Turns {
    fn new(count: usize, start: Instant, spread: Duration) -> Self {
        let slot = spread.div_f64(count.max(1) as f64);
        Self { start, slot }
    }

    /// Waits for a random moment within this session's slot.
    async fn come(&self, index: usize) {
        let jitter: f64 = rand::random();
        sleep_until(self.start + self.slot.mul_f64(index as f64 + jitter)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::session::{Expiry, SessionGuard, SessionMetadata};
    use crate::wall_clock::WallClock;

    fn place(registry: &Arc<Registry>) -> SessionGuard {
        let metadata = SessionMetadata::for_tests("test", "test", "test");
        registry
            .acquire()
            .unwrap()
            .register(metadata, Expiry::never(), Instant::now())
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_whose_task_has_not_begun_is_waited_for() {
        let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
        let guard = place(&registry);
        let minute = Duration::from_secs(60);
        let mut drain = pin!(drain(&registry, Drain::default(), minute));
        assert!(timeout(minute / 2, &mut drain).await.is_err());
        drop(guard);
        let drained = drain.await;
        assert_eq!((drained.closed, drained.cut), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_reaches_a_session_that_waits_for_its_101_to_be_out() {
        let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
        let guard = place(&registry);
        let waiting = registry.tasks.spawn(async move {
            guard.cut_requested().await;
            guard.finish(CloseReason::Cut);
        });
        let drained = drain(&registry, Drain::default(), Duration::from_secs(60)).await;
        assert_eq!((drained.closed, drained.cut), (0, 1));
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn no_deadline_is_too_far() {
        let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
        let drained = drain(&registry, Drain::default(), Duration::MAX).await;
        assert_eq!((drained.closed, drained.cut), (0, 0));
    }
}
