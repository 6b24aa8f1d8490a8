//! The spans of a handshake, of its session and of a forwarded plain request, for an OpenTelemetry collector.
//!
//! ```text
//! websocket ROUTE (server)      from the request to the end of the session, or to its refusal
//! └─ handshake                  from the request to its 101 or its refusal
//!    └─ connect                 the dial
//!
//! METHOD ROUTE (server)         from a plain request to the end of its response, or to its refusal
//! └─ connect                    the dial, if there was no idle connection
//! ```
//!
//! What is here makes spans and says what they tell: no query, no header, no payload. Where they go is
//! the program's business. Without the feature `otel` there are no spans, and all of it is empty.

#[cfg(feature = "otel")]
mod context;
#[cfg(not(feature = "otel"))]
mod none;
#[cfg(feature = "otel")]
mod plain;
#[cfg(feature = "otel")]
mod recorded;

#[cfg(not(feature = "otel"))]
pub use none::Tracing;
#[cfg(not(feature = "otel"))]
pub(crate) use none::{HandshakeTrace, PlainTrace, SessionTrace, SpanParents};
#[cfg(feature = "otel")]
pub(crate) use plain::PlainTrace;
#[cfg(feature = "otel")]
pub use recorded::Tracing;
#[cfg(feature = "otel")]
pub(crate) use recorded::{HandshakeTrace, SessionTrace, SpanParents};
