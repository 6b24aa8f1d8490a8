//! The lines of the log about sessions, forwarded requests and refusals. `reason` is their key: its words never change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::event::{Closed, Event, Forwarded, Refused, RequestKind};
use super::observer::Observer;
use super::session::SessionInfo;
use crate::log_throttle::LogThrottle;
use crate::request::Identity;
use crate::types::http_word;

/// Logs each session that opens and closes, each request that was forwarded, and each refusal until there are too many; then a
/// sample, with a count of the rest.
#[derive(Debug, Default)]
pub(super) struct Log {
    refusals: LogThrottle,
    /// Refusals without a line, since the beginning.
    suppressed: AtomicU64,
    /// Lines say who the client is.
    subjects: AtomicBool,
}

impl Observer for Log {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Refused(refused) => self.refused(refused),
            Event::Abandoned { .. } => {}
            Event::Opened(opened) => self.opened(&opened.session),
            Event::Closed(closed) => self.closed(closed),
            Event::Forwarded(forwarded) => self.forwarded(forwarded),
        }
    }
}

/// The target of the lines of sessions and forwarded requests is what `log.access` turns off.
impl Log {
    fn refused(&self, refused: &Refused) {
        if !self.refusals.allows() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.report_suppressed();
        let message = match refused.kind {
            Some(RequestKind::WebSocket) => "handshake rejected",
            Some(RequestKind::Plain) | None => "request rejected",
        };
        tracing::warn!(
            target: "wsgate::rejection",
            reason = refused.reason,
            status = refused.status.map(|status| status.as_u16()),
            route = refused.route.as_deref(),
            method = refused.method.as_deref(),
            path = refused.path.as_deref(),
            http_version = refused.http_version.map(http_word),
            header = refused.header.as_deref(),
            rule = refused.rule,
            line = refused.line,
            client = refused.client.map(tracing::field::display),
            peer = refused.peer.map(tracing::field::display),
            subject = self.subject(&refused.identity),
            upstream = refused.upstream.as_deref(),
            server = refused.server.as_deref(),
            error = refused.error.as_deref(),
            "{message}"
        );
    }

    fn opened(&self, session: &SessionInfo) {
        tracing::info!(
            target: "wsgate::access",
            id = %session.id,
            route = %session.route,
            client = %session.client,
            peer = %session.peer,
            subject = self.subject(&session.identity),
            tls = session.tls,
            http_version = http_word(session.http_version),
            upstream = %session.upstream,
            server = %session.server,
            reason = "accepted",
            "session open"
        );
    }

    fn closed(&self, closed: &Closed) {
        let session = &closed.session;
        tracing::info!(
            target: "wsgate::access",
            id = %session.id,
            route = %session.route,
            client = %session.client,
            peer = %session.peer,
            subject = self.subject(&session.identity),
            tls = session.tls,
            http_version = http_word(session.http_version),
            upstream = %session.upstream,
            server = %session.server,
            duration_ms = milliseconds(session.age),
            client_messages = session.messages_from_client,
            client_bytes = session.bytes_from_client,
            upstream_messages = session.messages_from_upstream,
            upstream_bytes = session.bytes_from_upstream,
            closed_by = closed.closed_by,
            code = closed.code.map(|code| code.get()),
            reason = closed.reason,
            "session closed"
        );
    }

    fn forwarded(&self, forwarded: &Forwarded) {
        tracing::info!(
            target: "wsgate::access",
            reason = forwarded.reason,
            status = forwarded.status.map(|status| status.as_u16()),
            method = %forwarded.method,
            path = %forwarded.path,
            http_version = http_word(forwarded.http_version),
            route = %forwarded.route,
            client = %forwarded.client,
            peer = %forwarded.peer,
            subject = self.subject(&forwarded.identity),
            tls = forwarded.tls,
            upstream = %forwarded.upstream,
            server = forwarded.server.as_deref(),
            duration_ms = milliseconds(forwarded.duration),
            upstream_head_ms = forwarded.response_head.map(milliseconds),
            client_bytes = forwarded.bytes_from_client,
            upstream_bytes = forwarded.bytes_from_upstream,
            error = forwarded.error.as_deref(),
            "request forwarded"
        );
    }

    /// Who the client is, if that is known and to be logged.
    fn subject<'a>(&self, identity: &'a Option<Arc<Identity>>) -> Option<&'a str> {
        let subject = identity.as_ref().map(|identity| identity.subject());
        // Relaxed: which line is the first after a reload does not matter.
        subject.filter(|subject| !subject.is_empty() && self.subjects.load(Ordering::Relaxed))
    }

    pub(super) fn set_subjects(&self, subjects: bool) {
        self.subjects.store(subjects, Ordering::Relaxed);
    }

    pub(super) fn suppressed(&self) -> u64 {
        self.suppressed.load(Ordering::Relaxed)
    }

    pub(super) fn report_suppressed(&self) {
        if let Some(left_out) = self.refusals.take_suppressed() {
            tracing::warn!(
                target: "wsgate::rejection",
                reason = "log_suppressed",
                left_out,
                "more requests rejected than are logged"
            );
        }
    }
}

/// Whether anybody reads the lines of sessions and forwarded requests.
pub(super) fn has_access_lines() -> bool {
    tracing::enabled!(target: "wsgate::access", tracing::Level::INFO)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
