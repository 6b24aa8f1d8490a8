//! The upstream's answer, and what the client hears of it.

use std::fmt;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use http_body_util::Full;

use super::channels_header::CHANNELS;
use super::forward::Sent;
use crate::rejection::{Rejection, is_passed_on};
use crate::request::{
    Acceptance, Deflate, chosen_extension, describe_own_body, extension_header, has_token,
    keep_end_to_end, only, trim,
};

/// What both legs have agreed upon.
pub(crate) struct Agreed {
    subprotocol: Option<HeaderValue>,
    deflate: Option<Deflate>,
    /// The end-to-end headers of the upstream's 101.
    headers: HeaderMap,
    /// The lines of `Wsgate-Channels` in it.
    channels: Vec<HeaderValue>,
}

impl Agreed {
    /// The channels that the upstream names for the session; what is no text is none.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &str> {
        let lines = self.channels.iter().filter_map(|line| line.to_str().ok());
        let names = lines.flat_map(|line| line.split(',').map(str::trim));
        names.filter(|name| !name.is_empty())
    }

    /// Whether permessage-deflate is spoken, so that RSV1 has a meaning (RFC 7692 §6).
    pub(crate) fn deflate(&self) -> bool {
        self.deflate.is_some()
    }
}

/// The headers stay out (cookies), and the subprotocol, which may be a token.
impl fmt::Debug for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreed")
            .field("deflate", &self.deflate)
            .finish_non_exhaustive()
    }
}

/// Checks that the answer is the 101 to our request (RFC 6455 §4.1), or the 2xx where that was an extended CONNECT
/// (RFC 8441 §5), and nothing but what was offered is chosen in it.
///
/// # Errors
/// [`Rejection::UpstreamNot101`] for another status, [`Rejection::UpstreamBadResponse`] for a
/// version that has no 101, [`Rejection::UpstreamBad101`] where `Upgrade`, `Connection` or
/// `Sec-WebSocket-Accept` are not right, [`Rejection::UpstreamBadSubprotocol`] and
/// [`Rejection::UpstreamBadExtension`] for a choice that was not on offer.
pub(crate) fn verify(response: Parts, sent: &Sent) -> Result<Agreed, Rejection> {
    match &sent.accept {
        Some(accept) => verify_101(&response, accept)?,
        None if response.status.is_success() => {}
        None => return Err(Rejection::UpstreamNot101),
    }
    let headers = &response.headers;
    let subprotocol = chosen_subprotocol(headers, sent)?;
    let extensions = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    let deflate = chosen_extension(extensions, &sent.deflate)?;
    let mut headers = response.headers;
    keep_end_to_end(&mut headers);
    let channels = take_channels(&mut headers);
    // Neither a 101 nor the 2xx to a CONNECT has a body for these to be about (RFC 9110 §8.6).
    headers.remove(header::CONTENT_LENGTH);
    Ok(Agreed {
        subprotocol,
        deflate,
        headers,
        channels,
    })
}

/// The channels of a session are between the upstream and the gate: no client hears of them.
fn take_channels(headers: &mut HeaderMap) -> Vec<HeaderValue> {
    let lines = headers.get_all(&CHANNELS).iter().cloned().collect();
    headers.remove(&CHANNELS);
    lines
}

/// Checks that HTTP/1.1 was switched to WebSocket with this `Sec-WebSocket-Accept`.
fn verify_101(response: &Parts, expected: &str) -> Result<(), Rejection> {
    let headers = &response.headers;
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Rejection::UpstreamNot101);
    }
    if response.version != Version::HTTP_11 {
        return Err(Rejection::UpstreamBadResponse);
    }
    let upgrade = only(headers, &header::UPGRADE).map(|value| trim(value.as_bytes()));
    let accept = only(headers, &header::SEC_WEBSOCKET_ACCEPT);
    let accept = accept.map(|value| trim(value.as_bytes()));
    if !upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
        || !has_token(headers.get_all(header::CONNECTION), "upgrade")
        || accept != Some(expected.as_bytes())
    {
        return Err(Rejection::UpstreamBad101);
    }
    Ok(())
}

/// The client's answer (RFC 6455 §4.2.2 (5), RFC 8441 §5): its handshake accepted, and what was agreed.
pub(crate) fn accepted(acceptance: &Acceptance, agreed: Agreed) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.headers_mut() = agreed.headers;
    match acceptance {
        Acceptance::SwitchingProtocols { accept } => {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
        }
        // 200, and nothing of the connection (RFC 8441 §5).
        Acceptance::Stream => {}
    }
    let headers = response.headers_mut();
    if let Some(name) = agreed.subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    if let Some(answer) = extension_header(agreed.deflate.as_slice()) {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    response
}

/// Passes an upstream's own refusal (a redirect, 4xx or 5xx) on, with its whole body, or with a sentence of ours
/// where that is too long. The connection closes behind it, as behind every refused upgrade.
///
/// # Errors
/// [`Rejection::UpstreamNot101`] for an answer that refuses nothing: there is no 2xx to deliver in a
/// handshake. [`Rejection::UpstreamBadResponse`] for a status
/// that HTTP does not have.
pub(crate) fn refused(
    parts: Parts,
    body: Option<Bytes>,
) -> Result<Response<Full<Bytes>>, Rejection> {
    let status = parts.status;
    match is_passed_on(status) {
        true => {}
        false if status.as_u16() < 600 => return Err(Rejection::UpstreamNot101),
        false => return Err(Rejection::UpstreamBadResponse),
    }
    let version = parts.headers.get(header::SEC_WEBSOCKET_VERSION).cloned();
    let mut headers = parts.headers;
    keep_end_to_end(&mut headers);
    headers.remove(&CHANNELS);
    let rejection = Rejection::UpstreamAnswered(status);
    let body = body.unwrap_or_else(|| {
        describe_own_body(&mut headers);
        Bytes::from(format!("{}\n", rejection.message()))
    });
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::UPGRADE_REQUIRED {
        // A 426 says what to upgrade to (RFC 9110 §15.5.22, RFC 6455 §4.4).
        headers.insert(
            header::CONNECTION,
            HeaderValue::from_static("Upgrade, close"),
        );
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.extend(version.map(|version| (header::SEC_WEBSOCKET_VERSION, version)));
    }
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    // The typed cause, as a refusal of the gate's own has it.
    response.extensions_mut().insert(rejection);
    Ok(response)
}

fn chosen_subprotocol(headers: &HeaderMap, sent: &Sent) -> Result<Option<HeaderValue>, Rejection> {
    let name = header::SEC_WEBSOCKET_PROTOCOL;
    if !headers.contains_key(&name) {
        return Ok(sent.marker.clone());
    }
    let chosen = only(headers, &name).and_then(|answer| sent.subprotocols.find(answer));
    let chosen = chosen.and_then(|name| HeaderValue::from_str(name).ok());
    chosen.map(Some).ok_or(Rejection::UpstreamBadSubprotocol)
}

#[cfg(test)]
mod tests;
