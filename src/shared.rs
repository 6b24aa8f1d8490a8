//! What several gates share through an engine (Redis or Valkey): limits that count over all of them.
//!
//! ```text
//! Shared (a handle) ─► Limits ─► Engine ─► server
//!        └─ one task: connections, places of sessions, loans
//! ```

#[cfg(feature = "shared")]
mod backlog;
#[cfg(feature = "shared")]
mod bus;
#[cfg(feature = "shared")]
mod counts;
#[cfg(feature = "shared")]
mod current;
#[cfg(feature = "shared")]
mod digest;
#[cfg(feature = "shared")]
mod engine;
#[cfg(all(test, feature = "shared"))]
#[allow(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "a part of the tests"
)]
#[path = "../tests/it/kit/engine_server.rs"]
mod engine_server;
#[cfg_attr(not(feature = "shared"), allow(dead_code))]
mod exchange;
#[cfg(feature = "shared")]
mod handle;
mod info;
#[cfg(feature = "shared")]
mod limits;
#[cfg(not(feature = "shared"))]
mod none;
mod parts;
#[cfg(feature = "shared")]
mod repeats;
#[cfg(feature = "shared")]
mod tickets;

pub(crate) use exchange::{
    Answer, Answers, Base64, Envelope, Member, NoAnswer, Question, Receiver,
};
#[cfg(feature = "shared")]
pub(crate) use handle::{Shared, SharedRates};
#[cfg(feature = "shared")]
pub(crate) use limits::{Counted, Lease, Verdict, Wanted};
#[cfg(not(feature = "shared"))]
pub(crate) use none::{Counted, Lease, Shared, SharedRates, SharedRepeat, Verdict, Wanted};
pub(crate) use parts::SharedParts;
#[cfg(feature = "shared")]
pub(crate) use repeats::SharedRepeat;
