//! The standalone program: a plain HTTP/1.1 server with the gate in it.
//!
//! ```text
//! lifecycle ─► listener ─► http ─┬─ WebSocket ──► gate
//!   start        accept          └─ plain HTTP ─► forward
//!   reload       choose a
//!   stop         worker
//! ```
//!
//! [`run`] is the whole program below its command line. [`Server`] is the same without signals and
//! log, for a process that has its own.

mod admin;
mod api;
mod error;
mod explain;
mod http;
mod lifecycle;
mod listener;
mod logging;
mod publish;
#[cfg_attr(not(feature = "otel"), path = "traces/none.rs")]
mod traces;

pub use error::ServeError;
pub use explain::{Explanation, OverTls, TriedRoute, explain};
#[cfg(any(test, fuzzing))]
pub(crate) use http::connection::http2;
pub use http::forward::Page;
#[cfg(any(test, fuzzing))]
pub(crate) use http::request_lines::RequestLines;
pub use lifecycle::handover::HandoverError;
pub use lifecycle::reload::applied::Applied;
pub use lifecycle::run::{Introduction, Start, check, run};
pub use lifecycle::server::Server;
pub use lifecycle::signals::StopSignal;
pub use listener::address::BoundAddress;
pub use listener::bind::BindError;
pub use listener::passed::{PassedError, PassedSockets};
#[cfg(any(test, fuzzing))]
pub(crate) use listener::proxy_header;
pub use logging::{LogCopy, LogError, has_color, report};
#[cfg(any(test, fuzzing))]
pub(crate) use publish::PublishService;
pub use traces::TracesError;
