//! The span of a forwarded plain request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use opentelemetry::trace::{Span as _, SpanKind, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::context;
use super::recorded::{
    SpanParents, Tracing, attributes_of_authority, attributes_of_client, below, count, fail,
    method, request, shared,
};
use crate::request::Handshake;

/// The span of a plain request that has a route which forwards it; it ends with the response.
pub(crate) struct PlainTrace {
    /// None without a tracer, and once it has ended.
    span: Mutex<Option<Box<(SdkTracer, Span)>>>,
}

impl Tracing {
    /// Begins the span of a plain request, in the trace of the client's own span if it names one.
    pub(crate) fn begin_plain(&self, handshake: &Handshake) -> PlainTrace {
        let span = self.tracer().map(|tracer| {
            let span = begin(tracer, handshake);
            Box::new((tracer.clone(), span))
        });
        PlainTrace {
            span: Mutex::new(span),
        }
    }
}

fn begin(tracer: &SdkTracer, handshake: &Handshake) -> Span {
    let parts = handshake.parts();
    let above = context::parent(&parts.headers).map_or_else(Context::new, below);
    // The conventions' word for a method that nobody knows.
    let method = match method(&parts.method) {
        "_OTHER" => "HTTP",
        method => method,
    };
    let route = &handshake.settings().name;
    let span = tracer.span_builder(format!("{method} {route}"));
    let span = span.with_kind(SpanKind::Server);
    let mut span = span.start_with_context(tracer, &above);
    if span.is_recording() {
        span.set_attributes(request(parts, handshake.path(), handshake.scheme()));
        span.set_attributes(attributes_of_client(handshake.client(), handshake.peer()));
        span.set_attributes(attributes_of_authority(handshake.host(), handshake.port()));
        span.set_attribute(shared("wsgate.route", route));
        let upstream = &handshake.settings().upstream.name;
        span.set_attribute(shared("wsgate.upstream", upstream));
    }
    span
}

impl PlainTrace {
    /// Where the dial and the upstream's own spans join it.
    pub(crate) fn parents(&self) -> SpanParents {
        // A span is whole at every moment, whatever panicked elsewhere.
        let span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let joins = span.as_deref();
        SpanParents::of(joins.map(|(tracer, span)| (tracer, span.span_context())))
    }

    /// Ends the span of a request that was refused with this status, for the reason that the log has this
    /// word for.
    pub(crate) fn refused(&self, status: StatusCode, word: &'static str) {
        if let Some(mut span) = self.take() {
            span.set_attribute(KeyValue::new("wsgate.rejection", word));
            span.set_attribute(status_code(status));
            if status.is_server_error() {
                fail(&mut span, word);
            }
        }
    }

    /// Ends the span with the response. `reason` is the word of the log; the bytes are those of the client,
    /// and of the server.
    pub(crate) fn ended(
        &self,
        reason: &'static str,
        is_fault_of_server: bool,
        status: Option<StatusCode>,
        server: Option<&Arc<str>>,
        [from_client, from_upstream]: [u64; 2],
    ) {
        let Some(mut span) = self.take() else {
            return;
        };
        span.set_attributes([
            KeyValue::new("wsgate.outcome", reason),
            count("wsgate.client.bytes", from_client),
            count("wsgate.upstream.bytes", from_upstream),
        ]);
        span.set_attributes(server.map(|server| shared("wsgate.server", server)));
        span.set_attributes(status.map(status_code));
        match status {
            _ if is_fault_of_server => fail(&mut span, reason),
            // The conventions name the status where there is no other error.
            Some(status) if status.is_server_error() => {
                fail(&mut span, status.as_str().to_owned());
            }
            Some(_) | None => {}
        }
    }

    /// The span, if it is recorded and has not ended.
    fn take(&self) -> Option<Span> {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, span) = *span.take()?;
        span.is_recording().then_some(span)
    }
}

fn status_code(status: StatusCode) -> KeyValue {
    KeyValue::new("http.response.status_code", i64::from(status.as_u16()))
}

impl fmt::Debug for PlainTrace {
    // A span shows its attributes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainTrace").finish_non_exhaustive()
    }
}
