//! A client's connection for as long as it speaks HTTP.
//!
//! ```text
//! connection ─► its requests, one by one ─┬─ WebSocket ─► the gate
//!                                         └─ plain HTTP ─► forward ─► a server
//! ```
//!
//! A load balancer's question for the gate's health is answered before that ([`health`]).
//!
//! The limiter counts connections that are not sessions, and evicts idle ones when others need their
//! descriptors.

mod client_body;
pub(crate) mod connection;
pub(crate) mod forward;
pub(crate) mod health;
pub(crate) mod idle_timeout;
pub(crate) mod last_answer;
pub(crate) mod limiter;
pub(crate) mod request_lines;
pub(crate) mod tls_handshakes;
