//! HTTP/2 to servers: connections that many sessions share (RFC 8441, RFC 9113).
//!
//! ```text
//! Connections::place: a free place for a stream, or a new connection ─► ask: CONNECT out, 200 back ─► Http2Stream
//! ```
//!
//! A connection belongs to one server and one runtime, on which its driver runs. It is closed when it has had no
//! stream for a while; a stream holds it open, whatever becomes of the server's settings meanwhile.

#[cfg(feature = "http2")]
mod ask;
#[cfg(feature = "http2")]
mod connection;
#[cfg(feature = "http2")]
mod connections;
#[cfg(feature = "http2")]
mod driver;
#[cfg(feature = "http2")]
mod interim;
#[cfg(not(feature = "http2"))]
mod none;
#[cfg(feature = "http2")]
mod places;
#[cfg(feature = "http2")]
mod plain;
#[cfg(feature = "http2")]
mod request;
#[cfg(feature = "http2")]
mod unprocessed;

#[cfg(feature = "http2")]
pub(super) use ask::{AskError, ask};
#[cfg(feature = "http2")]
pub(super) use connections::{Connections, Way};
#[cfg(not(feature = "http2"))]
pub(crate) use none::Place;
#[cfg(not(feature = "http2"))]
pub(super) use none::{AskError, Connections, Way, ask};
#[cfg(not(feature = "http2"))]
pub use none::{Http2Body, Http2Error, Http2Sender};
#[cfg(feature = "http2")]
pub(crate) use places::Place;
#[cfg(feature = "http2")]
pub use plain::{Http2Body, Http2Error, Http2Sender};
