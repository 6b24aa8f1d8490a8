//! What becomes of a response that goes on to a client.

use std::error::Error;

use super::pace::PaceError;
use super::server_body::ServerBodyError;
use crate::server::http::limiter::{ClientState, PeerState};
use crate::{PlainRequest, Undelivered};

/// Why a response was dropped before its end.
pub(super) fn undelivered(client: Option<&ClientState>) -> Undelivered {
    let Some(client) = client else {
        return Undelivered::Cut;
    };
    match client.peer() {
        PeerState::Slow => {
            client.slow_response_told();
            Undelivered::SlowClient
        }
        PeerState::Gone => Undelivered::ClientLost,
        // The connection was given up, at the deadline of a drain.
        PeerState::Present => Undelivered::Cut,
    }
}

/// Reports a response that its server did not finish.
pub(super) fn report_failure(request: &PlainRequest, error: &(dyn Error + 'static)) {
    match error.downcast_ref::<PaceError<ServerBodyError>>() {
        Some(PaceError::Paused(_)) => request.fell_silent(error),
        Some(PaceError::Body(_)) | None => request.broke_off(error),
    }
}
