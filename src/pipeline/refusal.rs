//! A refused request, with what was known of it by then.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::observe::{Event, HandshakeTrace, Refused};
use crate::rejection::Rejection;
use crate::request::{ClientIdentity, Target};
use crate::types::ClientAddr;
use crate::upstream::{ServerFault, UpstreamError};

/// Why a request is refused, and what was known of it by then.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) rejection: Rejection,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) client: Option<ClientIdentity>,
    pub(crate) target: Option<Target>,
    /// The server that failed, if one did.
    pub(crate) fault: Option<ServerFault>,
    /// The upstream's own answer, where that is what the client gets.
    pub(crate) answer: Option<Response<Full<Bytes>>>,
}

impl Refusal {
    /// Of a request whose route this is.
    pub(crate) fn on(route: &Arc<str>, refused: impl Into<Self>) -> Self {
        Self {
            route: Some(Arc::clone(route)),
            ..refused.into()
        }
    }

    pub(super) fn by(self, client: ClientIdentity) -> Self {
        Self {
            client: Some(client),
            ..self
        }
    }

    pub(super) fn to(self, target: Target) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    pub(super) fn event(&self) -> Event {
        let fault = self.fault.as_ref();
        Event::Refused(Refused {
            reason: self.rejection.reason(),
            status: Some(self.rejection.status()),
            route: self.route.clone(),
            client: self.client.map(|client| client.ip),
            peer: self.client.map(|client| client.peer),
            upstream: fault.map(|fault| Arc::clone(&fault.upstream)),
            server: fault.map(|fault| Arc::clone(&fault.server)),
            error: fault.and_then(|fault| fault.error.clone()),
        })
    }

    /// Ends the spans of its handshake.
    pub(super) fn end(&self, trace: &mut HandshakeTrace) {
        if let Some(fault) = &self.fault {
            trace.set_server(&fault.upstream, &fault.server);
        }
        let status = self.rejection.status().as_u16();
        trace.refused(status, self.rejection.reason());
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let rejection = self.rejection;
        self.answer.unwrap_or_else(|| rejection.into_response())
    }
}

/// The event of a request of which not even the head could be read.
pub(super) fn malformed(peer: ClientAddr, reason: &'static str) -> Event {
    Event::Refused(Refused {
        reason,
        peer: Some(peer),
        ..Refused::default()
    })
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            route: None,
            client: None,
            target: None,
            fault: None,
            answer: None,
        }
    }
}

impl From<UpstreamError> for Refusal {
    fn from(error: UpstreamError) -> Self {
        Self {
            fault: error.fault,
            ..error.rejection.into()
        }
    }
}
