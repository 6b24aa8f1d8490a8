//! Whether anything waits for a server of the engine.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// Open, nothing waits for the server, until a probe in the background has succeeded.
#[derive(Debug)]
pub(super) struct Breaker {
    is_open: AtomicBool,
    /// Answers in a row that did not come in time.
    late: AtomicU32,
    opened: Notify,
}

/// So many answers in a row that do not come in time open the breaker. One may be lost to chance.
const LATE: u32 = 3;

impl Breaker {
    /// An open one: nothing is known of the server.
    pub(super) fn new() -> Self {
        Self {
            is_open: AtomicBool::new(true),
            late: AtomicU32::new(0),
            opened: Notify::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// The server has answered in time.
    pub(super) fn note_answer(&self) {
        // Seldom written, so that handshakes of many threads only read it.
        if self.late.load(Ordering::Relaxed) > 0 {
            self.late.store(0, Ordering::Relaxed);
        }
    }

    /// An answer did not come in time.
    pub(super) fn note_late(&self) {
        if self.late.fetch_add(1, Ordering::Relaxed) + 1 >= LATE {
            self.open();
        }
    }

    /// The connection is lost, or the server does not do what it is to do.
    pub(super) fn open(&self) {
        if !self.is_open.swap(true, Ordering::Release) {
            self.opened.notify_one();
        }
    }

    /// A probe has succeeded.
    pub(super) fn close(&self) {
        self.late.store(0, Ordering::Relaxed);
        self.is_open.store(false, Ordering::Release);
    }

    /// Waits until the breaker opens. There is one who waits.
    pub(super) async fn opened(&self) {
        while !self.is_open() {
            self.opened.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn late_answers_in_a_row_open_it_and_only_a_probe_closes_it() {
        let breaker = Breaker::new();
        assert!(breaker.is_open());
        breaker.close();
        for _ in 0..3 {
            breaker.note_late();
            breaker.note_late();
            assert!(!breaker.is_open());
            breaker.note_answer();
        }
        assert_eq!(breaker.opened().now_or_never(), None);
        for _ in 0..LATE {
            breaker.note_late();
        }
        assert!(breaker.is_open());
        assert_eq!(breaker.opened().now_or_never(), Some(()));
        // An answer to what was sent before is no probe.
        breaker.note_answer();
        assert!(breaker.is_open());
        breaker.close();
        breaker.note_late();
        assert!(!breaker.is_open());
        breaker.open();
        assert!(breaker.is_open());
    }
}
