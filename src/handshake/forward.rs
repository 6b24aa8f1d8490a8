//! The request that goes upstream.

use std::fmt;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::Empty;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::channels_header::CHANNELS;
use super::{forwarded, max_forwards};
use crate::config::{Compression, UpstreamHttp};
use crate::rejection::Rejection;
use crate::request::{
    Deflate, Grant, Handshake, Offer, Subprotocols, belongs_to_handshake, extension_header,
    is_alias_of, is_hop_by_hop,
};

/// What the upstream was offered, which its answer has to fit.
pub(crate) struct Sent {
    /// The `Sec-WebSocket-Accept` that answers this leg's key. HTTP/2 has neither (RFC 8441 §5).
    pub(super) accept: Option<String>,
    pub(super) subprotocols: Subprotocols,
    /// What the client is answered where none of them is chosen.
    pub(super) marker: Option<HeaderValue>,
    pub(super) deflate: Vec<Deflate>,
}

/// Writes the WebSocket handshake for the upstream: the client's end-to-end headers, this hop's own, and over
/// HTTP/1.1 a key of its own (RFC 6455 §4.1). Over HTTP/2 it is to become an extended CONNECT (RFC 8441 §5).
///
/// `path_and_query` goes into the request line; the server's base path and the route's rewrite are
/// in it.
///
/// # Errors
/// [`Rejection::Path`] if that is not a path, and [`Rejection::Header`] if a header that the
/// route sets comes out with a value that no header has.
pub(crate) fn upstream_request(
    handshake: &Handshake,
    offer: &Offer,
    path_and_query: String,
    http: UpstreamHttp,
) -> Result<(Request<Empty<Bytes>>, Sent), Rejection> {
    let key = match http {
        UpstreamHttp::H1 => Some(generate_key()),
        UpstreamHttp::H2 => None,
    };
    let sent = Sent {
        accept: (key.as_ref()).map(|key| derive_accept_key(key.as_bytes())),
        subprotocols: handshake.forwarded_subprotocols(),
        marker: (handshake.subprotocol_marker()).and_then(|name| HeaderValue::from_str(name).ok()),
        deflate: match handshake.settings().compression {
            Compression::Passthrough => offer.deflate.clone(),
            Compression::Off => Vec::new(),
        },
    };
    let mut headers = request_headers(handshake)?;
    if !headers.contains_key(header::HOST) {
        return Err(Rejection::Host);
    }
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    if let Some(key) = key {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let key = HeaderValue::try_from(key).map_err(|_| Rejection::Header)?;
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    if let Some(offer) = sent.subprotocols.to_header() {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offer);
    }
    if let Some(offer) = extension_header(&sent.deflate) {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, offer);
    }
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = origin_form(path_and_query)?;
    *request.headers_mut() = headers;
    Ok((request, sent))
}

/// The headers with which a plain HTTP request goes upstream: by the same rules, without the
/// handshake. Its version and its body, `Content-Length` included, are left alone. One that names no
/// authority gets no `Host` here: it is that of the server.
///
/// # Errors
/// [`Rejection::Header`] if a header that the route sets comes out with a value that no header has, and
/// [`Rejection::MaxForwards`] if the request goes no further.
pub(crate) fn plain_request_headers(handshake: &Handshake) -> Result<HeaderMap, Rejection> {
    request_headers(handshake)
}

/// The server's base path, the route's path and the request's own query.
pub(crate) fn path_and_query(base: &str, path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => [base, path, "?", query].concat(),
        None => [base, path].concat(),
    }
}

/// What every request upstream has in common.
fn request_headers(handshake: &Handshake) -> Result<HeaderMap, Rejection> {
    let mut headers = end_to_end(handshake)?;
    // The very authority that the route and the Origin were checked against.
    let authority = handshake.target().authority().map(HeaderValue::try_from);
    let authority = authority.transpose().map_err(|_| Rejection::Host)?;
    if let Some(authority) = &authority {
        headers.insert(header::HOST, authority.clone());
    }
    set(&mut headers, handshake)?;
    for grant in handshake.grants() {
        put_in_granted(&mut headers, grant);
    }
    forwarded::put_in(&mut headers, handshake, authority)?;
    Ok(headers)
}

