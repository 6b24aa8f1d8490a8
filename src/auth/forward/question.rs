//! What an authentication server is asked.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Empty;

use crate::rejection::Rejection;
use crate::request::{
    Handshake, belongs_to_handshake, is_alias_of, is_forwarding, is_hop_by_hop, is_word_of_proxy,
};

/// A question about a request, which may be asked again: a GET with the request's own headers, credentials included.
pub(super) struct Question {
    url: Uri,
    headers: HeaderMap,
}

impl Question {
    /// `replaced` are the headers that are the server's to say.
    ///
    /// # Errors
    /// [`Rejection::Header`] if something of the request is no value of a header.
    pub(super) fn about<'n>(
        handshake: &Handshake,
        url: &Uri,
        replaced: impl Iterator<Item = &'n HeaderName>,
    ) -> Result<Self, Rejection> {
        let replaced: Vec<_> = replaced.map(HeaderName::as_str).collect();
        let mut headers = HeaderMap::with_capacity(handshake.headers().len() + ADDED);
        for (name, value) in handshake.headers() {
            let text = name.as_str();
            let is_replaced = || replaced.iter().any(|replaced| is_alias_of(replaced, text));
            if !ends_here(text) && !handshake.nominates(name) && !is_replaced() {
                headers.append(name, value.clone());
            }
        }
        // A WebSocket's is a GET, also where HTTP/2 says CONNECT.
        let method = match handshake.is_websocket() {
            true => &Method::GET,
            false => handshake.method(),
        };
        headers.insert(X_FORWARDED_METHOD, value(method.as_str())?);
        headers.insert(X_FORWARDED_PROTO, value(handshake.scheme())?);
        if let Some(authority) = handshake.target().authority() {
            headers.insert(X_FORWARDED_HOST, value(authority)?);
        }
        headers.insert(X_FORWARDED_URI, value(&path_and_query(handshake))?);
        headers.insert(X_FORWARDED_FOR, value(&handshake.client().to_string())?);
        Ok(Self {
            url: url.clone(),
            headers,
        })
    }

    /// `Host` comes with the connection.
    pub(super) fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Headers that are put in.
const ADDED: usize = 8;

/// Whether a header of the client says nothing to this server: it belongs to the connection, to the handshake or a
/// body, names a version of what is asked for, or says what only a proxy knows.
fn ends_here(name: &str) -> bool {
    is_hop_by_hop(name)
        || belongs_to_handshake(name)
        || name.starts_with("content-")
        || is_forwarding(name)
        || is_word_of_proxy(name)
        || ENDING.iter().any(|ending| ending == name)
}

/// A range or a condition would be of what the client asks for (RFC 9110 §13.1, §14.2).
const ENDING: [HeaderName; 9] = [
    header::EXPECT,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::MAX_FORWARDS,
    header::RANGE,
];

/// The path that the route was found by, and the query as received.
fn path_and_query(handshake: &Handshake) -> String {
    match handshake.query() {
        Some(query) => [handshake.path(), "?", query].concat(),
        None => handshake.path().to_owned(),
    }
}

fn value(text: &str) -> Result<HeaderValue, Rejection> {
    HeaderValue::from_str(text).map_err(|_| Rejection::Header)
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// The credentials stay out.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}
