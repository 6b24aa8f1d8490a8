//! Requests that a server has not processed.

use h2::Reason;

/// Whether the server says that it has not processed a request (RFC 9113 §8.7): by a GOAWAY that leaves the stream out, or
/// by `REFUSED_STREAM`. Such a request may be sent again.
pub(super) fn is_unprocessed(error: &h2::Error) -> bool {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (error.is_go_away() || is_refused)
}
