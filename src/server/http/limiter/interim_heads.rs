//! Interim answers (1xx) on their way to a client.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use tokio::sync::Notify;

/// The interim answers to a request that is being answered, until its connection writes them.
///
/// They may only stand in front of the head of the response (RFC 9110 §15.2).
#[derive(Debug, Default)]
pub(crate) struct InterimHeads {
    heads: Mutex<Heads>,
    added: Notify,
}

/// One of them.
pub(crate) type InterimHead = (StatusCode, HeaderMap);

#[derive(Debug, Default)]
struct Heads {
    waiting: Vec<InterimHead>,
    /// The response itself is being written.
    has_response: bool,
}

impl InterimHeads {
    /// A request begins: whatever is left was for the one before.
    pub(super) fn begin(&self) {
        *self.heads() = Heads::default();
    }

    /// The last of them has been added.
    pub(crate) fn end(&self) {
        self.heads().has_response = true;
    }

    /// Adds an interim answer.
    pub(crate) fn add(&self, status: StatusCode, headers: HeaderMap) {
        let mut heads = self.heads();
        if !heads.has_response {
            heads.waiting.push((status, headers));
            self.added.notify_one();
        }
    }

    /// Resolves when there is one to take.
    pub(crate) async fn added(&self) {
        while self.heads().waiting.is_empty() {
            self.added.notified().await;
        }
    }

    /// What is to be written in front of the response.
    pub(crate) fn take(&self) -> Vec<InterimHead> {
        std::mem::take(&mut self.heads().waiting)
    }

    /// Drops what comes too late: the response is being written.
    pub(crate) fn drop_late(&self) {
        let mut heads = self.heads();
        if heads.has_response {
            heads.waiting = Vec::new();
        }
    }

    // Socket and service are parts of one task, and a server's connection of another one of the same thread.
    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
