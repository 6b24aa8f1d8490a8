//! Clients that a policy of an embedder's knows.

use std::time::{Duration, UNIX_EPOCH};

use wsgate::{Grant, Handshake, Identity, Rejection};

use super::Request;

/// Knows a client by its headers: `x-subject`, and `x-issuer`, `x-jti` and `x-sid` for a token, and `x-issued-at` (in
/// seconds since 1970). Without a subject it lets in whom it does not know.
pub(crate) fn by_headers(handshake: &Handshake) -> Result<Grant, Rejection> {
    let header = |name| {
        let value = handshake.headers().get(name)?;
        value.to_str().ok()
    };
    let Some(subject) = header("x-subject") else {
        return Ok(Grant::new());
    };
    let mut identity = Identity::new(subject);
    if let Some(issuer) = header("x-issuer") {
        let token = identity.with_issuer(issuer);
        identity = token.with_token(header("x-jti"), header("x-sid"));
    }
    if let Some(seconds) = header("x-issued-at").and_then(|seconds| seconds.parse().ok()) {
        identity = identity.with_issued_at(UNIX_EPOCH + Duration::from_secs(seconds));
    }
    Ok(Grant::new().with_identity(identity))
}

/// A handshake of this client, whom [`by_headers`] knows.
pub(crate) fn known_as(subject: &str) -> Request {
    Request::websocket("/").header("x-subject", subject)
}
