//! What of the headers of a server's answer goes on to a client.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::fields::{belongs_to_handshake, is_hop_by_hop, is_token, nominated};

/// Takes out what ends at this hop (RFC 9110 §7.6.1) and what belongs to the handshake.
pub(crate) fn keep_end_to_end(headers: &mut HeaderMap) {
    remove_where(headers, |name| {
        is_hop_by_hop(name) || belongs_to_handshake(name)
    });
}

/// Takes out of a plain HTTP response what ends at this hop (RFC 9110 §7.6.1).
pub(crate) fn plain_response_headers(headers: &mut HeaderMap) {
    remove_where(headers, is_hop_by_hop);
}

/// Makes the headers those of an answer with another body, a short text: those of the server describe its own
/// (RFC 9110 §8).
pub(crate) fn describe_own_body(headers: &mut HeaderMap) {
    let described = headers.keys().filter(|name| describes_body(name));
    let described: Vec<_> = described.cloned().collect();
    for name in described {
        headers.remove(name);
    }
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, text);
    // A later request may get the server's own body.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Takes out what `Connection` nominates, every header for which `ends` holds, and those that HTTP/1.1 has no name for.
fn remove_where(headers: &mut HeaderMap, ends: impl Fn(&str) -> bool) {
    let mut names = nominated(headers);
    let ending = headers
        .keys()
        .filter(|name| ends(name.as_str()) || !is_token(name.as_str()));
    names.extend(ending.cloned());
    for name in &names {
        headers.remove(name);
    }
}

/// Whether a header says something of the body that comes with it, or of its copies in caches.
fn describes_body(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_of_content = name.starts_with("content-") && !name.starts_with("content-security-");
    is_of_content
        || matches!(
            name,
            "accept-ranges"
                | "age"
                | "digest"
                | "etag"
                | "expires"
                | "last-modified"
                | "repr-digest"
                | "signature"
                | "signature-input"
        )
}
