//! Room for connections that are not sessions: how many there are, and which has to go.
//!
//! Whoever opens connections and sends nothing takes a descriptor each. Before those run out, the
//! connection that has waited longest for its request is closed. One whose request is being
//! answered never is, and a session even less.

mod waiting;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use waiting::Waiting;
pub(crate) use waiting::{Fault, Watch};

use crate::Gate;
use crate::server::listener::descriptors::{Budget, REFUSALS};

/// What the connections of the process share.
pub(crate) struct Room {
    /// That of the settings of the moment.
    budget: RwLock<Budget>,
    gate: Gate,
    /// Descriptors of clients that are not sessions.
    connections: AtomicUsize,
    /// Requests that are being answered: each may have a connection to a server.
    requests: AtomicUsize,
    /// Connections to servers that wait for a plain request.
    idle_upstream: AtomicUsize,
    /// Connections that are refused and have not gone yet.
    refusals: AtomicUsize,
    /// Another one is to be refused, and has no slot.
    next_refusal: Notify,
    /// Connections that were told to go and have not gone yet.
    leaving: AtomicUsize,
    waiting: Arc<Waiting>,
    given_back: Notify,
    counts: Counts,
    told: Mutex<Told>,
}

/// How connections ended that never became sessions. Each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Closed while they waited for a request, to make room.
    pub(crate) reclaimed: AtomicU64,
    /// Closed at once, because nothing could be closed for them.
    pub(crate) turned_away: AtomicU64,
    /// Closed at the deadline without having sent anything of a first request.
    pub(crate) silent: AtomicU64,
    /// Closed at the deadline in the middle of a request's head.
    pub(crate) late: AtomicU64,
    /// Cut off because they took no byte of an answer.
    pub(crate) slow: AtomicU64,
}

/// What the log knows of the connections that were closed to make room.
#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    reclaimed: u64,
}

/// A connection's place, until it ends or becomes a session.
pub(crate) struct Place {
    room: Arc<Room>,
    watch: Arc<Watch>,
}

/// A request that is being answered.
pub(crate) struct RequestPlace {
    room: Arc<Room>,
}

/// An idle connection to a server.
pub(crate) struct IdlePlace {
    room: Arc<Room>,
}

/// The slot of a connection that is refused, until it is closed.
pub(crate) struct RefusalSlot {
    room: Arc<Room>,
}

/// Connections on their way out that are taken for gone already: the process has as many
/// descriptors to spare.
const OVERLAP: usize = 4;

/// The longest that nothing is accepted while a place is about to be given back.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Between two looks whether connections are quiet.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The least time between two log lines about connections that were closed.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

impl Room {
    pub(crate) fn new(gate: Gate, budget: Budget) -> Arc<Self> {
        Arc::new(Self {
            budget: RwLock::new(budget),
            gate,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            idle_upstream: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            next_refusal: Notify::new(),
            leaving: AtomicUsize::new(0),
            waiting: Waiting::new(),
            given_back: Notify::new(),
            counts: Counts::default(),
            told: Mutex::default(),
        })
    }

    /// Goes by another budget from now on. Who is there stays, unless room is needed.
    pub(crate) fn renew(&self, budget: Budget) {
        *self.budget.write().unwrap_or_else(PoisonError::into_inner) = budget;
    }

