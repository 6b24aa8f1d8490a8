//! A refused request, with what was known of it by then.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method, Response, Version, request};
use http_body_util::Full;

use super::shown::{LONGEST, shown, shown_method, shown_path};
use crate::config::{Config, Rule};
use crate::observe::{Event, HandshakeTrace, Refused, RequestKind};
use crate::policy::PolicyRefusal;
use crate::rejection::Rejection;
use crate::request::{ClientIdentity, Identity, Target, is_websocket};
use crate::types::ClientAddr;
use crate::upstream::{ServerFault, UpstreamError};

/// Why a request is refused, and what was known of it by then.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) rejection: Rejection,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) client: Option<ClientIdentity>,
    pub(crate) target: Option<Target>,
    /// The header at fault.
    pub(crate) header: Option<HeaderName>,
    /// The rule of the route that refuses it, and its line in the file.
    pub(crate) rule: Option<(Rule, Option<usize>)>,
    /// Who the client is, as far as a policy had found out.
    pub(crate) identity: Option<Arc<Identity>>,
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

    /// Of a request whose policies have refused it.
    pub(super) fn by_policy(route: &Arc<str>, refusal: PolicyRefusal, config: &Config) -> Self {
        let PolicyRefusal { rejection, rule } = refusal;
        Self::on(route, rejection).under(rule, config)
    }

    /// Adds the header at fault, if none is known yet.
    pub(super) fn for_header(mut self, header: Option<HeaderName>) -> Self {
        self.header = self.header.or(header);
        self
    }

    pub(super) fn by(self, client: ClientIdentity) -> Self {
        Self {
            client: Some(client),
            ..self
        }
    }

    pub(super) fn known_as(self, identity: Option<&Arc<Identity>>) -> Self {
        Self {
            identity: identity.cloned(),
            ..self
        }
    }

    pub(super) fn to(self, target: Target) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// Refused by a rule of its route.
    pub(super) fn under(mut self, rule: Option<Rule>, config: &Config) -> Self {
        let line = |rule| {
            let route = self.route.as_ref()?;
            config.rule_lines.of_rule(route, rule)
        };
        self.rule = rule.map(|rule| (rule, line(rule)));
        self
    }

    /// The event of a request with this head and path.
    pub(super) fn event(&self, parts: &request::Parts, path: &str) -> Event {
        Event::Refused(self.refused(parts, path))
    }

    /// What is known of the refusal of a request with this head and path.
    pub(super) fn refused(&self, parts: &request::Parts, path: &str) -> Refused {
        let fault = self.fault.as_ref();
        let kind = match is_websocket(parts) {
            true => RequestKind::WebSocket,
            false => RequestKind::Plain,
        };
        Refused {
            kind: Some(kind),
            method: Some(shown_method(&parts.method)),
            reason: self.rejection.reason(),
            status: Some(self.rejection.status()),
            route: self.route.clone(),
            path: Some(shown_path(path)),
            http_version: Some(parts.version),
            header: self
                .header
                .as_ref()
                .map(|name| shown(name.as_str(), LONGEST)),
            rule: self.rule.map(|(rule, _)| rule.key()),
            line: self.rule.and_then(|(_, line)| line),
            client: self.client.map(|client| client.ip),
            peer: self.client.map(|client| client.peer),
            identity: self.identity.clone(),
            upstream: fault.map(|fault| Arc::clone(&fault.upstream)),
            server: fault.map(|fault| Arc::clone(&fault.server)),
            error: fault.and_then(|fault| fault.error.clone()),
        }
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

/// How a CONNECT is refused, which has no path that a route could be for.
pub(super) fn refusal_of_connect(parts: &request::Parts) -> Option<Rejection> {
    let rejection = match parts.version < Version::HTTP_2 {
        true => Rejection::Method,
        false => Rejection::Connect,
    };
    (parts.method == Method::CONNECT).then_some(rejection)
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
            route: None,
            client: None,
            target: None,
            header: rejection.header(),
            rule: None,
            identity: None,
            fault: None,
            answer: None,
            rejection,
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
