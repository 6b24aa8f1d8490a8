//! The limit on connections that are not sessions, and the choice of those that are closed for others.
//!
//! A connection takes a descriptor even if its client sends nothing. Before descriptors run out, the
//! connection that has been idle for longest is evicted. One whose request is being answered never is,
//! nor is a session.

mod client_state;
mod idle_queue;
mod interim_heads;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

pub(crate) use client_state::{ClientState, PeerState};
pub(crate) use idle_queue::ConnectionState;
use idle_queue::IdleQueue;
pub(crate) use interim_heads::InterimHead;

use crate::Gate;
use crate::server::http::tls_handshakes::TlsHandshakes;
use crate::server::listener::descriptors::{Budget, REFUSALS};
use crate::server::logging::LogInterval;

/// Counts what holds descriptors, for all connections of the process.
pub(crate) struct ConnectionLimiter {
    /// A reload may change it.
    budget: RwLock<Budget>,
    gate: Gate,
    /// Descriptors of clients that are not sessions.
    connections: AtomicUsize,
    /// Requests that are being answered: each may have a connection to a server.
    requests: AtomicUsize,
    /// Sessions that share the connection of their client: each counts as one that has it for itself.
    sharing: AtomicUsize,
    /// Connections with sessions and without requests.
    only_sessions: AtomicUsize,
    /// Connections to servers that wait for a plain request.
    idle_upstream: AtomicUsize,
    /// Connections that are refused and have not gone yet.
    refusals: AtomicUsize,
    /// Notified when another connection has to be refused and all slots are taken.
    next_refusal: Notify,
    /// Connections that are evicted and not closed yet.
    evictions: AtomicUsize,
    queue: Arc<IdleQueue>,
    returned: Notify,
    counts: ConnectionCounts,
    /// How many evictions have been logged.
    reported: AtomicU64,
    log_interval: LogInterval,
}

/// How connections began, and how those ended that never became sessions.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounts {
    /// Closed while they waited for a request, to make room.
    pub(crate) reclaimed: AtomicU64,
    /// Refused on arrival, because no other connection could be evicted.
    pub(crate) turned_away: AtomicU64,
    /// Closed at the deadline without having sent anything of a first request.
    pub(crate) silent: AtomicU64,
    /// Closed at the deadline in the middle of a request's head.
    pub(crate) late: AtomicU64,
    /// Cut off because their clients did not read a response.
    pub(crate) slow: AtomicU64,
    /// Before the first request of connections with TLS.
    pub(crate) tls: TlsHandshakes,
}

/// Counts a connection until it ends or becomes a session.
pub(crate) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    state: Arc<ConnectionState>,
}

/// Counts a request until its response is written.
pub(crate) struct RequestPermit {
    limiter: Arc<ConnectionLimiter>,
}

/// Counts an idle connection to a server.
pub(crate) struct IdlePermit {
    limiter: Arc<ConnectionLimiter>,
}

/// The slot of a connection that is refused, until it is closed.
pub(crate) struct RefusalSlot {
    limiter: Arc<ConnectionLimiter>,
}

/// So many evicted connections count as closed already: the process has as many descriptors to
/// spare.
const OVERLAP: usize = 4;

/// The longest wait for a descriptor that is about to be returned, before the next look.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How often connections are looked at until they are quiet.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The least time between two log lines about connections that were closed.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

impl ConnectionLimiter {
    pub(crate) fn new(gate: Gate, budget: Budget) -> Arc<Self> {
        Arc::new(Self {
            budget: RwLock::new(budget),
            gate,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            sharing: AtomicUsize::new(0),
            only_sessions: AtomicUsize::new(0),
            idle_upstream: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            next_refusal: Notify::new(),
            evictions: AtomicUsize::new(0),
            queue: IdleQueue::new(),
            returned: Notify::new(),
            counts: ConnectionCounts::default(),
            reported: AtomicU64::new(0),
            log_interval: LogInterval::new(REPORT_INTERVAL),
        })
    }

    /// Applies another budget. Open connections stay until room is needed.
    pub(crate) fn set_budget(&self, budget: Budget) {
        *self.budget.write().unwrap_or_else(PoisonError::into_inner) = budget;
    }

    /// The budget of the settings in force.
    pub(crate) fn budget(&self) -> Budget {
        *self.budget.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> &ConnectionCounts {
        &self.counts
    }

    /// Resolves when a connection may be accepted: there is a descriptor for it, or a slot to refuse
    /// it in.
    pub(crate) async fn ready_to_accept(&self) {
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            self.make_room();
            if self.used() < self.budget().most_accepted() {
                return;
            }
            if self.evictions.load(Ordering::Relaxed) == 0 {
                if self.refusals.load(Ordering::Relaxed) < REFUSALS {
                    return;
                }
                self.next_refusal.notify_waiters();
            }
            tokio::select! {
                () = returned => {}
                () = tokio::time::sleep(LONGEST_PAUSE) => {}
            }
        }
    }

