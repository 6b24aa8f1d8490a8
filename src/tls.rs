//! TLS towards servers and clients: what the settings give it, and the handshakes.
//!
//! A host that serves the listeners of the settings itself takes their TLS from
//! [`Config::listen_tls`](crate::Config::listen_tls), and puts [`TlsClient::over_tls`] into the extensions of each
//! request.

#[cfg(feature = "tls")]
mod accept_error;
#[cfg(feature = "tls")]
mod acceptor;
#[cfg(feature = "tls")]
#[cfg_attr(not(feature = "acme"), allow(dead_code))]
mod certificate;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod error;
mod failure;
#[cfg(not(feature = "tls"))]
mod none;
#[cfg(feature = "tls")]
#[cfg_attr(not(feature = "acme"), allow(dead_code))]
mod ordered;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
#[cfg_attr(not(feature = "acme"), allow(dead_code))]
mod server;
#[cfg(feature = "tls")]
mod tickets;

#[cfg(feature = "tls")]
pub use accept_error::TlsAcceptError;
#[cfg(feature = "tls")]
pub use acceptor::{Secured, TlsAcceptor, TlsClient};
#[cfg(feature = "tls")]
pub use certificate::CertificateFacts;
#[cfg(feature = "tls")]
pub(crate) use certificate::{CertificateDefect, ServerCertificate};
#[cfg(feature = "tls")]
pub(crate) use client::{ApplicationProtocol, ClientFiles, ClientTls};
#[cfg(feature = "tls")]
pub(crate) use error::TlsError;
pub(crate) use failure::TlsFailure;
#[cfg(not(feature = "tls"))]
pub(crate) use none::ClientTls;
#[cfg(feature = "acme")]
pub(crate) use ordered::Challenges;
#[cfg(feature = "tls")]
pub(crate) use ordered::OrderedCertificate;
#[cfg(feature = "tls")]
pub(crate) use server::ClientCertificates;
#[cfg(feature = "tls")]
pub use server::ServerTls;
#[cfg(feature = "tls")]
pub use tickets::{KEY_LENGTH, Tickets};
