//! No spans: what the rest of the code calls when the feature `otel` is off.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;

use crate::types::{ClientAddr, SessionId};

/// Makes no spans.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracing {}

/// A handshake without spans.
#[derive(Debug)]
pub(crate) struct HandshakeTrace;

/// Where no spans join it.
#[derive(Clone, Debug)]
pub(crate) struct Trail;

/// A dial without a span.
#[derive(Debug)]
pub(crate) struct ConnectTrace;

/// A session without a span.
#[derive(Debug, Default)]
pub(crate) struct SessionTrace {}

impl Tracing {
    pub(crate) fn begin(&self, _: &Parts, _: &'static str) -> HandshakeTrace {
        HandshakeTrace
    }
}

impl HandshakeTrace {
    pub(crate) fn is_from(&mut self, _: IpAddr, _: ClientAddr) {}

    pub(crate) fn asks_for(&mut self, _: &str, _: Option<u16>) {}

    pub(crate) fn is_on(&mut self, _: &Arc<str>) {}

    pub(crate) fn is_served_by(&mut self, _: &Arc<str>, _: &Arc<str>) {}

    pub(crate) fn trail(&self) -> Trail {
        Trail
    }

    pub(crate) fn refused(&mut self, _: u16, _: &'static str) {}

    pub(crate) fn accepted(&mut self, _: SessionId) -> SessionTrace {
        SessionTrace {}
    }
}

impl Trail {
    pub(crate) fn connecting(&self) -> ConnectTrace {
        ConnectTrace
    }

    pub(crate) fn tell(&self, _: &mut HeaderMap) {}
}

impl ConnectTrace {
    pub(crate) fn ended(self, _: Result<&str, &'static str>) {}
}
