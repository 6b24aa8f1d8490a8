//! The log line of a rejection, and what becomes of it in a flood.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

#[cfg(feature = "server")]
use crate::events::{self, What};
use crate::log_throttle::LogThrottle;
use crate::policy::address::ClientIdentity;
use crate::rejection::Rejection;
use crate::trace::HandshakeTrace;
#[cfg(feature = "server")]
use crate::types::ClientAddr;
use crate::upstream::{ServerFault, UpstreamError};

/// What refused a handshake, and what was known of it by then.
pub(super) struct Refusal {
    pub(super) rejection: Rejection,
    pub(super) route: Option<Arc<str>>,
    pub(super) client: Option<ClientIdentity>,
    /// The server that is to blame, if it is one.
    pub(super) fault: Option<ServerFault>,
    /// The upstream's own answer, where that is what the client gets.
    pub(super) answer: Option<Response<Full<Bytes>>>,
}

/// Logs rejections: each of them, until there are too many, and then a sample with a count of
/// what was left out.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    throttle: LogThrottle,
    /// Since the beginning.
    left_out: AtomicU64,
}

impl Rejections {
    pub(super) fn log(&self, refusal: &Refusal) {
        if !self.is_within_sample() {
            return;
        }
        let client = refusal.client.as_ref();
        let fault = refusal.fault.as_ref();
        tracing::warn!(
            target: "wsgate::rejection",
            reason = refusal.rejection.reason(),
            status = refusal.rejection.status().as_u16(),
            route = refusal.route.as_deref(),
            client = client.map(|client| tracing::field::display(client.ip)),
            peer = client.map(|client| tracing::field::display(client.peer)),
            upstream = fault.map(|fault| &*fault.upstream),
            server = fault.map(|fault| &*fault.server),
            error = fault.and_then(|fault| fault.error.as_deref()),
            "handshake rejected"
        );
    }

    /// Whether one more is to be logged; if not, it is counted.
    fn is_within_sample(&self) -> bool {
        let is_within = self.throttle.allows();
        if is_within {
            self.report();
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        is_within
    }

    /// How many have no line in the log.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Tells how many were left out since this was last told, if any.
    pub(super) fn report(&self) {
        if let Some(left_out) = self.throttle.take_suppressed() {
            tracing::warn!(
                target: "wsgate::rejection",
                reason = "log_suppressed",
                left_out,
                "more handshakes rejected than are logged"
            );
        }
    }

    /// Logs a request of which not even the head could be read.
    #[cfg(feature = "server")]
    pub(super) fn log_malformed(&self, peer: ClientAddr, reason: &'static str) {
        if self.is_within_sample() {
            let peer = tracing::field::display(peer);
            tracing::warn!(target: "wsgate::rejection", reason, peer, "request rejected");
        }
    }
}

impl Refusal {
    /// Of a request whose route this is.
    pub(super) fn on(route: &Arc<str>, refused: impl Into<Self>) -> Self {
        Self {
            route: Some(Arc::clone(route)),
            ..refused.into()
        }
    }
}

impl Refusal {
    /// Ends the spans of its handshake.
    pub(super) fn trace(&self, trace: &mut HandshakeTrace) {
        if let Some(fault) = &self.fault {
            trace.is_served_by(&fault.upstream, &fault.server);
        }
        let status = self.rejection.status().as_u16();
        trace.refused(status, self.rejection.reason());
    }
}

#[cfg(feature = "server")]
impl Refusal {
    /// What listeners are told of it.
    pub(super) fn told(&self) -> What {
        let client = self.client.as_ref();
        let fault = self.fault.as_ref();
        What::Reject(events::Refusal {
            reason: self.rejection.reason(),
            status: Some(self.rejection.status().as_u16()),
            route: self.route.clone(),
            client: client.map(|client| client.ip),
            peer: client.map(|client| client.peer),
            upstream: fault.map(|fault| Arc::clone(&fault.upstream)),
            server: fault.map(|fault| Arc::clone(&fault.server)),
            error: fault.and_then(|fault| fault.error.clone()),
        })
    }
}

/// What listeners are told of a request of which not even the head could be read.
#[cfg(feature = "server")]
pub(super) fn told_malformed(peer: ClientAddr, reason: &'static str) -> What {
    What::Reject(events::Refusal {
        reason,
        status: None,
        route: None,
        client: None,
        peer: Some(peer),
        upstream: None,
        server: None,
        error: None,
    })
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            route: None,
            client: None,
            fault: None,
            answer: None,
        }
    }
}

impl From<UpstreamError> for Refusal {
    fn from(unserved: UpstreamError) -> Self {
        Self {
            fault: unserved.fault,
            ..unserved.rejection.into()
        }
    }
}
