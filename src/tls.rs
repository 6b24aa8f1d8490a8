//! TLS towards servers: what the settings give it, and the handshake.

#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod error;
mod failure;
#[cfg(not(feature = "tls"))]
mod none;

#[cfg(feature = "tls")]
pub(crate) use client::{ClientFiles, ClientTls};
pub(crate) use failure::TlsFailure;
#[cfg(not(feature = "tls"))]
pub(crate) use none::ClientTls;
