//! Which headers end at each hop, and which a client has no say over.

use http::{HeaderMap, HeaderName, header};

use super::list;

/// What `Connection` of a response nominates. A client's request goes through
/// [`Lines`](super::Lines).
pub(crate) fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let elements = list::elements(headers.get_all(header::CONNECTION));
    elements
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| !is_hop_by_hop(name.as_str()))
        .collect()
}

/// Whether the name belongs to the WebSocket handshake, which each leg has its own of.
pub(crate) fn belongs_to_handshake(name: &str) -> bool {
    name.starts_with("sec-websocket-")
}

/// Whether a backend could take one name for the other.
pub(crate) fn is_alias_of(one: &str, other: &str) -> bool {
    let same = |(one, other): (u8, u8)| fold_byte(one) == fold_byte(other);
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(same)
}

/// Whether a proxy says in this header, which the gate speaks itself, who its client is.
pub(crate) fn is_forwarding(name: &str) -> bool {
    name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
}

/// Whether the name, in whatever spelling, is one in which a proxy or CDN says who its client is or
/// what that has asked for. Frameworks and middleware believe whoever sends it.
pub(crate) fn is_word_of_proxy(name: &str) -> bool {
    let may_be = matches!(name.as_bytes(), [b'c' | b'f' | b't' | b'x', ..]);
    may_be && WORDS_OF_PROXIES.iter().any(|word| is_alias_of(word, name))
}

/// Whether the name of a header is a token (RFC 9110 §5.1). The crate http lets a quote into the names of HTTP/2: in
/// HTTP/1.1 each server would read such a line as it likes.
pub(crate) fn is_token(name: &str) -> bool {
    !name.contains('"')
}

/// Whether the name is another spelling of one that the gate owns.
pub(super) fn is_alias(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !name.bytes().all(plain) && is_owned(name)
}

/// Whether the name, in whatever spelling, says where a request belongs, who sent it or where it
/// ends.
pub(super) fn is_owned(name: &str) -> bool {
    let name = fold(name);
    OWNED.contains(&name.as_str())
        || name.starts_with("x-forwarded-")
        || belongs_to_handshake(&name)
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

/// Beside `Forwarded`, `X-Real-IP` and `X-Forwarded-*`, which the gate speaks itself. docs/security.md
/// has the same list.
const WORDS_OF_PROXIES: &[&str] = &[
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "cf-visitor",
    "client-ip",
    "fastly-client-ip",
    "fastly-ssl",
    "fly-client-ip",
    "forwarded-for",
    "front-end-https",
    "true-client-ip",
    "x-appengine-user-ip",
    "x-arr-ssl",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-forwarded",
    "x-host",
    "x-http-host-override",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
];

/// RFC 9110 §7.6.1 and its predecessors; `Proxy`, which no request has a use for and CGI turns
/// into the backend's own `HTTP_PROXY`, goes with them.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;
    use crate::rejection::Rejection;
    use crate::request::Lines;

    fn check(headers: &HeaderMap) -> Result<(), Rejection> {
        Lines::read(headers).check_names()
    }

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
    fn a_name_that_is_no_token_is_malformed() {
        let name = HeaderName::from_lowercase(b"x\"y").unwrap();
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static("x"))]);
        let lines = Lines::read(&headers);
        assert_eq!(lines.check_names(), Err(Rejection::Header));
        assert_eq!(
            lines.at_fault(&Rejection::Header),
            headers.keys().next().cloned()
        );
    }

    #[test]
    fn a_connection_line_of_something_else_is_malformed() {
        for value in ["a b", "upgrade;x", "\"upgrade\""] {
            let headers = headers(&[("connection", value)]);
            assert_eq!(check(&headers), Err(Rejection::Header), "{value}");
        }
    }

    #[test]
    fn every_word_of_a_proxy_is_documented_and_found_in_every_spelling() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
        let page = std::fs::read_to_string(page).unwrap().to_lowercase();
        for word in WORDS_OF_PROXIES {
            for spelled in [
                word.to_string(),
                word.replace('-', "_"),
                word.replace('-', "."),
            ] {
                assert!(is_word_of_proxy(&spelled), "{spelled}");
            }
            assert!(!is_word_of_proxy(&format!("{word}s")), "{word}");
            assert!(page.contains(&format!("`{word}`")), "{word}");
        }
        for other in [
            "cookie",
            "x-request-id",
            "x-http-method-override",
            "from",
            "te",
        ] {
            assert!(!is_word_of_proxy(other), "{other}");
        }
    }

    #[test]
    fn a_response_nominates_what_else_ends_here() {
        let headers = headers(&[
            ("connection", "X-Private, bad name, close"),
            ("connection", "x-other, te"),
        ]);
        assert_eq!(nominated(&headers), ["x-private", "close", "x-other"]);
    }
}
