//! What an interface has of its own.

use std::time::Duration;

use axum::body::Body;
use http::uri::Scheme;
use http::{Method, Request};
use tokio_util::sync::CancellationToken;

use super::response::Refusal;

/// What distinguishes an interface from the others, beside its router.
pub(crate) trait Api: Send + Sync + 'static {
    /// What it is called before `interface` and `connection`.
    const NAME: &'static str;

    /// From the accept of a connection on; the request that the connection is in then is its last. An answer that is a
    /// stream goes on.
    const LIFETIME: Duration;

    /// Whether the body of a request is read.
    fn takes_body(method: &Method, path: &str) -> bool;

    /// Whether a request for this path is answered without a proof of who its client is.
    fn is_open(path: &str) -> bool;

    /// Decides whether a request is answered, and gives it what its handler has to know about that.
    fn admit(&self, request: &mut Request<Body>, endpoint: &Endpoint) -> Result<(), Refusal>;
}

/// Where a request has come in.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The scheme of the connection's requests.
    pub(crate) scheme: Scheme,
    /// Whether a browser could be tricked into reaching this address.
    pub(crate) browsable: bool,
    /// Cancelled when the address is no longer the interface's: a connection then finishes the
    /// request that it is in.
    pub(crate) closing: CancellationToken,
}
