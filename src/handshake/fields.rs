//! Which headers end at each hop, and which a client has no say over.

use http::{HeaderMap, HeaderName, header};

use super::list;
use crate::rejection::Rejection;

/// What a request's `Connection` lines and header names have to pass before any of its headers
/// is looked at or sent on.
///
/// A name in `Connection` takes that header out of the forwarded request (RFC 9110 §7.6.1), so one
/// that says where a request belongs or who sent it may not stand there; nor may a header's name
/// be one of those in a spelling that CGI-like backends fold into it (`X_Forwarded_For`).
pub(super) fn check(headers: &HeaderMap) -> Result<(), Rejection> {
    let nominated = list::tokens(headers, &header::CONNECTION).map_err(|_| Rejection::Header)?;
    let mut nominated = nominated.iter().map(|name| fold(name));
    if nominated.any(|name| belongs_to_gate(&name)) {
        return Err(Rejection::ConnectionNominates);
    }
    match headers.keys().any(is_alias) {
        true => Err(Rejection::HeaderAlias),
        false => Ok(()),
    }
}

/// The headers that go on to the next hop: all but the ones that `Connection` nominates, the ones
/// that never leave theirs, and those of the handshake, which each leg has its own of.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let nominated = nominated(headers);
    let goes_on = |name: &HeaderName| {
        !is_hop_by_hop(name.as_str())
            && !belongs_to_handshake(name.as_str())
            && !nominated.contains(name)
    };
    // One walk, rather than a copy that every name is looked up in.
    headers
        .iter()
        .filter(|(name, _)| goes_on(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Takes out what ends at this hop (RFC 9110 §7.6.1).
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for name in nominated(headers) {
        headers.remove(name);
    }
    remove_where(headers, is_hop_by_hop);
}

/// What `Connection` names.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(list::trim(name)).ok())
        .collect()
}

/// Takes out every header for which `unwanted` holds.
pub(super) fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|n| unwanted(n.as_str()))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// Takes out a header and every other that a backend could take for it.
pub(super) fn remove_with_aliases(headers: &mut HeaderMap, name: &HeaderName) {
    let name = name.as_str().as_bytes();
    let same = |(one, other): (&u8, &u8)| fold_byte(*one) == fold_byte(*other);
    remove_where(headers, |other| {
        other.len() == name.len() && name.iter().zip(other.as_bytes()).all(same)
    });
}

/// Whether the name belongs to the WebSocket handshake, which each leg has its own of.
fn belongs_to_handshake(name: &str) -> bool {
    name.starts_with("sec-websocket-")
}

fn is_alias(name: &HeaderName) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.as_str().bytes().all(plain) && belongs_to_gate(&fold(name.as_str()))
}

/// The name as a CGI-like backend (RFC 3875 §4.1.18) sees it, where `_`, `.` and the other
/// punctuation of a token are one with `-`.
fn fold(name: &str) -> String {
    name.bytes().map(fold_byte).map(char::from).collect()
}

fn fold_byte(byte: u8) -> u8 {
    match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'-',
    }
}

fn belongs_to_gate(name: &str) -> bool {
    OWNED.contains(&name) || name.starts_with("x-forwarded-") || belongs_to_handshake(name)
}

/// What says where a request belongs, who sent it and where it ends.
const OWNED: &[&str] = &[
    "authorization",
    "content-length",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "transfer-encoding",
    "x-real-ip",
];

/// RFC 9110 §7.6.1 and its predecessors; `Proxy`, which no request has a use for and CGI turns
/// into the backend's own `HTTP_PROXY`, goes with them.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, _)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[rstest]
    #[case("upgrade, X-Forwarded-For")]
    #[case("upgrade,HOST")]
    #[case("origin")]
    #[case("Authorization")]
    #[case("cookie")]
    #[case("sec-websocket-key")]
    #[case("x-forwarded-user")]
    #[case("Forwarded")]
    #[case("x-real-ip")]
    #[case("content-length")]
    #[case("x_forwarded_for")]
    fn connection_cannot_name_what_the_gate_owns(#[case] value: &'static str) {
        let headers = headers(&[("connection", "keep-alive"), ("connection", value)]);
        assert_eq!(check(&headers), Err(Rejection::ConnectionNominates));
    }

    #[rstest]
    #[case("x_forwarded_for")]
    #[case("x-forwarded_proto")]
    #[case("X.Real.IP")]
    #[case("x~real-ip")]
    #[case("sec_websocket_key")]
    #[case("content_length")]
    fn an_alias_of_an_owned_header_is_refused(#[case] name: &'static str) {
        assert_eq!(check(&headers(&[(name, "x")])), Err(Rejection::HeaderAlias));
    }

    #[test]
    fn ordinary_headers_pass_the_check() {
        let headers = headers(&[
            ("connection", "keep-alive, Upgrade, TE, x-private,"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x_user", "x"),
            ("x.trace", "x"),
        ]);
        assert_eq!(check(&headers), Ok(()));
    }

    #[test]
    fn a_connection_line_of_something_else_is_malformed() {
        for value in ["a b", "upgrade;x", "\"upgrade\""] {
            let headers = headers(&[("connection", value)]);
            assert_eq!(check(&headers), Err(Rejection::Header), "{value}");
        }
    }

    #[test]
    fn nominated_headers_end_here_with_the_standing_ones() {
        let mut headers = headers(&[
            ("connection", "X-Private, bad name"),
            ("connection", "x-other"),
            ("x-private", "1"),
            ("x-private", "2"),
            ("x-other", "3"),
            ("te", "trailers"),
            ("proxy-authorization", "x"),
            ("x-kept", "4"),
            ("proxy-status", "5"),
        ]);
        strip_hop_by_hop(&mut headers);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["proxy-status", "x-kept"]);
    }
}