    /// What there is room for.
    pub(crate) fn budget(&self) -> Budget {
        *self.budget.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Resolves when a connection may be accepted: when there is a descriptor for it, or a slot to
    /// refuse it in.
    pub(crate) async fn has_place(&self) {
        loop {
            let given_back = self.given_back.notified();
            tokio::pin!(given_back);
            given_back.as_mut().enable();
            self.make_room();
            if self.used() < self.budget().most_accepted() {
                return;
            }
            if self.leaving.load(Ordering::Relaxed) == 0 {
                if self.refusals.load(Ordering::Relaxed) < REFUSALS {
                    return;
                }
                self.next_refusal.notify_waiters();
            }
            tokio::select! {
                () = given_back => {}
                () = tokio::time::sleep(LONGEST_PAUSE) => {}
            }
        }
    }

    /// Resolves when every connection has had the answer to its first request, and none is in another:
    /// when nothing would be lost if they all ended. Nobody may be accepted meanwhile.
    pub(crate) async fn is_quiet(&self) {
        // Those that are upgraded are sessions by then.
        while self.connections() > self.waiting.idle() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Takes a place for a connection that was accepted, if there is one.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Place> {
        if !self.is_open(self.budget().most_accepted()) {
            self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        let watch = Arc::new(Watch::new(Arc::clone(&self.waiting)));
        watch.begin_waiting();
        let room = Arc::clone(self);
        Some(Place { room, watch })
    }

    /// Begins to answer a request of this connection, if there is a descriptor for it.
    pub(crate) fn begin_request(self: &Arc<Self>, watch: &Watch) -> Option<RequestPlace> {
        if watch.asked() {
            // It was just told to go, but its request came first.
            self.leaving.fetch_sub(1, Ordering::Relaxed);
        }
        self.is_open(self.budget().most()).then(|| {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let room = Arc::clone(self);
            RequestPlace { room }
        })
    }

    /// Takes a slot for a connection that is refused, if there is one.
    pub(crate) fn refuse(self: &Arc<Self>) -> Option<RefusalSlot> {
        let order = Ordering::Relaxed;
        let more = |refusals: usize| (refusals < REFUSALS).then_some(refusals + 1);
        self.refusals.fetch_update(order, order, more).ok()?;
        let room = Arc::clone(self);
        Some(RefusalSlot { room })
    }

    /// Takes a place for an idle connection to a server, unless room is needed.
    pub(crate) fn keep_idle(self: &Arc<Self>) -> Option<IdlePlace> {
        if self.used() >= self.budget().mark() {
            return None;
        }
        self.idle_upstream.fetch_add(1, Ordering::Relaxed);
        let room = Arc::clone(self);
        Some(IdlePlace { room })
    }

    /// Whether one descriptor more can be had where so many are the most.
    fn is_open(&self, most: usize) -> bool {
        self.make_room();
        let leaving = self.leaving.load(Ordering::Relaxed).min(OVERLAP);
        self.used().saturating_sub(leaving) < most
    }

    /// Tells the connections that have waited longest to go, for as long as there are too many.
    fn make_room(&self) {
        let mark = self.budget().mark();
        // Two at most: what is asked for is one.
        for _ in 0..2 {
            let leaving = self.leaving.load(Ordering::Relaxed);
            if self.used().saturating_sub(leaving) < mark {
                return;
            }
            // Before the connection can be gone.
            self.leaving.fetch_add(1, Ordering::Relaxed);
            if !self.waiting.tell_oldest() {
                self.leaving.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// The descriptors that are taken by what comes and goes.
    fn used(&self) -> usize {
        let sessions = self.gate.handle().open_sessions();
        self.connections.load(Ordering::Relaxed)
            + self.requests.load(Ordering::Relaxed)
            + self.idle_upstream.load(Ordering::Relaxed)
            + Budget::of_sessions(sessions)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection that was closed to make room, and says so now and then.
    pub(crate) fn count_reclaimed(&self) {
        self.counts.reclaimed.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let silent = told.at.map(|then| now.duration_since(then));
        if silent.is_none_or(|silent| silent >= REPORT_INTERVAL) {
            told.at = Some(now);
            self.tell(&mut told);
        }
    }

    /// Tells the log of the connections that were closed since it was last told.
    pub(crate) fn report(&self) {
        self.tell(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, told: &mut Told) {
        let reclaimed = self.counts.reclaimed.load(Ordering::Relaxed);
        let closed = reclaimed - told.reclaimed;
        if closed > 0 {
            told.reclaimed = reclaimed;
            let connections = self.connections();
            tracing::warn!(
                reason = "overload",
                closed,
                connections,
                "connections without a request are closed to make room"
            );
        }
    }

    fn give_back(&self, count: &AtomicUsize) {
        count.fetch_sub(1, Ordering::Relaxed);
        self.given_back.notify_waiters();
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("budget", &self.budget())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Place {
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.watch.stop_waiting() {
            self.room.leaving.fetch_sub(1, Ordering::Relaxed);
        }
        self.room.give_back(&self.room.connections);
    }
}

impl Drop for RequestPlace {
    fn drop(&mut self) {
        self.room.give_back(&self.room.requests);
    }
}

impl Drop for IdlePlace {
    fn drop(&mut self) {
        self.room.give_back(&self.room.idle_upstream);
    }
}

impl RefusalSlot {
    /// Resolves when another connection is to be refused and has no slot.
    pub(crate) async fn needed(&self) {
        self.room.next_refusal.notified().await;
    }
}

impl Drop for RefusalSlot {
    fn drop(&mut self) {
        self.room.give_back(&self.room.refusals);
    }
}

#[cfg(test)]
mod tests;
