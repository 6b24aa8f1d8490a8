//! The spans and their attributes.
//!
//! The names of attributes are OpenTelemetry's where it has one (semantic conventions of HTTP server
//! spans), and ours begin with `wsgate.`. A span that is not sampled gets none.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Version};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
};
use opentelemetry::{Context, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::context;
use crate::close::CloseCode;
use crate::observe::event::Closed;
use crate::types::{ClientAddr, SessionId};

/// Makes the spans of a gate; none, unless it was given a tracer.
#[derive(Clone, Debug, Default)]
pub struct Tracing {
    tracer: Option<SdkTracer>,
}

/// The spans of a handshake that is under way, and of the session that may come of it. If it is
/// dropped before the handshake was answered, the client has hung up.
pub(crate) struct HandshakeTrace {
    spans: Option<Box<Spans>>,
}

struct Spans {
    tracer: SdkTracer,
    session: Span,
    handshake: Span,
}

/// Where further spans join those of a handshake: the dial's, and the upstream's own.
#[derive(Clone)]
pub(crate) struct SpanParents {
    /// With the spans of the session and of the handshake.
    joins: Option<(SdkTracer, SpanContext, SpanContext)>,
}

/// The span of a dial.
pub(crate) struct ConnectTrace {
    span: Option<Span>,
}

/// The span of a session.
#[derive(Default)]
pub(crate) struct SessionTrace {
    /// Behind a pointer, because idle sessions are many.
    span: Option<Box<Span>>,
}

/// The longest path that is exported.
const LONGEST_PATH: usize = 1024;

/// The word for a handshake whose client hung up before it was answered; it is that of the counts.
const ABANDONED: &str = "abandoned";

impl Tracing {
    /// Makes spans with this tracer.
    pub fn with(tracer: SdkTracer) -> Self {
        Self {
            tracer: Some(tracer),
        }
    }

    pub(super) fn tracer(&self) -> Option<&SdkTracer> {
        self.tracer.as_ref()
    }

    /// Begins the spans of a handshake with this path, in the trace of the client's own span if it
    /// names one.
    pub(crate) fn begin(&self, parts: &Parts, path: &str, scheme: &'static str) -> HandshakeTrace {
        let begin = |tracer: &SdkTracer| {
            let spans = Spans::begin(tracer.clone(), parts, path, scheme);
            Box::new(spans)
        };
        HandshakeTrace {
            spans: self.tracer.as_ref().map(begin),
        }
    }
}

impl Spans {
    fn begin(tracer: SdkTracer, parts: &Parts, path: &str, scheme: &'static str) -> Self {
        let above = context::parent(&parts.headers).map_or_else(Context::new, below);
        let session = tracer.span_builder("websocket");
        let session = session.with_kind(SpanKind::Server);
        let mut session = session.start_with_context(&tracer, &above);
        if session.is_recording() {
            session.set_attributes(request(parts, path, scheme));
        }
        let handshake = tracer.span_builder("handshake");
        let handshake =
            handshake.start_with_context(&tracer, &below(session.span_context().clone()));
        Self {
            tracer,
            session,
            handshake,
        }
    }

    /// Sets an attribute of both spans.
    fn set(&mut self, attribute: KeyValue) {
        self.session.set_attribute(attribute.clone());
        self.handshake.set_attribute(attribute);
    }

    fn answered(&mut self, status: u16) {
        self.set(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
    }

    fn failed(&mut self, word: &'static str) {
        for span in [&mut self.session, &mut self.handshake] {
            fail(span, word);
        }
    }
}

impl HandshakeTrace {
    /// Its client is this.
    pub(crate) fn set_client(&mut self, client: IpAddr, peer: ClientAddr) {
        if let Some(session) = self.recording() {
            session.set_attributes(attributes_of_client(client, peer));
        }
    }

    /// Its `Host` is this.
    pub(crate) fn set_authority(&mut self, host: Option<&str>, port: Option<u16>) {
        if let Some(session) = self.recording() {
            session.set_attributes(attributes_of_authority(host, port));
        }
    }

    /// Its route is this.
    pub(crate) fn set_route(&mut self, route: &Arc<str>) {
        if let Some(session) = self.recording() {
            session.update_name(format!("websocket {route}"));
            session.set_attribute(shared("wsgate.route", route));
        }
    }

    /// The server is this that takes it, or is to blame.
    pub(crate) fn set_server(&mut self, upstream: &Arc<str>, server: &Arc<str>) {
        if let Some(session) = self.recording() {
            session.set_attribute(shared("wsgate.upstream", upstream));
            session.set_attribute(shared("wsgate.server", server));
        }
    }

    pub(crate) fn parents(&self) -> SpanParents {
        let joins = self.spans.as_ref().map(|spans| {
            let of = |span: &Span| span.span_context().clone();
            (
                spans.tracer.clone(),
                of(&spans.session),
                of(&spans.handshake),
            )
        });
        SpanParents { joins }
    }

    /// It was refused with this status, for the reason that the log has this word for.
    pub(crate) fn refused(&mut self, status: u16, word: &'static str) {
        // Its end is that of the spans.
        if let Some(mut spans) = self.spans.take() {
            spans.set(KeyValue::new("wsgate.rejection", word));
            spans.answered(status);
            if status >= 500 {
                spans.failed(word);
            }
        }
    }

    /// It was answered 101, and is the session with this id.
    pub(crate) fn accepted(&mut self, id: SessionId) -> SessionTrace {
        let Some(mut spans) = self.spans.take() else {
            return SessionTrace::default();
        };
        spans.answered(101);
        let Spans { mut session, .. } = *spans;
        if !session.is_recording() {
            return SessionTrace::default();
        }
        session.set_attribute(KeyValue::new("wsgate.session.id", id.to_string()));
        SessionTrace {
            span: Some(Box::new(session)),
        }
    }

    /// The session's span, if it is recorded.
    fn recording(&mut self) -> Option<&mut Span> {
        let session = self.spans.as_mut().map(|spans| &mut spans.session);
        session.filter(|session| session.is_recording())
    }
}

impl Drop for HandshakeTrace {
    fn drop(&mut self) {
        if let Some(spans) = &mut self.spans {
            spans.set(KeyValue::new("wsgate.rejection", ABANDONED));
        }
    }
}

impl SpanParents {
    /// Of one span, which the dial and the upstream's own spans join.
    pub(super) fn of(span: Option<(&SdkTracer, &SpanContext)>) -> Self {
        let joins = span.map(|(tracer, span)| (tracer.clone(), span.clone(), span.clone()));
        Self { joins }
    }

    /// Begins the span of a dial, which ends with what it comes to.
    pub(crate) fn begin_connect(&self) -> ConnectTrace {
        let begin = |(tracer, _, handshake): &(SdkTracer, _, SpanContext)| {
            let connect = tracer.span_builder("connect");
            connect.start_with_context(tracer, &below(handshake.clone()))
        };
        ConnectTrace {
            span: self.joins.as_ref().map(begin),
        }
    }

    /// Names the session's span to the upstream: it lasts as long as the upstream's work for it.
    pub(crate) fn inject(&self, headers: &mut HeaderMap) {
        if let Some((_, session, _)) = &self.joins
            && session.is_valid()
        {
            context::inject(session, headers);
        }
    }
}

impl ConnectTrace {
    /// It came to a connection with this server, or to none for the reason with this word.
    pub(crate) fn ended(self, outcome: Result<&str, &'static str>) {
        let Some(mut span) = self.span else {
            return;
        };
        match outcome {
            Ok(server) => {
                span.set_attribute(KeyValue::new("wsgate.server", server.to_owned()));
            }
            Err(word) => fail(&mut span, word),
        }
    }
}

impl SessionTrace {
    /// Ends the span with the session.
    pub(crate) fn end(&mut self, closed: &Closed) {
        let Some(mut span) = self.span.take() else {
            return;
        };
        let session = &closed.session;
        span.set_attributes([
            KeyValue::new("wsgate.close.reason", closed.reason),
            KeyValue::new("wsgate.closed_by", closed.closed_by),
            count("wsgate.client.messages", session.messages_from_client),
            count("wsgate.client.bytes", session.bytes_from_client),
            count("wsgate.upstream.messages", session.messages_from_upstream),
            count("wsgate.upstream.bytes", session.bytes_from_upstream),
        ]);
        if let Some(code) = closed.code {
            span.set_attribute(KeyValue::new("wsgate.close.code", i64::from(code.get())));
        }
        if closed.code == Some(CloseCode::INTERNAL_ERROR) {
            fail(&mut span, closed.reason);
        }
    }
}

/// A number of something.
pub(super) fn count(key: &'static str, count: u64) -> KeyValue {
    KeyValue::new(key, i64::try_from(count).unwrap_or(i64::MAX))
}

/// Where a request came from.
pub(super) fn attributes_of_client(client: IpAddr, peer: ClientAddr) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new("client.address", client.to_string())];
    if let ClientAddr::Tcp(address) = peer {
        let ip = peer.ip().to_string();
        attributes.push(KeyValue::new("network.peer.address", ip));
        let port = i64::from(address.port());
        attributes.push(KeyValue::new("network.peer.port", port));
    }
    attributes
}