    /// Resolves when every connection has had the response to its first request and waits for the next:
    /// nothing is lost if they all end now. No connection may be accepted meanwhile.
    pub(crate) async fn quiet(&self) {
        // Upgraded connections have become sessions and are not counted here; those of HTTP/2 stay.
        while self.connections() > self.queue.idle() + self.only_sessions.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Admits an accepted connection, if there is a descriptor for it.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<ConnectionPermit> {
        if !self.make_room_below(self.budget().most_accepted()) {
            self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(ConnectionState::new(Arc::clone(&self.queue)));
        state.begin_idling();
        let limiter = Arc::clone(self);
        Some(ConnectionPermit { limiter, state })
    }

    /// Admits a request of this connection, if there is a descriptor for it.
    pub(crate) fn begin_request(
        self: &Arc<Self>,
        state: &ConnectionState,
    ) -> Option<RequestPermit> {
        if state.request_began() {
            // The request came before the eviction took effect.
            self.evictions.fetch_sub(1, Ordering::Relaxed);
        }
        self.make_room_below(self.budget().most()).then(|| {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let limiter = Arc::clone(self);
            RequestPermit { limiter }
        })
    }

    /// A session begins that has no connection of its client for itself.
    pub(crate) fn share_descriptor(&self) {
        self.sharing.fetch_add(1, Ordering::Relaxed);
    }

    /// Such a session has ended.
    pub(crate) fn return_share(&self) {
        self.sharing.fetch_sub(1, Ordering::Relaxed);
    }

    /// A connection has sessions and no requests from now on, or not any more.
    pub(crate) fn note_only_sessions(&self, has_only_sessions: bool) {
        match has_only_sessions {
            true => self.only_sessions.fetch_add(1, Ordering::Relaxed),
            false => self.only_sessions.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// Takes one of the slots in which connections are refused, if one is free.
    pub(crate) fn refuse(self: &Arc<Self>) -> Option<RefusalSlot> {
        let order = Ordering::Relaxed;
        let more = |refusals: usize| (refusals < REFUSALS).then_some(refusals + 1);
        self.refusals.fetch_update(order, order, more).ok()?;
        let limiter = Arc::clone(self);
        Some(RefusalSlot { limiter })
    }

    /// Admits an idle connection to a server, unless clients need the room.
    pub(crate) fn admit_idle(self: &Arc<Self>) -> Option<IdlePermit> {
        if self.used() >= self.budget().mark() {
            return None;
        }
        self.idle_upstream.fetch_add(1, Ordering::Relaxed);
        let limiter = Arc::clone(self);
        Some(IdlePermit { limiter })
    }

    /// Makes room if need be; true if one more descriptor may be taken where `most` is the limit.
    fn make_room_below(&self, most: usize) -> bool {
        self.make_room();
        let evictions = self.evictions.load(Ordering::Relaxed).min(OVERLAP);
        self.used().saturating_sub(evictions) < most
    }

    /// Evicts the connections that have been idle for longest while there are too many.
    fn make_room(&self) {
        let mark = self.budget().mark();
        // One descriptor is needed; two evictions get ahead of further clients.
        for _ in 0..2 {
            let evictions = self.evictions.load(Ordering::Relaxed);
            if self.used().saturating_sub(evictions) < mark {
                return;
            }
            // Counted first: the connection may be closed at once.
            self.evictions.fetch_add(1, Ordering::Relaxed);
            if !self.queue.evict_oldest() {
                self.evictions.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// The descriptors in use.
    fn used(&self) -> usize {
        let sessions = Budget::of_sessions(self.gate.handle().open_sessions());
        self.connections.load(Ordering::Relaxed)
            + self.requests.load(Ordering::Relaxed)
            + self.idle_upstream.load(Ordering::Relaxed)
            + sessions.saturating_sub(self.sharing.load(Ordering::Relaxed))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts an evicted connection, and logs from time to time how many there were.
    pub(crate) fn count_reclaimed(&self) {
        self.counts.reclaimed.fetch_add(1, Ordering::Relaxed);
        if self.log_interval.admit() {
            self.report();
        }
    }

    /// Logs the evictions since the last log line.
    pub(crate) fn report(&self) {
        let reclaimed = self.counts.reclaimed.load(Ordering::Relaxed);
        let reported = self.reported.fetch_max(reclaimed, Ordering::Relaxed);
        let closed = reclaimed.saturating_sub(reported);
        if closed > 0 {
            let connections = self.connections();
            tracing::warn!(
                reason = "overload",
                closed,
                connections,
                "connections without a request are closed to make room"
            );
        }
    }

    fn return_one(&self, count: &AtomicUsize) {
        count.fetch_sub(1, Ordering::Relaxed);
        self.returned.notify_waiters();
    }
}

impl fmt::Debug for ConnectionLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionLimiter")
            .field("budget", &self.budget())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl ConnectionPermit {
    pub(crate) fn limiter(&self) -> &Arc<ConnectionLimiter> {
        &self.limiter
    }

    pub(crate) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if self.state.stop_idling() {
            self.limiter.evictions.fetch_sub(1, Ordering::Relaxed);
        }
        self.limiter.return_one(&self.limiter.connections);
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.limiter.return_one(&self.limiter.requests);
    }
}

impl Drop for IdlePermit {
    fn drop(&mut self) {
        self.limiter.return_one(&self.limiter.idle_upstream);
    }
}

impl RefusalSlot {
    /// Resolves when another connection needs the slot.
    pub(crate) async fn needed(&self) {
        self.limiter.next_refusal.notified().await;
    }
}

impl Drop for RefusalSlot {
    fn drop(&mut self) {
        self.limiter.return_one(&self.limiter.refusals);
    }
}

#[cfg(test)]
mod tests;
