//! The way of a request, top-down: receive → route → policies → connect → 101 → session.
//!
//! [`receive()`] reads the head once and finds the route; what comes of it is a
//! [`Handshake`](crate::request::Handshake), which [`run`] takes through the other stages.
//! `plain` does the same with a plain request as far as it goes. Only here the stages meet.

mod admit;
mod channels;
mod connection_key;
mod core;
mod counts;
mod explain;
mod forwarding;
mod hint;
mod in_flight;
mod plain;
mod plain_body;
mod proxied;
mod receive;
mod refusal;
mod run;
mod server_drains;
mod shown;
mod snapshot;
mod upgrade;

pub use connection_key::ConnectionKey;
pub use explain::{Destination, Explanation, TriedRoute};
pub use plain::PlainRequest;
pub use plain_body::{PlainRequestBody, PlainResponseBody, Undelivered};

pub(crate) use core::{Core, FindClientAddr, MakeFilter, Seams};
pub(crate) use counts::RouteCounts;
pub(crate) use explain::explain;
pub(crate) use plain::{admit as admit_plain, refuse as refuse_plain, refuse_by_host};
pub(crate) use receive::{Received, Unrouted, receive};
pub(crate) use run::answer;
pub(crate) use snapshot::{CustomPolicies, Snapshot};
pub(crate) use upgrade::Upgrade;
