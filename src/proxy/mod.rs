//! The plugin's face: [`Gate`], its [`Builder`], layer, service and [`Handle`].
//!
//! `flow.rs` is the whole path of a handshake, top-down: the only place that knows all stages.

mod core;
mod counters;
mod drain;
mod flow;
mod gate;
mod handle;
mod hint;
mod layer;
mod metrics;
mod outcomes;
mod rejected;
mod reload;
mod servers;
mod sessions;
mod settings;

#[cfg(feature = "server")]
mod plain;

pub use drain::Drained;
pub use gate::{BuildError, Builder, Gate};
pub use handle::Handle;
pub use layer::{GateLayer, GateService, Refuse, ResponseBody, ResponseFuture};
pub use metrics::{ClosedMetrics, HandshakeMetrics, Metrics, RouteMetrics, ServerMetrics};
pub use reload::Reloaded;
pub use servers::{ServerDrain, ServerInfo, UnknownServer, UpstreamInfo};
pub use sessions::SessionInfo;

#[cfg(any(test, fuzzing))]
pub(crate) use flow::path_and_query;
#[cfg(feature = "server")]
pub(crate) use plain::PlainRoute;
#[cfg(feature = "server")]
pub(crate) use sessions::Selection;
