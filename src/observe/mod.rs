//! What happens, reported once: a request refused or forwarded, a session opened, a session closed.
//!
//! ```text
//! pipeline, registry ─► Event ─► log · counts · live feed · the embedder's observers
//!                            └─► spans (of the handshake and its session, of the plain request)
//! ```
//!
//! Nothing is reported for a message.

mod event;
mod feed;
mod log;
mod observer;
mod outcomes;
mod session;
mod spans;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::StatusCode;

pub use event::{Closed, Event, EventKind, Forwarded, Opened, Refused, RequestKind};
pub use feed::{EventFilter, EventStream, RecordedEvent, SubscribeError};
pub use observer::Observer;
pub use session::{PathParameters, SessionInfo};
pub use spans::Tracing;

pub(crate) use outcomes::{ABANDONED, ACCEPTED, FORWARDED_WELL};
pub(crate) use spans::{HandshakeTrace, PlainTrace, SessionTrace, SpanParents};

use feed::Feed;
use log::Log;
use outcomes::{Outcomes, PlainOutcome};

/// Everybody who sees the events of a gate.
#[derive(Default)]
pub(crate) struct Observers {
    log: Log,
    pub(crate) outcomes: Outcomes,
    feed: Arc<Feed>,
    pub(crate) tracing: Tracing,
    custom: Vec<Box<dyn Observer>>,
}

impl Observers {
    pub(crate) fn new(tracing: Tracing, custom: Vec<Box<dyn Observer>>) -> Self {
        Self {
            tracing,
            custom,
            ..Self::default()
        }
    }

    /// Reports an event to each of them. Spans belong to one handshake or session, which reports
    /// to them itself.
    pub(crate) fn notify(&self, event: &Event) {
        // A count is there before its line: a reader of the log may look at it.
        self.outcomes.on_event(event);
        self.log.on_event(event);
        self.feed.on_event(event);
        for observer in &self.custom {
            // It is the embedder's code, and an event may come from a task that panics already.
            let seen = catch_unwind(AssertUnwindSafe(|| observer.on_event(event)));
            if seen.is_err() {
                tracing::error!("an observer panicked");
            }
        }
    }

    /// Reports a forwarded plain request that is over. These may be thousands a second: they are counted, and
    /// an event is made of them only if somebody gets it.
    pub(crate) fn forwarded(
        &self,
        route: &Arc<str>,
        reason: &'static str,
        status: Option<StatusCode>,
        event: impl FnOnce() -> Forwarded,
    ) {
        let outcome = PlainOutcome::new(reason, status);
        self.outcomes.add_forwarded(route, outcome);
        if log::has_access_lines() || self.feed.has_subscribers() || !self.custom.is_empty() {
            self.notify(&Event::Forwarded(event()));
        }
    }

    /// Whether the lines of the log say who the client is (`log.subject`).
    pub(crate) fn log_subjects(&self, subjects: bool) {
        self.log.set_subjects(subjects);
    }

    /// Subscribes to events from now on.
    pub(crate) fn subscribe(&self, filter: EventFilter) -> Result<EventStream, SubscribeError> {
        self.feed.subscribe(filter)
    }

    /// Nothing happens any more: subscribers get what waits for them, and then the end.
    pub(crate) fn end(&self) {
        self.feed.end();
    }

    /// Logs how many lines were suppressed since the last report, if any.
    pub(crate) fn report_suppressed(&self) {
        self.log.report_suppressed();
    }

    /// How many refusals have no line in the log.
    pub(crate) fn suppressed_refusals(&self) -> u64 {
        self.log.suppressed()
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers")
            .field("custom", &self.custom.len())
            .finish_non_exhaustive()
    }
}
