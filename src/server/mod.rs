//! The standalone program: a plain HTTP/1.1 server with the gate in it.
//!
//! ```text
//! signals ─► Server ─► accept loop ─► the worker with the least to do ─► connection
//!                                        ├─ WebSocket ─► gate
//!                                        └─ plain HTTP ─► forward
//! ```
//!
//! [`run`] is the whole program below its command line. [`Server`] is the same without signals and
//! log, for a process that has its own.

mod accept;
mod admin;
mod bound;
mod connection;
mod descriptors;
mod dispatch;
mod error;
mod forward;
mod handover;
mod listen;
mod logging;
mod notify;
mod open;
mod passed;
mod patience;
mod process;
mod reload;
mod room;
mod run;
mod serving;
mod signals;
#[cfg_attr(not(feature = "otel"), path = "traces/none.rs")]
mod traces;
mod workers;

pub use bound::BoundAddress;
pub use error::ServeError;
pub use forward::Page;
pub use handover::HandoverError;
pub use listen::BindError;
pub use logging::{LogError, has_color};
pub use passed::{PassedError, PassedSockets};
pub use reload::applied::Applied;
pub use run::{Start, check, run};
pub use serving::Server;
pub use signals::StopSignal;
pub use traces::TracesError;
