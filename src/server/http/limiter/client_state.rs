//! What a request and the socket of its client know of each other.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::interim_heads::InterimHeads;
use crate::config::Timeouts;

/// The client of one request, as its connection sees it; with HTTP/1 that of all requests of a connection.
#[derive(Debug)]
pub(crate) struct ClientState {
    /// In milliseconds.
    write_limit: AtomicU64,
    peer: AtomicU8,
    /// The end of a forwarded request has told that its client is slow.
    told_slow: AtomicBool,
    interim: InterimHeads,
}

/// What a connection knows of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PeerState {
    Present,
    /// It ended the connection, or the stream of the request.
    Gone,
    /// It read nothing of a response for too long.
    Slow,
}

impl Default for ClientState {
    fn default() -> Self {
        Self {
            write_limit: AtomicU64::new(millis(Timeouts::default().write)),
            peer: AtomicU8::new(PeerState::Present as u8),
            told_slow: AtomicBool::new(false),
            interim: InterimHeads::default(),
        }
    }
}

impl ClientState {
    /// The interim answers to the request.
    pub(crate) fn interim(&self) -> &InterimHeads {
        &self.interim
    }

    pub(crate) fn write_limit(&self) -> Duration {
        Duration::from_millis(self.write_limit.load(Ordering::Relaxed))
    }

    pub(crate) fn set_write_limit(&self, limit: Duration) {
        self.write_limit.store(millis(limit), Ordering::Relaxed);
    }

    pub(crate) fn peer(&self) -> PeerState {
        match self.peer.load(Ordering::Relaxed) {
            peer if peer == PeerState::Gone as u8 => PeerState::Gone,
            peer if peer == PeerState::Slow as u8 => PeerState::Slow,
            _ => PeerState::Present,
        }
    }

    pub(crate) fn set_peer(&self, peer: PeerState) {
        self.peer.store(peer as u8, Ordering::Relaxed);
    }

    /// The end of a forwarded request tells that the client is slow, so that the end of the connection need
    /// not.
    pub(crate) fn slow_response_told(&self) {
        self.told_slow.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_slow_response_told(&self) -> bool {
        self.told_slow.load(Ordering::Relaxed)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
