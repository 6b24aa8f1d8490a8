//! What the interface uses of the library: what an embedder has, in one place.

pub(super) use crate::ErrorReport;
pub(super) use crate::close::MAX_REASON;
pub(super) use crate::config::{
    Config, ListenAddress, Network, Secret, parse_duration, parse_network,
};
pub(super) use crate::tls::{ServerTls, Tickets, TlsAcceptError, TlsAcceptor};
pub(super) use crate::{
    BrokenRequestMetrics, CloseCode, Closed, Durations, Event, EventFilter, EventKind, EventStream,
    Forwarded, Handle, Identity, LogoutError, Metrics, RecordedEvent, RequestKind, RouteMetrics,
    Selection, ServerInfo, SessionId, SessionInfo, TicketError, Transport, UnknownServer,
    UpstreamInfo,
};
