//! Which of a session's legs has woken its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// What a leg's socket wakes: the session's task, which then knows for which leg it was. A leg that
/// did not ring is not looked at, as its socket would only say again whom to wake.
#[derive(Debug)]
pub(super) struct Bell {
    waker: Waker,
    ring: Option<Arc<Ring>>,
}

#[derive(Debug)]
struct Ring {
    task: Waker,
    rung: AtomicBool,
}

impl Bell {
    /// A bell that nobody hears yet.
    pub(super) fn unheard() -> Self {
        Self {
            waker: Waker::noop().clone(),
            ring: None,
        }
    }

    /// A bell that wakes this task. It has rung already: nobody has looked at the leg since.
    pub(super) fn of(task: &Waker) -> Self {
        let ring = Arc::new(Ring {
            task: task.clone(),
            rung: AtomicBool::new(true),
        });
        Self {
            waker: Arc::clone(&ring).into(),
            ring: Some(ring),
        }
    }

    /// What the leg's socket is polled with.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Whether it has rung since this was last asked. Asked before the socket is polled, it misses
    /// nothing: what makes the socket ready later rings again.
    pub(super) fn has_rung(&self) -> bool {
        self.ring.as_ref().is_some_and(|ring| {
            ring.rung.load(Ordering::Relaxed) && ring.rung.swap(false, Ordering::Acquire)
        })
    }
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}
