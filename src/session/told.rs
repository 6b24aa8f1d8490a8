//! What listeners are told of a session.

#[cfg(feature = "otel")]
use std::sync::Arc;

use super::registry::{Place, Record};
use crate::close::CloseReason;
use crate::events::{Ending, Kind, Session, What};

impl Place {
    /// The session has its place.
    pub(super) fn tell_open(&self) {
        let record = self.record();
        let route = Some(&*record.subject.route);
        self.events()
            .tell(Kind::Open, route, || What::Open(session(record)));
    }

    /// The session has left its place.
    pub(super) fn tell_close(&self, reason: &CloseReason) {
        let record = self.record();
        let route = Some(&*record.subject.route);
        self.events().tell(Kind::Close, route, || {
            What::Close(session(record), ending(record, reason))
        });
    }

    /// The session has left its place, which is the end of its span.
    #[cfg(feature = "otel")]
    pub(super) fn end_trace(&mut self, reason: &CloseReason) {
        let record = Arc::clone(self.record());
        self.trace().ended(|| ending(&record, reason));
    }
}

fn session(record: &Record) -> Session {
    let subject = &record.subject;
    Session {
        id: record.id,
        route: subject.route.clone(),
        client: subject.client,
        peer: subject.peer,
        upstream: subject.upstream.clone(),
        server: subject.server.clone(),
        opened: record.opened_at,
    }
}

fn ending(record: &Record, reason: &CloseReason) -> Ending {
    let moved = record.traffic.load();
    Ending {
        duration: record.age(),
        messages_from_client: moved.messages_from_client,
        bytes_from_client: moved.bytes_from_client,
        messages_from_upstream: moved.messages_from_upstream,
        bytes_from_upstream: moved.bytes_from_upstream,
        closed_by: reason.closed_by(),
        code: reason.client_code().map(|code| code.get()),
        reason: reason.as_str(),
    }
}
