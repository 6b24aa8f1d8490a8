//! Idle connections, in the order in which they are evicted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::client_state::ClientState;

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
    /// Its end would be taken for the end of a response.
    requires_reset: AtomicBool,
    evicted: Notify,
    /// Its client, for requests that share the connection one after the other.
    client: Arc<ClientState>,
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
            requires_reset: AtomicBool::new(false),
            evicted: Notify::new(),
            client: Arc::default(),
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
    pub(crate) fn begin_idling(self: &Arc<Self>) {
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
        self.client.interim().begin();
        self.stop_idling()
    }

    /// Whether there ever was a request.
    pub(crate) fn had_request(&self) -> bool {
        self.had_request.load(Ordering::Relaxed)
    }

    /// Its client.
    pub(crate) fn client(&self) -> &Arc<ClientState> {
        &self.client
    }

    /// There is a response to the request.
    pub(crate) fn response_began(&self) {
        self.client.interim().end();
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

    /// A response has broken off whose client would not notice: the end of the connection has to say so.
    pub(crate) fn require_reset(&self) {
        self.requires_reset.store(true, Ordering::Relaxed);
    }

    pub(crate) fn requires_reset(&self) -> bool {
        self.requires_reset.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        millis(Instant::now().duration_since(self.queue.began))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
