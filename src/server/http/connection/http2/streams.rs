//! The streams of a connection: what is open on it, and what it takes of the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::budget::Budget;
use super::watched_socket::Writes;
use crate::server::http::limiter::{ConnectionLimiter, ConnectionState, RequestPermit};

/// Counts the requests and sessions of one connection, which is idle while there are none.
pub(super) struct Streams {
    limiter: Arc<ConnectionLimiter>,
    state: Arc<ConnectionState>,
    counts: Mutex<Counts>,
    budget: Budget,
    changed: Notify,
    writes: Arc<Writes>,
    /// Whether the slow client is already in the log and in the counts.
    is_slow_told: AtomicBool,
}

#[derive(Debug, Default)]
struct Counts {
    requests: usize,
    sessions: usize,
    /// The connection is gone, whatever still has a stream of it.
    is_over: bool,
    /// The limiter knows that there are sessions and nothing else.
    has_only_sessions: bool,
    /// Nothing is open, and the socket does not take all of what has ended.
    unsent: Option<Unsent>,
}

/// What waits for the client to take it.
#[derive(Clone, Copy, Debug)]
struct Unsent {
    /// When the client last took some of it.
    since: Instant,
    /// Bytes that the socket had taken by then.
    written: u64,
}

/// A request, until its response has been handed to the connection.
pub(super) struct ActiveRequest {
    streams: Arc<Streams>,
    /// None where the process has no descriptor for it.
    permit: Option<RequestPermit>,
}

/// A session, for as long as it has its stream.
pub(super) struct ActiveSession {
    streams: Arc<Streams>,
}

impl Streams {
    pub(super) fn new(
        limiter: Arc<ConnectionLimiter>,
        state: Arc<ConnectionState>,
        writes: Arc<Writes>,
    ) -> Arc<Self> {
        Arc::new(Self {
            limiter,
            state,
            counts: Mutex::default(),
            budget: Budget::default(),
            changed: Notify::new(),
            writes,
            is_slow_told: AtomicBool::new(false),
        })
    }

    pub(super) fn limiter(&self) -> &Arc<ConnectionLimiter> {
        &self.limiter
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(super) fn begin_request(self: &Arc<Self>) -> ActiveRequest {
        self.budget.begin();
        self.change(|counts| counts.requests += 1);
        ActiveRequest {
            permit: self.limiter.begin_request(&self.state),
            streams: Arc::clone(self),
        }
    }

    pub(super) fn begin_session(self: &Arc<Self>) -> ActiveSession {
        self.limiter.share_descriptor();
        self.change(|counts| counts.sessions += 1);
        ActiveSession {
            streams: Arc::clone(self),
        }
    }

    pub(super) fn has_sessions(&self) -> bool {
        self.counts().sessions > 0
    }

    /// Resolves when [`Streams::unsent_since`] or the idleness of the connection may have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Since when the client takes nothing of what has ended; none if it takes it, or something else is open.
    pub(super) fn unsent_since(&self) -> Option<Instant> {
        self.counts().unsent.map(|unsent| unsent.since)
    }

    /// How long the client may take nothing: as long as with its last response.
    pub(super) fn write_limit(&self) -> Duration {
        self.state.client().write_limit()
    }

    pub(super) fn set_write_limit(&self, limit: Duration) {
        self.state.client().set_write_limit(limit);
    }

    /// The client is slow, and a line of the log says so.
    pub(super) fn note_slow(&self) {
        self.is_slow_told.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_slow_told(&self) -> bool {
        self.is_slow_told.load(Ordering::Relaxed)
    }

    /// Notes what is open after the connection has sent what it could: it is idle if there is nothing. `is_sending`
    /// says whether a stream is left of what has ended: some of it waits for the socket, or an upload goes on behind its
    /// answer.
    pub(super) fn settle(&self, is_sending: bool) {
        let mut counts = self.counts();
        let is_open = counts.requests > 0 || counts.sessions > 0 || counts.is_over;
        let before = counts.unsent.take();
        if is_open {
            return;
        }
        let has_changed = match is_sending {
            true if !self.writes.is_blocked() => false,
            true => {
                let written = self.writes.written();
                let same = before.filter(|before| before.written == written);
                counts.unsent = Some(same.unwrap_or_else(|| Unsent {
                    since: Instant::now(),
                    written,
                }));
                before.is_none()
            }
            false if self.state.is_idle() => false,
            false => {
                self.state.begin_idling();
                true
            }
        };
        if has_changed {
            self.changed.notify_one();
        }
    }

    /// The connection is over.
    pub(super) fn end(&self) {
        self.change(|counts| counts.is_over = true);
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts();
        change(&mut counts);
        let has_only_sessions = counts.requests == 0 && counts.sessions > 0 && !counts.is_over;
        if has_only_sessions != counts.has_only_sessions {
            counts.has_only_sessions = has_only_sessions;
            self.limiter.note_only_sessions(has_only_sessions);
        }
    }

    // Nothing waits while it holds this.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRequest {
    /// Whether the process has a descriptor for a connection to a server.
    pub(super) fn is_admitted(&self) -> bool {
        self.permit.is_some()
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.streams.change(|counts| counts.requests -= 1);
        self.streams.changed.notify_one();
    }
}

impl Drop for ActiveSession {
    fn drop(&mut self) {
        self.streams.limiter.return_share();
        self.streams.change(|counts| counts.sessions -= 1);
        self.streams.changed.notify_one();
    }
}
