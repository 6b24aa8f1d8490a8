//! Every session of a gate: what it is, how much it moved, and how to close it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::SystemTime;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::entry::{Attention, SessionEntry, SessionMetadata};
use super::expiry::Expiry;
use super::totals::Totals;
use crate::channels::Channels;
use crate::close::CloseReason;
use crate::observe::{Closed, Event, Observers, Opened, SessionTrace};
use crate::types::{NodeId, SessionId, SessionName};
use crate::wall_clock::{ClockWatch, WallClock};

/// All sessions, each from before its 101 until both of its legs are shut.
///
/// Hyper's graceful shutdown does not see upgraded sockets; this does. It also owns their tasks.
#[derive(Debug)]
pub(crate) struct Registry {
    sessions: Mutex<SessionTable>,
    /// Sessions, and handshakes that may become one.
    permits: AtomicUsize,
    /// The most of them at once; 0 is no limit.
    max_sessions: AtomicUsize,
    draining: AtomicBool,
    pub(crate) tasks: TaskTracker,
    observers: Arc<Observers>,
    clock: WallClock,
    clock_watch: Mutex<ClockWatch>,
    pub(crate) node: NodeId,
    /// What its sessions are members of.
    pub(crate) channels: Arc<Channels>,
}

/// The live sessions, and the totals of the others: under one lock, so that each session is always
/// in one of the two.
#[derive(Debug, Default)]
struct SessionTable {
    live: HashMap<SessionId, Arc<SessionEntry>>,
    ended: Totals,
}

/// Why there is no permit for one more session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermitError {
    Full,
    Draining,
}

/// The permit for one session, given back when it is dropped.
///
/// A handshake has it from before the upstream is dialled, so that there are never more connections
/// to upstreams than there may be sessions, however slowly those answer.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    registry: Arc<Registry>,
    /// What the session will be called.
    name: SessionName,
}

/// A session's entry in the registry, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SessionGuard {
    registry: Arc<Registry>,
    /// Some until the entry is removed.
    permit: Option<SessionPermit>,
    entry: Arc<SessionEntry>,
    /// Set when the session ends by itself; otherwise its task was torn down.
    reason: Option<CloseReason>,
    trace: SessionTrace,
    /// A wait for the tasks includes this guard: the session's task may not have begun.
    _tracked: TaskTrackerToken,
}

impl Registry {
    /// `max_sessions` at once; 0 is no limit.
    pub(crate) fn new(max_sessions: usize, observers: Arc<Observers>, clock: WallClock) -> Self {
        let clock_watch = ClockWatch::new(clock.now(), Instant::now());
        Self {
            sessions: Mutex::default(),
            permits: AtomicUsize::new(0),
            max_sessions: AtomicUsize::new(max_sessions),
            draining: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            observers,
            clock,
            clock_watch: Mutex::new(clock_watch),
            node: NodeId::random(),
            channels: Arc::default(),
        }
    }

    /// The registry of a gate that nobody observes.
    #[cfg(test)]
    pub(crate) fn for_tests(max_sessions: usize, clock: WallClock) -> Self {
        Self::new(max_sessions, Arc::default(), clock)
    }

    /// Takes the permit for a session, unless the gate is full or draining.
    pub(crate) fn acquire(self: &Arc<Self>) -> Result<SessionPermit, PermitError> {
        if self.is_draining() {
            return Err(PermitError::Draining);
        }
        // Relaxed: the count guards no other memory.
        let order = Ordering::Relaxed;
        let max_sessions = self.max_sessions.load(order);
        let more = |taken: usize| (max_sessions == 0 || taken < max_sessions).then_some(taken + 1);
        match self.permits.fetch_update(order, order, more) {
            Ok(_) => Ok(SessionPermit {
                registry: Arc::clone(self),
                name: SessionName::new(self.node, SessionId::next()),
            }),
            Err(_) => Err(PermitError::Full),
        }
    }

    pub(crate) fn wall_clock(&self) -> &WallClock {
        &self.clock
    }

