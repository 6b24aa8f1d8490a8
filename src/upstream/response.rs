//! What a server says to a handshake.

use std::fmt;

use bytes::Bytes;
use http::response;

use crate::transport::Transport;

/// What the server said.
pub(crate) enum UpstreamResponse<T = Transport> {
    /// An acceptance that is still to be verified: a 101 of HTTP/1.1 (RFC 6455 §4.1), or a 2xx of HTTP/2 (RFC 8441 §5).
    Accepted {
        parts: response::Parts,
        transport: T,
        /// What the server sent right behind its head: the first bytes of the session.
        early: Bytes,
    },
    /// A redirect, 4xx or 5xx. The connection or the stream is gone.
    Refused {
        /// Without the headers that framed the body, which is whole here.
        parts: response::Parts,
        /// `None` where it is longer than 64 KiB.
        body: Option<Bytes>,
    },
}

/// The longest body of a refusal that is passed on.
pub(super) const BODY_SIZE: usize = 64 * 1024;

impl<T> fmt::Debug for UpstreamResponse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers, body and early bytes are the server's secrets.
        let (name, parts) = match self {
            Self::Accepted { parts, .. } => ("Accepted", parts),
            Self::Refused { parts, .. } => ("Refused", parts),
        };
        f.debug_struct(name)
            .field("status", &parts.status)
            .finish_non_exhaustive()
    }
}
