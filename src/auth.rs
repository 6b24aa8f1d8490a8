//! Who may come in, and as whom: the credentials of clients, the keys of issuers, tickets, and authentication servers.
//!
//! ```text
//! credential ─► ticket, key or token ─► RouteAuth ─► Grant (identity, expiry) or rejection
//!                                └─► TrustedIssuer ─► KeySource (kept fresh in the background)
//! ```

#[cfg(feature = "auth")]
mod admitted;
#[cfg(feature = "auth")]
mod authenticator;
#[cfg(feature = "auth")]
mod digest;
mod ended_login;
#[cfg(feature = "auth")]
mod forward;
#[cfg(feature = "auth")]
mod key_source;
mod key_source_info;
#[cfg(not(feature = "auth"))]
mod none;
mod not_issued;
#[cfg(feature = "auth")]
mod requirement;
#[cfg(feature = "auth")]
mod route_auth;
#[cfg(feature = "auth")]
mod shown_url;
#[cfg(feature = "auth")]
mod tickets;
#[cfg(feature = "auth")]
mod trusted_issuer;

#[cfg(feature = "auth")]
pub(crate) use authenticator::Authenticator;
#[cfg(not(feature = "auth"))]
pub(crate) use none::{Authenticator, RouteAuth};
pub(crate) use not_issued::NotIssued;
#[cfg(feature = "auth")]
pub(crate) use route_auth::RouteAuth;
