//! What the interface uses of the library: what an embedder has, in one place.

pub(super) use crate::config::Network;
pub(super) use crate::config::{ChannelName, Config, Secret};
pub(super) use crate::tls::TlsAcceptError;
pub(super) use crate::{
    BrokenRequestMetrics, CloseCode, Closed, Durations, Event, EventFilter, EventKind, EventStream,
    Forwarded, Handle, Identity, LogoutError, Metrics, RecordedEvent, RequestKind, RouteMetrics,
    Selection, ServerInfo, SessionId, SessionInfo, SharedMetrics, UnknownServer, UpstreamInfo,
};
