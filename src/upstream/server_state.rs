//! What changes about a server while the settings stand.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::time::Instant;

use super::http2::Connections;
use super::passive::PassiveHealth;
use crate::config::Passive;

/// The live state of a server. Its pool, and the pools that follow at a reload, share it.
#[derive(Debug, Default)]
pub(super) struct ServerState {
    /// Places taken.
    in_use: AtomicU32,
    /// The server gets no new sessions.
    draining: AtomicBool,
    health: PassiveHealth,
    /// Connections of HTTP/2, which sessions and plain requests share.
    pub(super) http2: Connections,
}

/// The load of a server at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerLoad {
    /// Places in use: by sessions, handshakes and plain requests.
    pub(crate) in_use: u32,
    pub(crate) draining: bool,
    /// The server has failed, and the others are tried before it.
    pub(crate) failing: bool,
}

impl ServerState {
    pub(super) fn new(draining: bool) -> Self {
        Self {
            draining: AtomicBool::new(draining),
            ..Self::default()
        }
    }

    /// Takes a place, unless `limit` are taken.
    pub(super) fn take(&self, limit: u32, passive: Passive) -> bool {
        // Relaxed: the count guards no other memory.
        let taken = (self.in_use).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |in_use| {
            (in_use < limit).then(|| in_use + 1)
        });
        if taken.is_ok() {
            self.health.begin_try(passive, Instant::now());
        }
        taken.is_ok()
    }

    pub(super) fn give_back(&self) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn load(&self, now: Instant) -> ServerLoad {
        ServerLoad {
            in_use: self.in_use.load(Ordering::Relaxed),
            draining: self.is_draining(),
            failing: self.health.is_tried_last(now),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(super) fn set_draining(&self, draining: bool) {
        // Relaxed: a reader that must see it in time takes a lock first.
        self.draining.store(draining, Ordering::Relaxed);
    }

    /// Notes that the server has failed.
    pub(super) fn note_failure(&self, passive: Passive) {
        self.health.note_failure(passive, Instant::now());
    }

    /// Notes that the server has answered.
    pub(super) fn note_success(&self) {
        self.health.note_success();
    }
}
