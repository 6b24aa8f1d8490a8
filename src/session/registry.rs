//! Every session of a gate: who they are, how much they moved, and how to send them away.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::totals::{Totals, Traffic};
use crate::close::CloseReason;
#[cfg(feature = "server")]
use crate::events::Events;
use crate::trace::SessionTrace;
use crate::types::{ClientAddr, SessionId};

/// All sessions, each from before its 101 until both of its legs are shut.
///
/// Hyper's graceful shutdown does not see upgraded sockets; this does. It also owns their tasks.
#[derive(Debug)]
pub(crate) struct Registry {
    sessions: Mutex<Sessions>,
    /// Sessions, and handshakes that may become one.
    taken: AtomicUsize,
    /// The most of them at once; 0 is no limit.
    most: AtomicUsize,
    draining: AtomicBool,
    pub(crate) tasks: TaskTracker,
    /// Who watches live.
    #[cfg(feature = "server")]
    pub(crate) events: Arc<Events>,
}

/// Who lives, and what came of the others: under one lock, so that each session is always in one
/// of the two.
#[derive(Debug, Default)]
struct Sessions {
    live: HashMap<SessionId, Arc<Record>>,
    ended: Totals,
}

/// Why there is no place for one more session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    Full,
    Draining,
}

/// What a session is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) route: Arc<str>,
    pub(crate) client: IpAddr,
    /// The socket's peer: the client, or the nearest proxy.
    pub(crate) peer: ClientAddr,
    pub(crate) upstream: Arc<str>,
    pub(crate) server: Arc<str>,
}

/// What the registry knows of one session.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: SessionId,
    pub(crate) subject: Subject,
    pub(crate) opened: Instant,
    /// The same moment for a calendar.
    pub(crate) opened_at: SystemTime,
    pub(crate) traffic: Traffic,
    orders: Mutex<Orders>,
    /// There is an order that the session has not seen.
    ordered: AtomicBool,
}

/// What a session was told from outside, and how it is woken for it.
#[derive(Debug, Default)]
struct Orders {
    given: Option<CloseReason>,
    /// It stays here when it is used: one order may follow another.
    waker: Option<Waker>,
}

/// Room for one session, given back when it is dropped.
///
/// A handshake has it from before the upstream is dialled, so that there are never more connections
/// to upstreams than there may be sessions, however slowly those answer.
#[derive(Debug)]
pub(crate) struct Reservation {
    registry: Arc<Registry>,
}

/// One place in the registry, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    registry: Arc<Registry>,
    /// Some until the place is given back.
    reservation: Option<Reservation>,
    record: Arc<Record>,
    /// Set when the session ends by itself; otherwise its task was torn down.
    reason: Option<CloseReason>,
    trace: SessionTrace,
    /// Whoever waits for the tasks waits for this place as well: its task may not have begun.
    _tracked: TaskTrackerToken,
}