/// The received lines that go on: all but those that end at this hop, those of the handshake, which
/// each leg has its own of, and those that the route or a grant replaces.
fn end_to_end(handshake: &Handshake) -> Result<HeaderMap, Rejection> {
    let route = handshake.settings();
    let received = handshake.headers();
    let trusted = handshake.client_identity().trusted;
    let forwarding = forwarded::Filter::new(route.headers.forwarded, trusted);
    let without_body = handshake.is_websocket();
    let max_forwards = max_forwards::decrement(handshake)?;
    let mut headers = HeaderMap::with_capacity(received.len() + ADDED);
    for (name, value) in received {
        let text = name.as_str();
        if belongs_to_hop(text)
            || name == header::HOST
            || without_body && is_about_a_body(text)
            || forwarding.takes_out(text)
            || handshake.nominates(name)
            || handshake.is_credential(text)
            || is_replaced(handshake, text)
            || names_channels(handshake, text)
        {
            continue;
        }
        if forwarding.is_real_ip(text) {
            // It has no chain to walk: its one true value is the client that was found.
            headers.insert(name, forwarded::address(handshake.client())?);
        } else if let (&header::MAX_FORWARDS, Some(left)) = (name, &max_forwards) {
            headers.insert(name, left.clone());
        } else if name == header::COOKIE {
            if let Some(cookies) = handshake.forwarded_cookies(value) {
                headers.append(name, cookies);
            }
        } else {
            headers.append(name, value.clone());
        }
    }
    Ok(headers)
}

/// Headers that the gate itself puts into most requests.
const ADDED: usize = 8;

/// What says something of a body; a handshake has none.
fn is_about_a_body(name: &str) -> bool {
    matches!(name, "content-length" | "expect")
}

fn belongs_to_hop(name: &str) -> bool {
    is_hop_by_hop(name) || belongs_to_handshake(name)
}

/// Whether the route or a grant takes this header out, in whatever spelling a backend could take
/// for the one that they name.
fn is_replaced(handshake: &Handshake, name: &str) -> bool {
    let changes = &handshake.settings().headers;
    let removed = changes.remove.iter();
    let removed = removed.chain(match handshake.client_identity().trusted {
        Some(_) => &[],
        None => &changes.remove_untrusted[..],
    });
    let set = changes.set.iter().map(|(name, _)| name);
    let granted = handshake.grants().iter().flat_map(granted);
    let granted = granted.map(|(name, _)| name);
    let mut replaced = removed.chain(set).chain(granted);
    replaced.any(|replaced| is_alias_of(replaced.as_str(), name))
}

/// Whether the header would name the session's channels in the upstream's answer: a server that answers with what it is sent
/// would have the client name them.
fn names_channels(handshake: &Handshake, name: &str) -> bool {
    let is_let = handshake.settings().channels.upstream_header;
    is_let && is_alias_of(CHANNELS.as_str(), name)
}

/// The headers of a grant; what belongs to the connection or a body is none of a policy's.
fn granted(grant: &Grant) -> impl Iterator<Item = &(HeaderName, Option<HeaderValue>)> {
    let granted = grant.headers().iter();
    granted.filter(|(name, _)| !belongs_to_hop(name.as_str()) && !is_about_a_body(name.as_str()))
}

/// Puts in what a grant sends, in the place of what is there under its names.
fn put_in_granted(headers: &mut HeaderMap, grant: &Grant) {
    let sent = || granted(grant).filter_map(|(name, value)| Some((name, value.as_ref()?)));
    for (name, _) in sent() {
        headers.remove(name);
    }
    for (name, value) in sent() {
        headers.append(name, value.clone());
    }
}

/// Puts in what the route sets.
fn set(headers: &mut HeaderMap, handshake: &Handshake) -> Result<(), Rejection> {
    for (name, template) in &handshake.settings().headers.set {
        // Without a value the client's own header of this name is out all the same.
        if let Some(value) = handshake.render(template) {
            let value = HeaderValue::try_from(value);
            headers.insert(name, value.map_err(|_| Rejection::Header)?);
        }
    }
    Ok(())
}

fn origin_form(path_and_query: String) -> Result<Uri, Rejection> {
    if !path_and_query.starts_with('/') {
        return Err(Rejection::Path);
    }
    let parsed = PathAndQuery::from_maybe_shared(Bytes::from(path_and_query));
    Ok(Uri::from(parsed.map_err(|_| Rejection::Path)?))
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent")
            .field("subprotocols", &self.subprotocols)
            .field("deflate", &self.deflate)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