    /// How many sessions there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().live.len()
    }

    /// The most sessions at once, if there is a limit.
    pub(crate) fn max_sessions(&self) -> Option<usize> {
        Some(self.max_sessions.load(Ordering::Relaxed)).filter(|max_sessions| *max_sessions > 0)
    }

    /// Sessions, and handshakes that may become one.
    pub(crate) fn permits(&self) -> usize {
        self.permits.load(Ordering::Relaxed)
    }

    pub(crate) fn list(&self) -> Vec<Arc<SessionEntry>> {
        self.lock().live()
    }

    /// What all sessions came to until now. Nothing in it is ever less than it was before, but for
    /// how many sessions are open.
    pub(crate) fn totals(&self) -> Totals {
        let sessions = self.lock();
        let (live, mut totals) = (sessions.live(), sessions.ended.clone());
        // One that ends from here on is still counted as it is now, and only once.
        drop(sessions);
        live.iter()
            .for_each(|entry| totals.add_open(&entry.counts()));
        totals
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<SessionEntry>> {
        self.lock().live.get(&id).cloned()
    }

    /// Has a session end at another moment of the wall clock, or never. One that has passed ends it now.
    pub(crate) fn set_expiry(&self, id: SessionId, moment: Option<SystemTime>) -> bool {
        let entry = self.find(id);
        entry
            .inspect(|entry| {
                entry.expiry.set(moment);
                entry.request_attention();
            })
            .is_some()
    }

    /// If the wall clock was set since the last call, has every session that expires look at it. Worth
    /// calling every second: nothing else tells them.
    pub(crate) fn follow_wall_clock(&self) {
        let watch = self.clock_watch.lock();
        let mut watch = watch.unwrap_or_else(PoisonError::into_inner);
        if watch.has_stepped(self.clock.now(), Instant::now()) {
            drop(watch);
            let expiring = self.list().into_iter();
            let expiring = expiring.filter(|entry| entry.expiry.moment().is_some());
            expiring.for_each(|entry| entry.request_attention());
        }
    }

    /// Accepts no more sessions. Every session that was accepted before is in [`Registry::list`].
    pub(crate) fn stop(&self) {
        let _sessions = self.lock();
        self.draining.store(true, Ordering::Release);
    }

    /// No session will ever open or close again.
    pub(super) fn end_events(&self) {
        self.observers.end();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Allows so many sessions at once from now on. Those above that stay.
    pub(crate) fn set_max_sessions(&self, max_sessions: usize) {
        self.max_sessions.store(max_sessions, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, SessionTable> {
        // The maps are whole at every moment: a panic elsewhere cannot have left them half changed.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionTable {
    fn live(&self) -> Vec<Arc<SessionEntry>> {
        self.live.values().cloned().collect()
    }
}

impl SessionPermit {
    /// What the session will be called.
    pub(crate) fn name(&self) -> SessionName {
        self.name
    }

    /// Registers the session, unless the gate has begun to drain meanwhile. `began` is when
    /// its handshake did.
    pub(crate) fn register(
        self,
        metadata: SessionMetadata,
        expiry: Expiry,
        began: Instant,
    ) -> Result<SessionGuard, PermitError> {
        let registry = Arc::clone(&self.registry);
        let mut sessions = registry.lock();
        if registry.is_draining() {
            return Err(PermitError::Draining);
        }
        let entry = Arc::new(SessionEntry::new(self.name, metadata, expiry));
        sessions.live.insert(entry.id, Arc::clone(&entry));
        drop(sessions);
        let guard = SessionGuard {
            _tracked: registry.tasks.token(),
            registry,
            permit: Some(self),
            entry,
            reason: None,
            trace: SessionTrace::default(),
        };
        guard.registry.observers.notify(&Event::Opened(Opened {
            session: guard.entry.info(),
            handshake: guard.entry.opened - began,
        }));
        Ok(guard)
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        self.registry.permits.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SessionGuard {
    pub(crate) fn entry(&self) -> &Arc<SessionEntry> {
        &self.entry
    }

    /// Ends this span with the session.
    pub(crate) fn set_trace(&mut self, trace: SessionTrace) {
        self.trace = trace;
    }

    /// What has come since the last call; costs a load where nothing has.
    pub(super) fn take_attention(&self) -> Option<Attention> {
        self.entry.take_attention()
    }

    /// The request to close, if there is one.
    pub(super) fn close_requested(&self) -> Option<CloseReason> {
        self.entry.close_requested()
    }

    /// When to look at the wall clock next for the session's expiry.
    pub(super) fn next_expiry_check(&self, now: Instant) -> Option<Instant> {
        let wait = self.entry.expiry.wait(self.registry.clock.now());
        wait.map(|wait| now + wait)
    }

    /// Ends when the session is to be over at once; for the time before the session itself listens.
    pub(crate) async fn cut_requested(&self) {
        self.entry.cut_requested().await;
    }

    /// Sets the waker for a request; to be called before the first look for one.
    pub(super) fn set_waker(&self, waker: &Waker) {
        self.entry.set_waker(waker);
    }

    /// Ends the session's entry, for this reason.
    pub(crate) fn finish(mut self, reason: CloseReason) {
        self.reason = Some(reason);
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or(CloseReason::Internal);
        if let Some(membership) = self.entry.channels() {
            self.registry.channels.leave_all(self.entry.id, membership);
        }
        let mut sessions = self.registry.lock();
        if sessions.live.remove(&self.entry.id).is_some() {
            let entry = &self.entry;
            (sessions.ended).add_closed(&entry.counts(), entry.age(), &reason);
        }
        drop(sessions);
        // Before the line is logged: a reader of the line finds the permit free.
        drop(self.permit.take());
        let closed = Closed {
            session: self.entry.info(),
            closed_by: reason.closed_by(),
            code: reason.client_code(),
            reason: reason.as_str(),
        };
        self.trace.end(&closed);
        self.registry.observers.notify(&Event::Closed(closed));
    }
}