impl Registry {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            sessions: Mutex::default(),
            taken: AtomicUsize::new(0),
            most: AtomicUsize::new(most),
            draining: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            #[cfg(feature = "server")]
            events: Arc::default(),
        }
    }

    /// Keeps room for a session, unless the gate is full or draining.
    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Reservation, NoPlace> {
        if self.is_draining() {
            return Err(NoPlace::Draining);
        }
        // Relaxed: the count guards no other memory.
        let order = Ordering::Relaxed;
        let most = self.most.load(order);
        let more = |taken: usize| (most == 0 || taken < most).then_some(taken + 1);
        match self.taken.fetch_update(order, order, more) {
            Ok(_) => Ok(Reservation {
                registry: Arc::clone(self),
            }),
            Err(_) => Err(NoPlace::Full),
        }
    }

    /// How many sessions there are.
    #[cfg(feature = "server")]
    pub(crate) fn count(&self) -> usize {
        self.lock().live.len()
    }

    /// The most sessions at once, if there is a limit.
    pub(crate) fn most(&self) -> Option<usize> {
        Some(self.most.load(Ordering::Relaxed)).filter(|most| *most > 0)
    }

    /// Sessions, and handshakes that may become one.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn list(&self) -> Vec<Arc<Record>> {
        self.lock().live()
    }

    /// What all sessions came to until now. Nothing in it is ever less than it was before, but for
    /// how many sessions are open.
    pub(crate) fn totals(&self) -> Totals {
        let sessions = self.lock();
        let (live, mut totals) = (sessions.live(), sessions.ended.clone());
        // One that ends from here on is still counted as it is now, and only once.
        drop(sessions);
        live.iter().for_each(|record| totals.add_open(record));
        totals
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<Record>> {
        self.lock().live.get(&id).cloned()
    }

    /// Takes no session any more. Whoever got a place before this is in [`Registry::list`].
    pub(crate) fn stop(&self) {
        let _sessions = self.lock();
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Allows so many sessions at once from now on. Those above that stay.
    #[cfg(feature = "server")]
    pub(crate) fn allow(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // The maps are whole at every moment: a panic elsewhere cannot have left them half changed.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn live(&self) -> Vec<Arc<Record>> {
        self.live.values().cloned().collect()
    }
}

impl Reservation {
    /// Takes the place for a session, unless the gate has begun to drain meanwhile.
    pub(crate) fn enter(self, subject: Subject) -> Result<Place, NoPlace> {
        let registry = Arc::clone(&self.registry);
        let mut sessions = registry.lock();
        if registry.is_draining() {
            return Err(NoPlace::Draining);
        }
        let record = Arc::new(Record {
            id: SessionId::next(),
            subject,
            opened: Instant::now(),
            opened_at: SystemTime::now(),
            traffic: Traffic::default(),
            orders: Mutex::default(),
            ordered: AtomicBool::new(false),
        });
        sessions.live.insert(record.id, Arc::clone(&record));
        drop(sessions);
        let place = Place {
            _tracked: registry.tasks.token(),
            registry,
            reservation: Some(self),
            record,
            reason: None,
            trace: SessionTrace::default(),
        };
        log_open(&place.record);
        #[cfg(feature = "server")]
        place.tell_open();
        Ok(place)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.registry.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Record {
    /// Tells the session to end. The first order stands, but for [`CloseReason::Cut`].
    pub(crate) fn order(&self, reason: CloseReason) {
        let mut orders = self.orders();
        if orders.given.is_none() || reason == CloseReason::Cut {
            orders.given = Some(reason);
            self.ordered.store(true, Ordering::Release);
            let waker = orders.waker.clone();
            drop(orders);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// For how long no data frame has passed, in either direction; up to two seconds too much.
    pub(crate) fn idle_at(&self, age: Duration) -> Duration {
        let last_data = self.traffic.last_data.load(Ordering::Relaxed);
        age.saturating_sub(Duration::from_secs(last_data))
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    #[cfg(feature = "server")]
    pub(super) fn events(&self) -> &Events {
        &self.registry.events
    }

    /// The session is told of in this trace, when it ends.
    pub(crate) fn traced(&mut self, trace: SessionTrace) {
        self.trace = trace;
    }

    /// The trace that is told of the session's end.
    #[cfg(feature = "otel")]
    pub(super) fn trace(&mut self) -> &mut SessionTrace {
        &mut self.trace
    }

    /// The order that came since the last call; costs a load where there is none.
    pub(super) fn take_order(&self) -> Option<CloseReason> {
        let ordered = &self.record.ordered;
        if !ordered.load(Ordering::Acquire) {
            return None;
        }
        ordered.store(false, Ordering::Release);
        self.record.orders().given.clone()
    }

    /// Ends when the session is to be over at once; for the time before the session itself listens.
    pub(crate) async fn cut(&self) {
        poll_fn(|cx| {
            let mut orders = self.record.orders();
            orders.waker = Some(cx.waker().clone());
            match orders.given == Some(CloseReason::Cut) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Tells whom to wake for an order; to be called before one is looked for.
    pub(super) fn register(&self, waker: &Waker) {
        self.record.orders().waker = Some(waker.clone());
    }

    /// Gives the place back, for this reason.
    pub(crate) fn leave(mut self, reason: CloseReason) {
        self.reason = Some(reason);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or(CloseReason::Internal);
        let mut sessions = self.registry.lock();
        if sessions.live.remove(&self.record.id).is_some() {
            sessions.ended.add_closed(&self.record, &reason);
        }
        drop(sessions);
        // Whoever reads the line finds the place free.
        drop(self.reservation.take());
        log_close(&self.record, &reason);
        #[cfg(feature = "server")]
        self.tell_close(&reason);
        #[cfg(feature = "otel")]
        self.end_trace(&reason);
    }
}

/// The line of a session that has begun; the target is what `log.access` turns off.
fn log_open(record: &Record) {
    tracing::info!(
        target: "wsgate::access",
        id = %record.id,
        route = %record.subject.route,
        client = %record.subject.client,
        peer = %record.subject.peer,
        upstream = %record.subject.upstream,
        server = %record.subject.server,
        reason = "accepted",
        "session open"
    );
}

fn log_close(record: &Record, reason: &CloseReason) {
    let moved = record.traffic.load();
    tracing::info!(
        target: "wsgate::access",
        id = %record.id,
        route = %record.subject.route,
        client = %record.subject.client,
        peer = %record.subject.peer,
        upstream = %record.subject.upstream,
        server = %record.subject.server,
        duration_ms = u64::try_from(record.age().as_millis()).unwrap_or(u64::MAX),
        client_messages = moved.messages_from_client,
        client_bytes = moved.bytes_from_client,
        upstream_messages = moved.messages_from_upstream,
        upstream_bytes = moved.bytes_from_upstream,
        closed_by = reason.closed_by(),
        code = reason.client_code().map(|code| code.get()),
        reason = reason.as_str(),
        "session closed"
    );
}
