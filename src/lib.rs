//! wsgate: a WebSocket-aware reverse proxy, and the same thing as a plugin for any hyper 1.x server.
//!
//! It stands in front of existing backends, terminates client WebSockets, decides who may come in
//! (Origin, address, rate, credentials), forwards frames to the server that a TOML route names, and keeps both
//! sides alive and honest: pings, size and rate limits, real close codes, graceful drain.
//!
//! ```text
//! listen ─► HTTP ─► handshake ─► route ─► policy ─► upstream dial ─► 101 ─► session ─► close
//! ```
//!
//! # As a plugin
//!
//! [`Config`] holds the settings, [`Gate`] serves them. [`Gate::layer`] goes around a tower
//! service; [`Gate::service`] stands alone. The host says where a request came from
//! ([`ClientAddr`]) and serves its connections with upgrades.
//!
//! ```
//! use wsgate::{Config, Gate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_toml(
//!     "wsgate.toml",
//!     r#"
//!     [upstream.chat]
//!     servers = ["ws://127.0.0.1:9001"]
//!
//!     [[route]]
//!     name = "chat"
//!     path = "/ws/*"
//!     upstream = "chat"
//!     "#,
//! )?;
//! let gate = Gate::builder(config).build()?;
//! let layer = gate.layer(); // for `tower::ServiceBuilder` or `axum::Router::layer`
//! let handle = gate.handle(); // to list, close and drain sessions
//! # let _ = (layer, handle);
//! # Ok(()) }
//! ```
//!
//! Take the crate with `default-features = false` for this; the `server` feature is the
//! standalone program.

#[cfg(feature = "acme")]
pub mod acme;
mod auth;
mod channels;
#[cfg(any(feature = "acme", feature = "auth"))]
#[cfg_attr(not(all(feature = "acme", feature = "auth")), allow(dead_code))]
mod client;
pub mod close;
pub mod config;
mod error_report;
mod frame;
mod framing;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../tests/fuzzing/mod.rs"]
pub mod fuzzing;
mod gate;
mod handshake;
mod histogram;
#[cfg(feature = "auth")]
mod jwt;
mod limit;
mod log_throttle;
#[cfg(feature = "microbench")]
#[doc(hidden)]
pub mod microbench;
mod observe;
mod pipeline;
mod policy;
mod rejection;
mod request;
mod route;
#[cfg(feature = "server")]
pub mod server;
mod session;
mod shared;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
mod tls;
mod transport;
mod types;
mod upstream;
mod wall_clock;

pub use channels::{Audience, ChannelError, ChannelInfo, MemberInfo, Publication, Published};
pub use close::{CloseCode, CloseReason};
pub use config::{Config, Settings};
pub use error_report::ErrorReport;
pub use gate::{
    BrokenRequestMetrics, BuildError, Builder, ChannelMetrics, ClosedMetrics, DeliveryMetrics,
    Gate, GateLayer, GateService, Handle, HandshakeMetrics, IssuedTicket, IssuerMetrics,
    LogoutError, MemberPage, Metrics, Page, PlainRequestMetrics, PlainRouteMetrics,
    PublicationMetrics, Reached, Refuse, Reloaded, ResponseBody, ResponseFuture, RouteMetrics,
    Selection, ServerDrain, ServerInfo, ServerMetrics, SharedFailureMetrics, SharedMetrics,
    TicketError, UnknownServer, UpstreamInfo,
};
pub use histogram::Durations;
pub use observe::{
    Closed, Event, EventFilter, EventKind, EventStream, Forwarded, Observer, Opened,
    PathParameters, RecordedEvent, Refused, RequestKind, SessionInfo, SubscribeError, Tracing,
};
pub use pipeline::{
    ConnectionKey, Destination, Explanation, PlainRequest, PlainRequestBody, PlainResponseBody,
    TriedRoute, Undelivered,
};
pub use policy::Policy;
pub use rejection::{Denial, Rejection, TokenFault};
pub use request::{Grant, Handshake, Identity};
pub use session::{Drained, Message, MessageFilter, Revocation, Verdict};
#[cfg(feature = "http2")]
pub use transport::Http2Stream;
#[cfg(feature = "tls")]
pub use transport::TlsSocket;
pub use transport::{CustomStream, StreamSender, StreamUpgrade, Transport, WrappedSocket};
pub use types::{
    Body, ClientAddr, LocalAddr, NodeId, OverTls, SessionContext, SessionId, SessionName,
    SessionNameError, Side, Utf8Bytes,
};
pub use upstream::{
    Connect, ConnectError, Http2Body, Http2Error, Http2Sender, LocalResource, ServerTarget,
    TargetAddress, UpstreamStream,
};

/// The examples of the documents are compiled and run like those of the code.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/plugin.md")]
    mod plugin {}
}
