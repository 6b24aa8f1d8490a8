//! The places for streams on one connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio_util::task::TaskTracker;

use super::unprocessed::is_unprocessed;

/// How many streams a connection has, and whether it takes more.
#[derive(Debug)]
pub(super) struct Places(Mutex<State>);

#[derive(Debug)]
struct State {
    /// `None` once the connection takes no more streams.
    sender: Option<SendRequest<Bytes>>,
    /// Places taken.
    streams: usize,
    /// The most streams that the server has taken, if it has refused one more than that.
    refused_above: usize,
    /// A place was taken since the driver asked last.
    was_used: bool,
}

/// A place for one stream, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) permit: StreamPermit,
    /// What belongs to the connection.
    pub(super) tasks: TaskTracker,
}

/// A stream's share of its connection.
#[derive(Debug)]
pub(super) struct StreamPermit(Arc<Places>);

/// The most streams on one connection, whatever its server allows. So many share the fate of one socket.
pub(super) const MOST_STREAMS: usize = 100;

impl Places {
    pub(super) fn new(sender: SendRequest<Bytes>) -> Self {
        Self(Mutex::new(State {
            sender: Some(sender),
            streams: 0,
            refused_above: usize::MAX,
            was_used: true,
        }))
    }

    /// Takes a place for a stream, if the server takes another one.
    pub(super) fn take(self: &Arc<Self>, tasks: &TaskTracker) -> Option<Place> {
        let mut state = self.state();
        let taken = state.streams;
        let most = state.refused_above.min(MOST_STREAMS);
        let sender = state.sender.as_mut()?;
        // An error is a GOAWAY of the server, or that all stream identifiers are used.
        if let Poll::Ready(Err(_)) = sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
            state.sender = None;
            return None;
        }
        if taken >= most.min(sender.current_max_send_streams()) {
            return None;
        }
        let sender = sender.clone();
        state.streams += 1;
        state.was_used = true;
        drop(state);
        let permit = StreamPermit(Arc::clone(self));
        Some(Place {
            sender,
            permit,
            tasks: tasks.clone(),
        })
    }

    /// Whether there are streams or room for some.
    pub(super) fn is_there(&self) -> bool {
        let state = self.state();
        state.sender.is_some() || state.streams > 0
    }

    /// Takes no more streams.
    pub(super) fn end(&self) {
        self.state().sender = None;
    }

    /// Takes no more streams if there are none, and have been none since the last call.
    pub(super) fn end_if_idle(&self) {
        let mut state = self.state();
        if state.streams == 0 && !state.was_used {
            state.sender = None;
        }
        state.was_used = state.streams > 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether the server has enabled WebSockets (RFC 8441 §3).
    pub(super) fn enables_websockets(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }
}

impl StreamPermit {
    /// The server has not processed the request for this reason: the connection takes no more streams after a GOAWAY,
    /// and no more than it has beside this one after a `REFUSED_STREAM`.
    pub(super) fn note_failure(&self, error: &h2::Error) {
        if !is_unprocessed(error) {
            return;
        }
        if error.is_go_away() {
            return self.end_connection();
        }
        let mut state = self.0.state();
        let others = state.streams.saturating_sub(1);
        state.refused_above = state.refused_above.min(others);
        if others == 0 {
            state.sender = None;
        }
    }

    /// The server takes no more streams on this connection.
    pub(super) fn end_connection(&self) {
        self.0.end();
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.state().streams -= 1;
    }
}
