//! What the interface uses of the library: what an embedder has, in one place.

pub(super) use crate::close::MAX_REASON;
pub(super) use crate::config::{ListenAddress, Network, Secret, parse_duration, parse_network};
pub(super) use crate::error_report::ErrorReport;
pub(super) use crate::events::{Event, Kind, Listening, NotHeard, Session, Wants, What};
pub(super) use crate::proxy::Selection;
pub(super) use crate::{
    CloseCode, Durations, Handle, Metrics, RouteMetrics, ServerInfo, SessionId, SessionInfo,
    UnknownServer, UpstreamInfo,
};
