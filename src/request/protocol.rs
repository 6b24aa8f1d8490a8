//! The protocol that an extended CONNECT asks for (RFC 8441 §4). Hyper has no type for it without its HTTP/2.

use http::request::Parts;

/// Whether `:protocol` is `websocket`.
#[cfg(feature = "http2")]
pub(super) fn is_websocket(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<hyper::ext::Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

/// The host serves no HTTP/2 with hyper, or the gate is not to know.
#[cfg(not(feature = "http2"))]
pub(super) fn is_websocket(_: &Parts) -> bool {
    false
}
