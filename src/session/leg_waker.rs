//! Which of a session's legs has woken its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// What a leg's socket wakes: the session's task, which then knows for which leg it was. A leg that
/// did not ring is not looked at, as its socket would only say again whom to wake.
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
    /// A bell that nobody hears yet.
    pub(super) fn noop() -> Self {
        Self {
            waker: Waker::noop().clone(),
            flag: None,
        }
    }

    /// A bell that wakes this task. It has woken already: nobody has looked at the leg since.
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

    /// What the leg's socket is polled with.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Whether it has woken since this was last asked. Asked before the socket is polled, it misses
    /// nothing: what makes the socket ready later rings again.
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
