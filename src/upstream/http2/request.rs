//! The head of a request as HTTP/2 has it.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version, header, request};

/// The head has no authority that HTTP/2 could carry.
#[derive(Debug, thiserror::Error)]
#[error("the request has no authority of HTTP/2")]
pub(crate) struct NoAuthority;

/// What HTTP/2 has in other places, or not at all (RFC 9113 §8.2.2).
const OF_HTTP1: [header::HeaderName; 4] = [
    header::CONNECTION,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The same head with its `Host` as `:authority` and a scheme.
pub(super) fn on_stream(
    mut parts: request::Parts,
    is_tls: bool,
) -> Result<Request<()>, NoAuthority> {
    let host = parts.headers.get(header::HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let path = parts.uri.path_and_query().cloned();
    let uri = Uri::builder()
        .scheme(if is_tls { Scheme::HTTPS } else { Scheme::HTTP })
        .authority(authority.ok_or(NoAuthority)?)
        .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    parts.uri = uri.build().map_err(|_| NoAuthority)?;
    parts.version = Version::HTTP_2;
    for name in &OF_HTTP1 {
        parts.headers.remove(name);
    }
    Ok(Request::from_parts(parts, ()))
}
