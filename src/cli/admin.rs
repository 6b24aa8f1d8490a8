//! The admin interface of a running process.
//!
//! ```text
//! target: where, and with which token ─► client: one request, one response
//! ```

mod address;
mod client;
mod request_target;
mod selection;
mod target;
mod tls;
mod token;

pub(super) use address::AdminAddress;
pub(super) use client::{Client, ClientError};
pub(super) use request_target::RequestTarget;
pub(super) use selection::Selection;
pub(super) use target::Target;
