//! The handshake on both legs: a client's request becomes an [`Upgrade`] or a
//! [`Rejection`](crate::Rejection), the upstream is asked in its turn, and its answer is checked
//! before the client hears of it (RFC 6455 §4).
//!
//! Nothing is ever copied from one leg to the other as bytes: both heads are written anew from
//! what was parsed.

mod extensions;
mod fields;
#[cfg(test)]
mod fixtures;
mod forward;
mod forwarded;
mod hop;
mod list;
mod request;
mod response;
mod subprotocols;
mod target;

#[cfg(feature = "server")]
pub(crate) use forward::plain_request_headers;
pub(crate) use forward::upstream_request;
pub(crate) use hop::Hop;
pub(crate) use request::{Upgrade, is_websocket};
#[cfg(feature = "server")]
pub(crate) use response::plain_response_headers;
pub(crate) use response::{Agreed, refused, switching_protocols, verify};
pub(crate) use target::Target;