/// What a request has in its `Host`.
pub(super) fn attributes_of_authority(host: Option<&str>, port: Option<u16>) -> Vec<KeyValue> {
    let Some(host) = host else {
        return Vec::new();
    };
    let mut attributes = vec![KeyValue::new("server.address", host.to_owned())];
    attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
    attributes
}

/// What a request says of itself, its secrets left out.
pub(super) fn request(parts: &Parts, path: &str, scheme: &'static str) -> [KeyValue; 5] {
    [
        KeyValue::new("http.request.method", method(&parts.method)),
        KeyValue::new("url.path", cut(path).into_owned()),
        KeyValue::new("url.scheme", scheme),
        KeyValue::new("network.protocol.name", "http"),
        KeyValue::new("network.protocol.version", version(parts.version)),
    ]
}

/// A method that HTTP knows; what a client makes up is `_OTHER`, as the conventions have it.
pub(super) fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("_OTHER")
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        _ => "3",
    }
}

fn cut(path: &str) -> Cow<'_, str> {
    match path.len() <= LONGEST_PATH {
        true => Cow::Borrowed(path),
        false => Cow::Owned(format!(
            "{}…",
            &path[..path.floor_char_boundary(LONGEST_PATH)]
        )),
    }
}

/// An attribute with shared text.
pub(super) fn shared(key: &'static str, text: &Arc<str>) -> KeyValue {
    let text = StringValue::from(Arc::clone(text));
    KeyValue::new(Key::from_static_str(key), Value::String(text))
}

pub(super) fn fail(span: &mut Span, word: impl Into<Cow<'static, str>>) {
    let word = word.into();
    span.set_attribute(KeyValue::new("error.type", word.clone()));
    span.set_status(Status::error(word));
}

/// What is begun in it has this span as its parent.
pub(super) fn below(span: SpanContext) -> Context {
    Context::new().with_remote_span_context(span)
}

impl fmt::Debug for HandshakeTrace {
    // A span shows its attributes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeTrace").finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTrace").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
