//! What would run on another machine.

use std::thread::{self, JoinHandle};

use rustix::process::setpriority_process;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

/// A thread of its own with the least priority: what it computes holds up nobody who matters here,
/// as it would not from another machine. It ends with this.
pub(super) struct Elsewhere {
    over: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Elsewhere {
    /// Runs a future that is made there.
    pub(super) fn run<F, T>(make: F) -> Self
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()>,
    {
        let over = CancellationToken::new();
        let end = over.clone();
        let thread = thread::spawn(move || {
            setpriority_process(None, 19).expect("less priority for this thread");
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = make() => {}
                    () = end.cancelled() => {}
                }
            });
        });
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.over.cancel();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
