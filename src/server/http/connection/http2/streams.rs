//! The streams of a connection: what is open on it, and what it takes of the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::budget::Budget;
use crate::server::http::limiter::{ConnectionLimiter, ConnectionState, RequestPermit};

/// Counts the requests and sessions of one connection, which is idle while there are none.
pub(super) struct Streams {
    limiter: Arc<ConnectionLimiter>,
    state: Arc<ConnectionState>,
    counts: Mutex<Counts>,
    budget: Budget,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    requests: usize,
    sessions: usize,
    /// The connection is gone, whatever still has a stream of it.
    is_over: bool,
    /// The limiter knows that there are sessions and nothing else.
    has_only_sessions: bool,
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
    pub(super) fn new(limiter: Arc<ConnectionLimiter>, state: Arc<ConnectionState>) -> Arc<Self> {
        Arc::new(Self {
            limiter,
            state,
            counts: Mutex::default(),
            budget: Budget::default(),
            changed: Notify::new(),
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

    /// Resolves when something has ended since the last call, or all of it has been sent.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The connection is idle from now on if nothing is open on it; `is_sending` says whether the client has not got
    /// all of what has ended.
    pub(super) fn settle(&self, is_sending: bool) {
        let counts = self.counts();
        let is_idle = counts.requests == 0 && counts.sessions == 0 && !is_sending;
        if is_idle && !counts.is_over && !self.state.is_idle() {
            self.state.begin_idling();
            // What has ended was sent only now.
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
