use http::HeaderName;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::config::Forwarded;
use crate::config::ForwardingHeader;
use crate::config::UpstreamHttp;
use crate::handshake::fixtures::{
    Caller, PEER, handshake, plain, route, sending, sent_lines, setting, upstream, websocket,
};
use crate::request::{Grant, Identity, Lines};

#[test]
fn the_upstream_gets_a_handshake_of_its_own() {
    let received = [
        ("origin", "https://chat.example.com"),
        ("cookie", "a=b"),
        ("cookie", "c=d"),
        ("authorization", "Bearer x"),
        ("sec-websocket-protocol", "v2, v1"),
        (
            "sec-websocket-extensions",
            "x-own, permessage-deflate; client_max_window_bits",
        ),
        ("sec-websocket-key1", "x"),
        ("content-length", "0"),
        ("expect", "100-continue"),
        ("te", "trailers"),
        ("proxy-authorization", "x"),
        ("x-kept", "1"),
    ];
    let parts = handshake(&received);
    let (request, sent) = upstream(&parts, &sending(Forwarded::Off), Caller::stranger(PEER));
    assert_eq!(request.method(), "GET");
    assert_eq!(request.uri(), "/base/42?token=x");
    assert_eq!(request.version(), http::Version::HTTP_11);

    let key = request.headers()["sec-websocket-key"].clone();
    assert_ne!(key, parts.headers["sec-websocket-key"]);
    assert_eq!(sent.accept.unwrap(), derive_accept_key(key.as_bytes()));
    let mut headers = request.headers().clone();
    headers.remove("sec-websocket-key");
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "authorization: Bearer x",
            "connection: Upgrade",
            "cookie: a=b",
            "cookie: c=d",
            "host: chat.example.com:8080",
            "origin: https://chat.example.com",
            "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
            "sec-websocket-protocol: v2, v1",
            "sec-websocket-version: 13",
            "upgrade: websocket",
            "x-kept: 1",
        ]
    );
}

#[test]
fn every_upstream_handshake_has_another_key() {
    let parts = handshake(&[]);
    let key = || {
        let (request, _) = upstream(&parts, &route(), Caller::stranger(PEER));
        request.headers()["sec-websocket-key"].clone()
    };
    assert_ne!(key(), key());
}

#[test]
fn no_extension_is_offered_where_compression_is_off() {
    let mut route = route();
    route.compression = Compression::Off;
    let parts = handshake(&[("sec-websocket-extensions", "permessage-deflate")]);
    let (request, sent) = upstream(&parts, &route, Caller::stranger(PEER));
    assert!(!request.headers().contains_key("sec-websocket-extensions"));
    assert!(sent.deflate.is_empty());
}

#[test]
fn nominated_headers_end_at_the_gate_but_not_the_routes_own() {
    let received = [
        ("connection", "X-Private, x-set"),
        ("x-private", "1"),
        ("x-set", "client"),
    ];
    let lines = sent_lines(&received, &setting("x-set", "gate"), Caller::stranger(PEER));
    assert!(lines.contains(&"x-set: gate".to_owned()), "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.starts_with("x-private")),
        "{lines:?}"
    );
}

#[test]
fn a_set_header_replaces_the_clients_copies_and_their_aliases() {
    let received = [
        ("x-user", "a"),
        ("X-User", "b"),
        ("x_user", "c"),
        ("x.user", "d"),
        ("x-users", "e"),
    ];
    let lines = sent_lines(
        &received,
        &setting("x-user", "{path.id}@{client_ip}"),
        Caller::stranger(PEER),
    );
    let users: Vec<_> = lines.iter().filter(|line| line.contains("user")).collect();
    assert_eq!(users, ["x-user: 42@203.0.113.7", "x-users: e"]);
}

#[test]
fn headers_are_removed_before_they_are_set() {
    let mut route = setting("x-both", "{host} {route}");
    route.headers.remove = vec!["x-both".parse().unwrap(), "x-gone".parse().unwrap()];
    let received = [("x-both", "client"), ("x-gone", "1"), ("x_gone", "2")];
    let lines = sent_lines(&received, &route, Caller::stranger(PEER));
    assert!(
        lines.contains(&"x-both: chat.example.com chat".to_owned()),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("gone")), "{lines:?}");
}

#[test]
fn the_route_may_set_another_host() {
    let lines = sent_lines(
        &[],
        &setting("host", "inside.example"),
        Caller::stranger(PEER),
    );
    let hosts: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("host:"))
        .collect();
    assert_eq!(hosts, ["host: inside.example"]);
    assert!(lines.contains(&"x-forwarded-host: chat.example.com:8080".to_owned()));
}

#[test]
fn a_value_that_no_header_has_is_refused() {
    let parts = handshake(&[]);
    let route = setting("x-id", "{subject}");
    let (mut handshake, _) = websocket(&parts, &route, Caller::stranger(PEER));
    let identity = Identity::new("a\r\nb: c");
    handshake.add_grant(Grant::new().with_identity(identity));
    let refused = set(&mut HeaderMap::new(), &handshake);
    assert_eq!(refused, Err(Rejection::Header));
}

