//! What listeners are told of a session.

#[cfg(feature = "otel")]
use std::sync::Arc;

use super::registry::{SessionEntry, SessionGuard};
use crate::close::CloseReason;
use crate::events::{Ending, Kind, Session, What};

impl SessionGuard {
    /// The session has its place.
    pub(super) fn emit_open(&self) {
        let entry = self.entry();
        let route = Some(&*entry.metadata.route);
        self.events()
            .tell(Kind::Open, route, || What::Open(session(entry)));
    }

    /// The session has left its place.
    pub(super) fn emit_close(&self, reason: &CloseReason) {
        let entry = self.entry();
        let route = Some(&*entry.metadata.route);
        self.events().tell(Kind::Close, route, || {
            What::Close(session(entry), ending(entry, reason))
        });
    }

    /// The session has left its place, which is the end of its span.
    #[cfg(feature = "otel")]
    pub(super) fn end_trace(&mut self, reason: &CloseReason) {
        let entry = Arc::clone(self.entry());
        self.trace().ended(|| ending(&entry, reason));
    }
}

fn session(entry: &SessionEntry) -> Session {
    let metadata = &entry.metadata;
    Session {
        id: entry.id,
        route: metadata.route.clone(),
        client: metadata.client,
        peer: metadata.peer,
        upstream: metadata.upstream.clone(),
        server: metadata.server.clone(),
        opened: entry.opened_at,
    }
}

fn ending(entry: &SessionEntry, reason: &CloseReason) -> Ending {
    let moved = entry.traffic.load();
    Ending {
        duration: entry.age(),
        messages_from_client: moved.messages_from_client,
        bytes_from_client: moved.bytes_from_client,
        messages_from_upstream: moved.messages_from_upstream,
        bytes_from_upstream: moved.bytes_from_upstream,
        closed_by: reason.closed_by(),
        code: reason.client_code().map(|code| code.get()),
        reason: reason.as_str(),
    }
}
