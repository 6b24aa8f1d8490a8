//! Idle connections, in the order in which they are evicted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::interim_heads::InterimHeads;
use crate::config::Timeouts;

/// The state of one HTTP connection, shared by its socket, its requests and the limiter.
pub(crate) struct ConnectionState {
    queue: Arc<IdleQueue>,
    /// The number of its entry in the queue, [`BUSY`] or [`EVICTED`].
    entry: AtomicU64,
    /// Since when it is idle, in milliseconds since [`IdleQueue::began`].
    idle_since: AtomicU64,
    /// There was a request.
    had_request: AtomicBool,
    /// A response has been written and not been flushed.
    has_unread_response: AtomicBool,
    /// In milliseconds.
    write_limit: AtomicU64,
    peer: AtomicU8,
    /// Its end would be taken for the end of a response.
    requires_reset: AtomicBool,
    /// The end of a forwarded request has told that its client is slow.
    told_slow: AtomicBool,
    evicted: Notify,
    interim: InterimHeads,
}

/// What a connection's socket knows of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PeerState {
    Present,
    /// It ended the connection.
    Gone,
    /// It read nothing of a response for too long.
    Slow,
}

/// A request is being answered.
const BUSY: u64 = 0;

/// It has to close.
const EVICTED: u64 = u64::MAX;

/// All idle connections. The entry of one that is idle no more stays until it is reached or swept out.
pub(super) struct IdleQueue {
    queue: Mutex<Queue>,
    began: Instant,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    last: u64,
    /// How many entries were left by the last sweep.
    swept: usize,
}

struct Entry {
    number: u64,
    state: Weak<ConnectionState>,
}

/// Where in the queue a connection begins.
enum Turn {
    First,
    Last,
}

/// Stale entries are swept out when there are twice as many entries as the last sweep left, and this
/// many more.
const SWEEP: usize = 64;

impl IdleQueue {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn begin(&self, state: &Arc<ConnectionState>, turn: Turn) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Connections are only evicted under the lock.
        if state.entry.load(Ordering::Acquire) == EVICTED {
            return;
        }
        if queue.entries.len() >= 2 * queue.swept + SWEEP {
            queue.entries.retain(Entry::is_current);
            queue.swept = queue.entries.len();
        }
        queue.last += 1;
        let number = queue.last;
        state.entry.store(number, Ordering::Release);
        let state = Arc::downgrade(state);
        let entry = Entry { number, state };
        match turn {
            Turn::First => queue.entries.push_front(entry),
            Turn::Last => queue.entries.push_back(entry),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.lock().unwrap().entries.len()
    }

    /// How many have had a request and wait for the next.
    pub(super) fn idle(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |entry: &&Entry| entry.connection().is_some_and(|state| state.had_request());
        queue.entries.iter().filter(idle).count()
    }

    /// Evicts the first connection; false if none is idle.
    pub(super) fn evict_oldest(&self) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Entry { number, state }) = queue.entries.pop_front() {
            if state.upgrade().is_some_and(|state| state.evict(number)) {
                return true;
            }
        }
        false
    }
}

impl Entry {
    fn is_current(&self) -> bool {
        self.connection().is_some()
    }

    /// The connection, if this is still its entry.
    fn connection(&self) -> Option<Arc<ConnectionState>> {
        let state = self.state.upgrade()?;
        (state.entry.load(Ordering::Acquire) == self.number).then_some(state)
    }
}

impl ConnectionState {
    pub(super) fn new(queue: Arc<IdleQueue>) -> Self {
        Self {
            queue,
            entry: AtomicU64::new(BUSY),
            idle_since: AtomicU64::new(0),
            had_request: AtomicBool::new(false),
            has_unread_response: AtomicBool::new(false),
            write_limit: AtomicU64::new(millis(Timeouts::default().write)),
            peer: AtomicU8::new(PeerState::Present as u8),
            requires_reset: AtomicBool::new(false),
            told_slow: AtomicBool::new(false),
            evicted: Notify::new(),
            interim: InterimHeads::default(),
        }
    }

    /// A connection that waits for its first request, without a limiter.
    #[cfg(test)]
    pub(crate) fn idle_alone() -> Arc<Self> {
        let state = Arc::new(Self::new(IdleQueue::new()));
        state.begin_idling();
        state
    }