#[rstest]
#[case("")]
#[case("rooms/42")]
#[case("*")]
#[case("/a b")]
#[case("/a\r\nb: c")]
#[case("http://a.example/")]
fn only_a_path_goes_into_the_request_line(#[case] path: &str) {
    let parts = handshake(&[]);
    let (handshake, offer) = websocket(&parts, &route(), Caller::stranger(PEER));
    let refused = upstream_request(&handshake, &offer, path.to_owned(), UpstreamHttp::H1).err();
    assert_eq!(refused, Some(Rejection::Path));
}

#[test]
fn two_slashes_stay_a_path() {
    assert_eq!(
        origin_form("//a.example/x?y".to_owned()).unwrap().path(),
        "//a.example/x"
    );
}

#[test]
fn a_plain_request_goes_by_the_same_rules() {
    let request = Request::post("/rooms/42")
        .header("host", "a.example")
        .header("connection", "upgrade, http2-settings, x-private")
        .header("upgrade", "h2c")
        .header("http2-settings", "x")
        .header("x-private", "x")
        .header("sec-websocket-key", "x")
        .header("transfer-encoding", "chunked")
        .header("content-type", "text/plain")
        .header("content-length", "3")
        .header("expect", "100-continue");
    let parts = request.body(()).unwrap().into_parts().0;
    let from = Caller::stranger(PEER);
    let handshake = plain(&parts, &sending(Forwarded::Off), from);
    let headers = plain_request_headers(&handshake).unwrap();
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "expect", "host"]);
}

#[test]
fn a_plain_request_is_checked_like_a_handshake() {
    for (name, value, expected) in [
        ("connection", "cookie", Rejection::ConnectionNominates),
        ("connection", "a b", Rejection::Header),
        ("x_forwarded_for", "x", Rejection::HeaderAlias),
        ("transfer-encoding", "gzip, chunked", Rejection::Framing),
        ("transfer-encoding", "chunked, chunked", Rejection::Framing),
        ("transfer-encoding", "\"chunked\"", Rejection::Framing),
    ] {
        let request = Request::get("/rooms/42")
            .header("host", "a.example")
            .header(name, value);
        let parts = request.body(()).unwrap().into_parts().0;
        let refused = Lines::read(&parts.headers).check_plain();
        assert_eq!(refused, Err(expected), "{name}: {value}");
    }
}

#[test]
fn what_was_sent_does_not_show_its_subprotocols() {
    let parts = handshake(&[("sec-websocket-protocol", "canary")]);
    let (_, sent) = upstream(&parts, &route(), Caller::stranger(PEER));
    assert!(!format!("{sent:?}").contains("canary"));
}

const NAMES: &[&str] = &[
    "connection",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "proxy",
    "upgrade",
    "http2-settings",
    "proxy-authorization",
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "x-private",
    "x_private",
    "cookie",
];

proptest! {
    #[test]
    fn nothing_that_ends_here_is_sent_on(
        lines in prop::collection::vec(
            (prop::sample::select(NAMES), prop::collection::vec(any::<u8>(), 0..12)), 0..8,
        ),
        nominated in prop::collection::vec(prop::sample::select(NAMES), 0..3),
    ) {
        let mut parts = handshake(&[("connection", &nominated.join(", "))]);
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                parts.headers.append(name, value);
            }
        }
        for from in [Caller::stranger(PEER), Caller::proxy(ForwardingHeader::XForwardedFor)] {
            if Lines::read(&parts.headers).check_plain().is_err() {
                continue;
            }
            let headers = plain_request_headers(&plain(&parts, &route(), from)).unwrap();
            for name in headers.keys() {
                prop_assert!(!is_hop_by_hop(name.as_str()), "{}", name);
            }
            prop_assert!(!nominated.contains(&"x-private") || !headers.contains_key("x-private"));
            let chain = headers["x-forwarded-for"].as_bytes();
            prop_assert!(chain.ends_with(b"203.0.113.7"));
            if from.trusted.is_none() {
                prop_assert_eq!(chain, b"203.0.113.7");
                prop_assert!(!headers.contains_key("forwarded"));
                prop_assert!(!headers.contains_key("x-real-ip"));
            }
        }
    }
}

#[test]
fn what_a_grant_sends_takes_the_place_of_all_others_and_what_it_only_takes_out_is_the_clients() {
    let parts = handshake(&[
        ("x-user", "root"),
        ("x_user", "root"),
        ("x-team", "root"),
        ("x-kept", "1"),
    ]);
    let caller = Caller::stranger(PEER);
    let (mut handshake, _) = websocket(&parts, &setting("x-set", "route"), caller);
    let granted = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs.fold(Grant::new(), |grant, (name, value)| {
            grant.with_header(name.parse().unwrap(), value.parse().unwrap())
        })
    };
    handshake.add_grant(granted(&[("x-user", "first"), ("x-first", "1")]));
    let last = granted(&[("x-user", "a"), ("x-user", "b"), ("upgrade", "h2c")]);
    let last = ["x-team", "x-set", "x-first"]
        .iter()
        .fold(last, |grant, name| {
            grant.without_header(name.parse().unwrap())
        });
    handshake.add_grant(last);
    let headers = request_headers(&handshake).unwrap();
    let all = |name: &str| Vec::from_iter(headers.get_all(name));
    assert_eq!(all("x-user"), ["a", "b"]);
    assert_eq!(all("x-kept"), ["1"]);
    assert_eq!(all("x-set"), ["route"]);
    assert_eq!(all("x-first"), ["1"]);
    for name in ["x-team", "x_user", "upgrade"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
}
