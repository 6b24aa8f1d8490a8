//! What an interface has of its own.

use std::time::Duration;

use http::uri::Scheme;
use http::{Method, request};
use tokio_util::sync::CancellationToken;

use super::library::ClientAddr;
use super::response::{Refusal, Refused};

/// What distinguishes an interface from the others, beside its router.
pub(crate) trait Api: Send + Sync + 'static {
    /// What it is called before `interface` and `connection`.
    const NAME: &'static str;

    /// From the accept of a connection on; the request that the connection is in then is its last. An answer that is a
    /// stream goes on. `None` is as long as the client wants.
    const LIFETIME: Option<Duration>;

    /// From the accept, or the last answer, to the end of a request's head.
    const HEAD_TIMEOUT: Duration;

    /// For so long answers are made without a pause in which the worker does what else there is to do.
    const SLICE: Duration;

    /// What a handler has to know about the client of a request.
    type Client: Clone + Send + Sync + 'static;

    /// What becomes of the body of a request.
    fn body_use(&self, method: &Method, path: &str) -> BodyUse;

    /// Whether a request for this path is answered without a proof of who its client is.
    fn is_open(path: &str) -> bool;

    /// Decides whether a request is answered.
    fn admit(&self, head: &request::Parts, endpoint: &Endpoint) -> Result<Self::Client, Refusal>;

    /// A request was refused; its client is known if it was admitted.
    fn refused(&self, refused: &Refused, client: Option<&Self::Client>, endpoint: &Endpoint) {
        let _without_a_word = (refused, client, endpoint);
    }
}

/// What becomes of the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyUse {
    /// Nothing: the connection ends behind the answer.
    Unread,
    /// The handler reads it.
    Handler,
    /// It is read before the handler is called, and has so many bytes at most.
    Whole(usize),
}

/// Where a request has come in.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The scheme of the connection's requests.
    pub(crate) scheme: Scheme,
    /// Whether a browser could be tricked into reaching this address.
    pub(crate) browsable: bool,
    /// Who has connected.
    pub(crate) peer: ClientAddr,
    /// Cancelled when the address is no longer the interface's: a connection then finishes the
    /// request that it is in.
    pub(crate) closing: CancellationToken,
}
