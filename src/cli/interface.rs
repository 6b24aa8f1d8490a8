//! An interface of a running process.
//!
//! ```text
//! target of a command: where, and with which token ─► client: one request, one response
//! ```

mod address;
mod certificates;
mod client;
mod kind;
mod request_target;
mod tls;
mod token;

pub(super) use address::InterfaceAddress;
pub(super) use certificates::certificates;
pub(super) use client::{Client, ClientError, Message};
pub(super) use kind::Interface;
pub(super) use request_target::RequestTarget;
pub(super) use tls::{InterfaceTls, Trust};
pub(super) use token::Token;
