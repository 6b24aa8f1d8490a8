//! A refused request, with what was known of it by then.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Response};
use http_body_util::Full;

use crate::config::{Config, Rule};
use crate::observe::{Event, HandshakeTrace, Refused};
use crate::policy::PolicyRefusal;
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
    /// The header at fault.
    pub(crate) header: Option<HeaderName>,
    /// The rule of the route that refuses it, and its line in the file.
    pub(crate) rule: Option<(Rule, Option<usize>)>,
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

    /// The event of a request with this path.
    pub(super) fn event(&self, path: &str) -> Event {
        Event::Refused(self.refused(path))
    }

    /// What is known of the refusal of a request with this path.
    pub(super) fn refused(&self, path: &str) -> Refused {
        let fault = self.fault.as_ref();
        Refused {
            reason: self.rejection.reason(),
            status: Some(self.rejection.status()),
            route: self.route.clone(),
            path: Some(shown(path)),
            header: self.header.as_ref().map(|name| shown(name.as_str())),
            rule: self.rule.map(|(rule, _)| rule.key()),
            line: self.rule.and_then(|(_, line)| line),
            client: self.client.map(|client| client.ip),
            peer: self.client.map(|client| client.peer),
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

/// The most characters of a path or name that an event keeps.
const LONGEST: usize = 256;

/// A path or name as an event keeps it: it is a client's, and events wait in queues. What a target
/// may not hold is escaped as it would have to be there.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LONGEST));
    for byte in text.bytes() {
        if shown.len() >= LONGEST {
            shown.push('…');
            break;
        }
        match byte.is_ascii_graphic() {
            true => shown.push(char::from(byte)),
            false => shown.push_str(&format!("%{byte:02X}")),
        }
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_has_written_is_short_and_printable() {
        assert_eq!(shown("/ws/%1b|x"), "/ws/%1b|x");
        assert_eq!(shown("/\u{9b}m \n"), "/%C2%9Bm%20%0A");
        assert_eq!(shown(&"a".repeat(256)), "a".repeat(256));
        assert_eq!(shown(&"a".repeat(9000)), format!("{}…", "a".repeat(256)));
    }
}
