//! How TLS handshakes with clients end.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::tls::{TlsAcceptError, TlsClient};

/// The TLS handshakes with clients since the start. The counts only grow, but for the open ones.
#[derive(Debug, Default)]
pub(crate) struct TlsHandshakes {
    open: AtomicUsize,
    full_tls12: AtomicU64,
    resumed_tls12: AtomicU64,
    full_tls13: AtomicU64,
    resumed_tls13: AtomicU64,
    /// The client closed the connection.
    abandoned: AtomicU64,
    /// The connection was closed, at a deadline or for another one.
    unfinished: AtomicU64,
}

/// How many handshakes of one kind were finished.
pub(crate) struct FinishedHandshakes {
    pub(crate) version: &'static str,
    pub(crate) is_resumed: bool,
    pub(crate) count: u64,
}

/// A handshake in progress. It is unfinished if this is dropped before its end is counted.
pub(crate) struct TlsHandshake<'a> {
    all: &'a TlsHandshakes,
    is_counted: bool,
}

impl TlsHandshakes {
    /// Counts a handshake that begins.
    pub(crate) fn begin(&self) -> TlsHandshake<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        TlsHandshake {
            all: self,
            is_counted: false,
        }
    }

    /// Handshakes at the moment.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Those that were finished, by their kinds.
    pub(crate) fn finished(&self) -> [FinishedHandshakes; 4] {
        let kind = |version, is_resumed| FinishedHandshakes {
            version,
            is_resumed,
            count: self
                .finished_of(version, is_resumed)
                .load(Ordering::Relaxed),
        };
        [
            kind("1.2", false),
            kind("1.2", true),
            kind("1.3", false),
            kind("1.3", true),
        ]
    }

    /// Those that failed without a line of the log, by their reasons.
    pub(crate) fn failed_silently(&self) -> [(&'static str, u64); 2] {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("abandoned", count(&self.abandoned)),
            ("unfinished", count(&self.unfinished)),
        ]
    }

    fn finished_of(&self, version: &str, is_resumed: bool) -> &AtomicU64 {
        match (version, is_resumed) {
            ("1.3", false) => &self.full_tls13,
            ("1.3", true) => &self.resumed_tls13,
            (_, false) => &self.full_tls12,
            (_, true) => &self.resumed_tls12,
        }
    }
}

impl TlsHandshake<'_> {
    pub(crate) fn finish(mut self, client: &TlsClient) {
        self.is_counted = true;
        let finished = self.all.finished_of(client.version, client.is_resumed);
        finished.fetch_add(1, Ordering::Relaxed);
    }

    /// A failure with a reason is counted under it, where it is logged.
    pub(crate) fn fail(mut self, error: &TlsAcceptError) {
        self.is_counted = true;
        if error.reason().is_none() {
            self.all.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for TlsHandshake<'_> {
    fn drop(&mut self) {
        self.all.open.fetch_sub(1, Ordering::Relaxed);
        if !self.is_counted {
            self.all.unfinished.fetch_add(1, Ordering::Relaxed);
        }
    }
}
