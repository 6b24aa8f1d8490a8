//! The request that goes upstream.

use std::fmt;

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::Empty;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::extensions::{self, Deflate};
use super::hop::Hop;
use super::request::Upgrade;
use super::subprotocols::Subprotocols;
use super::{fields, forwarded, list};
use crate::config::{Compression, Values};
use crate::rejection::Rejection;

/// What the upstream was asked, which its answer has to fit.
pub(crate) struct Sent {
    /// The `Sec-WebSocket-Accept` that answers this leg's key.
    pub(super) accept: String,
    pub(super) subprotocols: Subprotocols,
    pub(super) deflate: Vec<Deflate>,
}

/// Writes the WebSocket handshake for the upstream (RFC 6455 §4.1): the client's end-to-end
/// headers, this hop's own, and a key of its own.
///
/// `path_and_query` is what the server is asked for, its base path and the route's rewrite
/// applied.
///
/// # Errors
/// [`Rejection::Path`] if that is not a path, and [`Rejection::Header`] if a header that the
/// route sets comes out with a value that no header has.
pub(crate) fn upstream_request(
    parts: &Parts,
    upgrade: &Upgrade,
    path_and_query: &str,
    hop: &Hop<'_>,
) -> Result<(Request<Empty<Bytes>>, Sent), Rejection> {
    let key = generate_key();
    let sent = Sent {
        accept: derive_accept_key(key.as_bytes()),
        subprotocols: upgrade.subprotocols.clone(),
        deflate: match hop.route.compression {
            Compression::Passthrough => upgrade.deflate.clone(),
            Compression::Off => Vec::new(),
        },
    };
    let mut headers = request_headers(&parts.headers, hop)?;
    // They are about a body, and there is none.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::EXPECT);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    let key = HeaderValue::try_from(key).map_err(|_| Rejection::Header)?;
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    if let Some(offer) = sent.subprotocols.to_header() {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offer);
    }
    if let Some(offer) = extensions::to_header(&sent.deflate) {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, offer);
    }
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = origin_form(path_and_query)?;
    *request.headers_mut() = headers;
    Ok((request, sent))
}

/// The headers with which a plain HTTP request goes upstream: by the same rules, without the
/// handshake. Its version and its body, `Content-Length` included, are left alone.
///
/// # Errors
/// [`Rejection::Header`], [`Rejection::ConnectionNominates`] and [`Rejection::HeaderAlias`], as for
/// a handshake; [`Rejection::Framing`] for a body in another coding than `chunked`.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
pub(crate) fn plain_request_headers(
    received: &HeaderMap,
    hop: &Hop<'_>,
) -> Result<HeaderMap, Rejection> {
    fields::check(received)?;
    check_codings(received)?;
    request_headers(received, hop)
}

/// Hyper takes any codings whose last is `chunked`, undoes that one and frames the body anew: the
/// upstream would get a `gzip` body and not be told (RFC 9112 §6.1).
fn check_codings(headers: &HeaderMap) -> Result<(), Rejection> {
    let codings = list::tokens(headers, &header::TRANSFER_ENCODING);
    match codings.map_err(|_| Rejection::Framing)?[..] {
        [] => Ok(()),
        [coding] if coding.eq_ignore_ascii_case("chunked") => Ok(()),
        _ => Err(Rejection::Framing),
    }
}

/// What every request upstream has in common.
fn request_headers(received: &HeaderMap, hop: &Hop<'_>) -> Result<HeaderMap, Rejection> {
    let mut headers = fields::end_to_end(received);
    forwarded::take_out(&mut headers, hop)?;
    let changes = &hop.route.headers;
    for name in &changes.remove {
        fields::remove_with_aliases(&mut headers, name);
    }
    // The very authority that the route and the Origin were checked against.
    let host = HeaderValue::try_from(hop.target.authority()).map_err(|_| Rejection::Host)?;
    headers.insert(header::HOST, host);
    for (name, _) in &changes.set {
        fields::remove_with_aliases(&mut headers, name);
    }
    let values = Values {
        client_ip: hop.client_ip,
        host: hop.target.host(),
        route: &hop.route.name,
        path: hop.captured,
    };
    for (name, template) in &changes.set {
        let value = HeaderValue::try_from(template.render(&values));
        headers.insert(name, value.map_err(|_| Rejection::Header)?);
    }
    forwarded::put_in(&mut headers, received, hop)?;
    Ok(headers)
}

fn origin_form(path_and_query: &str) -> Result<Uri, Rejection> {
    let parsed: PathAndQuery = path_and_query.parse().map_err(|_| Rejection::Path)?;
    match path_and_query.starts_with('/') {
        true => Ok(Uri::from(parsed)),
        false => Err(Rejection::Path),
    }
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
