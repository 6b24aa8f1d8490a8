//! The protocol that a CONNECT names, for the gate (RFC 8441 §4).

use http::request::Parts;

use crate::{StreamSender, StreamUpgrade};

const WEBSOCKET: &str = "websocket";

/// Lets the gate take the stream of this request, and tells it what hyper's server would: the protocol that the
/// client asks for.
pub(crate) fn offer_stream(parts: &mut Parts) -> StreamSender {
    let protocol = parts.extensions.remove::<h2::ext::Protocol>();
    if protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case(WEBSOCKET)) {
        let websocket = hyper::ext::Protocol::from_static(WEBSOCKET);
        parts.extensions.insert(websocket);
    }
    let (sender, upgrade) = StreamUpgrade::pair();
    parts.extensions.insert(upgrade);
    sender
}
