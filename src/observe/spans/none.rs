//! No spans: what the rest of the code calls when the feature `otel` is off.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::observe::event::Closed;
use crate::request::Handshake;
use crate::types::{ClientAddr, SessionId};

/// Makes no spans.
#[derive(Clone, Debug, Default)]
pub struct Tracing {}

/// A handshake without spans.
#[derive(Debug)]
pub(crate) struct HandshakeTrace;

/// Where no spans join it.
#[derive(Clone, Debug)]
pub(crate) struct SpanParents;

/// A plain request without a span.
#[derive(Debug)]
pub(crate) struct PlainTrace;

/// A dial without a span.
#[derive(Debug)]
pub(crate) struct ConnectTrace;

/// A session without a span.
#[derive(Debug, Default)]
pub(crate) struct SessionTrace {}

impl Tracing {
    pub(crate) fn begin(&self, _: &Parts, _: &str, _: &'static str) -> HandshakeTrace {
        HandshakeTrace
    }

    pub(crate) fn begin_plain(&self, _: &Handshake) -> PlainTrace {
        PlainTrace
    }
}

impl PlainTrace {
    pub(crate) fn parents(&self) -> SpanParents {
        SpanParents
    }

    pub(crate) fn refused(&self, _: StatusCode, _: &'static str) {}

    pub(crate) fn ended(
        &self,
        _: &'static str,
        _: bool,
        _: Option<StatusCode>,
        _: Option<&Arc<str>>,
        _: [u64; 2],
    ) {
    }
}

impl HandshakeTrace {
    pub(crate) fn set_client(&mut self, _: IpAddr, _: ClientAddr) {}

    pub(crate) fn set_authority(&mut self, _: Option<&str>, _: Option<u16>) {}

    pub(crate) fn set_route(&mut self, _: &Arc<str>) {}

    pub(crate) fn set_server(&mut self, _: &Arc<str>, _: &Arc<str>) {}

    pub(crate) fn parents(&self) -> SpanParents {
        SpanParents
    }

    pub(crate) fn refused(&mut self, _: u16, _: &'static str) {}

    pub(crate) fn accepted(&mut self, _: SessionId) -> SessionTrace {
        SessionTrace {}
    }
}

impl SpanParents {
    pub(crate) fn begin_connect(&self) -> ConnectTrace {
        ConnectTrace
    }

    pub(crate) fn inject(&self, _: &mut HeaderMap) {}
}

impl SessionTrace {
    pub(crate) fn end(&mut self, _: &Closed) {}
}

impl ConnectTrace {
    pub(crate) fn ended(self, _: Result<&str, &'static str>) {}
}
