//! Tells which of a session's legs has woken its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// The waker of one leg's socket. It wakes the session's task and remembers that it did, so that the
/// task polls only the legs that have woken it. Polling another would only register its waker again.
#[derive(Debug)]
pub(super) struct LegWaker {
    waker: Waker,
    flag: Option<Arc<WakeFlag>>,
}

#[derive(Debug)]
struct WakeFlag {
    task: Waker,
    woken: AtomicBool,
}

impl LegWaker {
    /// A waker that wakes no task yet.
    pub(super) fn noop() -> Self {
        Self {
            waker: Waker::noop().clone(),
            flag: None,
        }
    }

    /// A waker that wakes this task. It starts as woken, because the leg has not been polled with it.
    pub(super) fn new(task: &Waker) -> Self {
        let flag = Arc::new(WakeFlag {
            task: task.clone(),
            woken: AtomicBool::new(true),
        });
        Self {
            waker: Arc::clone(&flag).into(),
            flag: Some(flag),
        }
    }

    /// The context to poll the leg's socket with.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Whether it has woken since the last call. Called before the socket is polled, it misses
    /// nothing: a socket that becomes ready later wakes it again.
    pub(super) fn take_woken(&self) -> bool {
        self.flag.as_ref().is_some_and(|flag| {
            flag.woken.load(Ordering::Relaxed) && flag.woken.swap(false, Ordering::Acquire)
        })
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}