    /// It waits for a request from now on.
    pub(super) fn begin_idling(self: &Arc<Self>) {
        self.wait_anew();
        self.queue.begin(self, Turn::Last);
    }

    /// It waits for a request from now on, in the turn that it has.
    pub(crate) fn wait_anew(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
    }

    /// It has had its last response, and is evicted before all others.
    pub(crate) fn begin_lingering(self: &Arc<Self>) {
        self.queue.begin(self, Turn::First);
    }

    /// It is idle no more; true if it was evicted.
    pub(super) fn stop_idling(&self) -> bool {
        self.has_unread_response.store(false, Ordering::Relaxed);
        self.entry.swap(BUSY, Ordering::AcqRel) == EVICTED
    }

    /// A request has come; true if the connection was evicted.
    pub(crate) fn request_began(&self) -> bool {
        self.had_request.store(true, Ordering::Relaxed);
        self.interim.begin();
        self.stop_idling()
    }

    /// Whether there ever was a request.
    pub(crate) fn had_request(&self) -> bool {
        self.had_request.load(Ordering::Relaxed)
    }

    /// The interim answers to the request.
    pub(crate) fn interim(&self) -> &InterimHeads {
        &self.interim
    }

    /// There is a response to the request.
    pub(crate) fn response_began(&self) {
        self.interim.end();
    }

    /// A response has been written; the connection is idle once that is flushed.
    pub(crate) fn response_written(&self) {
        self.has_unread_response.store(true, Ordering::Relaxed);
    }

    /// Whether a response has been written and not been flushed.
    pub(crate) fn has_unread_response(&self) -> bool {
        self.has_unread_response.load(Ordering::Relaxed)
    }

    /// All that was written has been flushed; true if the connection is idle since then.
    pub(crate) fn response_flushed(self: &Arc<Self>) -> bool {
        let is_over = self.has_unread_response();
        if is_over {
            self.has_unread_response.store(false, Ordering::Relaxed);
            self.begin_idling();
        }
        is_over
    }

    /// Whether no request is being answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.entry.load(Ordering::Acquire) != BUSY
    }

    /// Since when it is idle, to the millisecond.
    pub(crate) fn idle_since(&self) -> Instant {
        self.queue.began + Duration::from_millis(self.idle_since.load(Ordering::Relaxed))
    }

    /// For how long it has been idle.
    pub(crate) fn idle_time(&self) -> Duration {
        self.idle_since().elapsed()
    }

    /// Evicts it if this is still its entry.
    fn evict(&self, number: u64) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let entry = &self.entry;
        let evicted = entry
            .compare_exchange(number, EVICTED, success, failure)
            .is_ok();
        if evicted {
            self.evicted.notify_one();
        }
        evicted
    }

    /// Resolves when it is evicted.
    pub(crate) async fn evicted(&self) {
        while self.entry.load(Ordering::Acquire) != EVICTED {
            // A request may have come first; then the connection stays.
            self.evicted.notified().await;
        }
    }

    pub(crate) fn write_limit(&self) -> Duration {
        Duration::from_millis(self.write_limit.load(Ordering::Relaxed))
    }

    pub(crate) fn set_write_limit(&self, limit: Duration) {
        self.write_limit.store(millis(limit), Ordering::Relaxed);
    }

    pub(crate) fn peer(&self) -> PeerState {
        match self.peer.load(Ordering::Relaxed) {
            peer if peer == PeerState::Gone as u8 => PeerState::Gone,
            peer if peer == PeerState::Slow as u8 => PeerState::Slow,
            _ => PeerState::Present,
        }
    }

    pub(crate) fn set_peer(&self, peer: PeerState) {
        self.peer.store(peer as u8, Ordering::Relaxed);
    }

    /// A response has broken off whose client would not notice: the end of the connection has to say so.
    pub(crate) fn require_reset(&self) {
        self.requires_reset.store(true, Ordering::Relaxed);
    }

    pub(crate) fn requires_reset(&self) -> bool {
        self.requires_reset.load(Ordering::Relaxed)
    }

    /// The end of a forwarded request tells that the client is slow, so that the end of the connection need
    /// not.
    pub(crate) fn slow_response_told(&self) {
        self.told_slow.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_slow_response_told(&self) -> bool {
        self.told_slow.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        millis(Instant::now().duration_since(self.queue.began))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
