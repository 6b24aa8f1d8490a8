//! The plugin's face: [`Gate`], its [`Builder`], layer, service and [`Handle`].

mod build_error;
mod builder;
mod channel_metrics;
mod elsewhere;
mod handle;
mod issuer_metrics;
mod layer;
mod logins;
mod members;
mod metrics;
mod publish;
mod reload;
mod revoke;
mod servers;
mod sessions;
mod shared_metrics;

pub use build_error::BuildError;
pub use builder::{Builder, Gate};
pub use channel_metrics::{ChannelMetrics, DeliveryMetrics, PublicationMetrics};
pub use handle::Handle;
pub use issuer_metrics::IssuerMetrics;
pub use layer::{GateLayer, GateService, Refuse, ResponseBody, ResponseFuture};
pub use logins::{IssuedTicket, LogoutError, TicketError};
pub use members::{MemberPage, Reached};
pub use metrics::{
    BrokenRequestMetrics, ClosedMetrics, HandshakeMetrics, Metrics, PlainRequestMetrics,
    PlainRouteMetrics, RouteMetrics, ServerMetrics,
};
pub use reload::Reloaded;
pub use servers::{ServerDrain, ServerInfo, UnknownServer, UpstreamInfo};
pub use sessions::{Page, Selection};
pub use shared_metrics::{SharedFailureMetrics, SharedMetrics};
