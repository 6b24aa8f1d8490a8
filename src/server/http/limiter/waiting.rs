//! The connections that wait for a request, the oldest wait first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Timeouts;

/// What is known of one connection that speaks HTTP. It is shared by the socket, the requests on
/// it, and whoever needs its place.
pub(crate) struct Watch {
    waiting: Arc<Waiting>,
    /// The number of the wait that it is in; or one of the two words below.
    wait: AtomicU64,
    /// When that wait began, in milliseconds since [`Waiting::began`].
    waits_since: AtomicU64,
    /// A request has come.
    has_asked: AtomicBool,
    /// The answer has been written, but may not have been taken.
    is_answered: AtomicBool,
    /// In milliseconds.
    write_limit: AtomicU64,
    fault: AtomicU8,
    told: Notify,
}

/// What a peer did that only its socket saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    None,
    /// It ended the connection.
    Gone,
    /// It took no byte of an answer for too long.
    Slow,
}

/// A request is being answered.
const BUSY: u64 = 0;

/// It was told to go.
const LEAVING: u64 = u64::MAX;

/// The waits of all connections. A wait that ended early stays until it is met or swept out.
pub(super) struct Waiting {
    queue: Mutex<Queue>,
    began: Instant,
}

#[derive(Default)]
struct Queue {
    waits: VecDeque<Wait>,
    last: u64,
    /// How many waits were left by the last sweep.
    swept: usize,
}

struct Wait {
    number: u64,
    watch: Weak<Watch>,
}

/// When it is a connection's turn to go.
enum Turn {
    First,
    Last,
}

/// Waits that ended are swept out when there are twice as many waits as the last sweep left, and this
/// many more.
const SWEEP: usize = 64;

impl Waiting {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn begin(&self, watch: &Arc<Watch>, turn: Turn) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is told to go but under the lock.
        if watch.wait.load(Ordering::Acquire) == LEAVING {
            return;
        }
        if queue.waits.len() >= 2 * queue.swept + SWEEP {
            queue.waits.retain(Wait::holds);
            queue.swept = queue.waits.len();
        }
        queue.last += 1;
        let number = queue.last;
        watch.wait.store(number, Ordering::Release);
        let watch = Arc::downgrade(watch);
        let wait = Wait { number, watch };
        match turn {
            Turn::First => queue.waits.push_front(wait),
            Turn::Last => queue.waits.push_back(wait),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.lock().unwrap().waits.len()
    }

    /// How many wait for another request than their first.
    pub(super) fn idle(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |wait: &&Wait| wait.holding().is_some_and(|watch| watch.has_asked());
        queue.waits.iter().filter(idle).count()
    }

    /// Tells the connection that has waited longest to go; false if none waits.
    pub(super) fn tell_oldest(&self) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Wait { number, watch }) = queue.waits.pop_front() {
            if watch.upgrade().is_some_and(|watch| watch.tell(number)) {
                return true;
            }
        }
        false
    }
}

impl Wait {
    fn holds(&self) -> bool {
        self.holding().is_some()
    }

    /// The connection, if it is still in this wait.
    fn holding(&self) -> Option<Arc<Watch>> {
        let watch = self.watch.upgrade()?;
        (watch.wait.load(Ordering::Acquire) == self.number).then_some(watch)
    }
}

impl Watch {
    pub(super) fn new(waiting: Arc<Waiting>) -> Self {
        Self {
            waiting,
            wait: AtomicU64::new(BUSY),
            waits_since: AtomicU64::new(0),
            has_asked: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
            write_limit: AtomicU64::new(millis(Timeouts::default().write)),
            fault: AtomicU8::new(Fault::None as u8),
            told: Notify::new(),
        }
    }

    /// It waits for a request, from now on.
    pub(super) fn begin_waiting(self: &Arc<Self>) {
        self.waits_since.store(self.now(), Ordering::Relaxed);
        self.waiting.begin(self, Turn::Last);
    }

    /// It has its last answer, and is the first to go from now on.
    pub(crate) fn begin_lingering(self: &Arc<Self>) {
        self.waiting.begin(self, Turn::First);
    }

    /// It waits no more; true if it had been told to go.
    pub(super) fn stop_waiting(&self) -> bool {
        self.is_answered.store(false, Ordering::Relaxed);
        self.wait.swap(BUSY, Ordering::AcqRel) == LEAVING
    }

    /// A request has come; true if it had been told to go.
    pub(super) fn asked(&self) -> bool {
        self.has_asked.store(true, Ordering::Relaxed);
        self.stop_waiting()
    }

    /// Whether there ever was a request.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// An answer has been written; it waits again once that has been taken.
    pub(crate) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
    }

    /// Whether there is an answer that has been written but not been taken.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Everything that was written has been taken.
    pub(crate) fn flushed(self: &Arc<Self>) {
        if self.is_answered() {
            self.is_answered.store(false, Ordering::Relaxed);
            self.begin_waiting();
        }
    }

    /// Whether no request is being answered.
    pub(crate) fn is_waiting(&self) -> bool {
        self.wait.load(Ordering::Acquire) != BUSY
    }

    /// For how long it has waited.
    pub(crate) fn waited(&self) -> Duration {
        let since = self.waits_since.load(Ordering::Relaxed);
        Duration::from_millis(self.now().saturating_sub(since))
    }

    /// Tells it to go if it is still in this wait.
    fn tell(&self, number: u64) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        let wait = &self.wait;
        let told = wait
            .compare_exchange(number, LEAVING, success, failure)
            .is_ok();
        if told {
            self.told.notify_one();
        }
        told
    }

    /// Resolves when it has to go to make room.
    pub(crate) async fn told_to_go(&self) {
        while self.wait.load(Ordering::Acquire) != LEAVING {
            // A request may have come first; then it stays.
            self.told.notified().await;
        }
    }

    pub(crate) fn write_limit(&self) -> Duration {
        Duration::from_millis(self.write_limit.load(Ordering::Relaxed))
    }

    pub(crate) fn set_write_limit(&self, limit: Duration) {
        self.write_limit.store(millis(limit), Ordering::Relaxed);
    }

    pub(crate) fn fault(&self) -> Fault {
        match self.fault.load(Ordering::Relaxed) {
            fault if fault == Fault::Gone as u8 => Fault::Gone,
            fault if fault == Fault::Slow as u8 => Fault::Slow,
            _ => Fault::None,
        }
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        millis(Instant::now().duration_since(self.waiting.began))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
