//! Interim answers (1xx) on their way to a client. Hyper's server has no way to send one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};

/// The interim answers to the request that a connection is answering, until its socket writes them.
///
/// They may only stand in front of the head of the response, so the socket writes them where hyper has nothing
/// left to write (RFC 9110 §15.2).
#[derive(Debug, Default)]
pub(crate) struct InterimHeads(Mutex<Heads>);

#[derive(Debug, Default)]
struct Heads {
    text: Vec<u8>,
    /// The response itself is hyper's to write now.
    has_response: bool,
}

impl InterimHeads {
    /// A request begins: whatever is left was for the one before.
    pub(super) fn begin(&self) {
        *self.heads() = Heads::default();
    }

    /// The last of them has been added.
    pub(super) fn end(&self) {
        self.heads().has_response = true;
    }

    /// Adds an interim answer.
    pub(crate) fn add(&self, status: StatusCode, headers: &HeaderMap) {
        let mut heads = self.heads();
        if heads.has_response {
            return;
        }
        let text = &mut heads.text;
        let reason = status.canonical_reason().unwrap_or_default();
        text.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
        for (name, value) in headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
    }

    /// What is to be written where hyper has written all that it has, or is about to write the response.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.heads().text)
    }

    /// Drops what comes too late: the response is being written.
    pub(crate) fn drop_late(&self) {
        let mut heads = self.heads();
        if heads.has_response {
            heads.text = Vec::new();
        }
    }

    // Socket and service are parts of one task, and a server's connection of another one of the same thread.
    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
