use http::{HeaderName, Request};
use http_body_util::BodyExt;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::request::{Offer, is_hop_by_hop, plain_response_headers};

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// What was sent, the client having offered this.
fn sent(subprotocols: &'static str, extensions: &'static str) -> Sent {
    let mut offered = Vec::new();
    for (name, value) in [
        (header::SEC_WEBSOCKET_PROTOCOL, subprotocols),
        (header::SEC_WEBSOCKET_EXTENSIONS, extensions),
    ] {
        if !value.is_empty() {
            offered.push((name, value));
        }
    }
    let offer = offer(&offered);
    Sent {
        accept: Some(ACCEPT.to_owned()),
        subprotocols: offer.subprotocols,
        marker: None,
        deflate: offer.deflate,
    }
}

fn answer(headers: &[(&str, &str)]) -> Parts {
    let mut response = Response::builder().status(101);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap().into_parts().0
}

/// A right answer with all lines of one header replaced.
fn with(name: &'static str, lines: &[&'static str]) -> Parts {
    let mut parts = answer(&[
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", ACCEPT),
    ]);
    parts.headers.remove(name);
    for line in lines {
        parts.headers.append(name, HeaderValue::from_static(line));
    }
    parts
}

fn client() -> Offer {
    offer(&[])
}

fn offer(headers: &[(http::HeaderName, &'static str)]) -> Offer {
    let mut request = Request::get("/")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw==");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    Offer::of(&request.body(()).unwrap().into_parts().0).unwrap()
}

#[rstest]
#[case("upgrade", &["WebSocket"])]
#[case("connection", &["upgrade"])]
#[case("connection", &["keep-alive, Upgrade"])]
#[case("connection", &["keep-alive", "UPGRADE"])]
fn every_right_101_is_accepted(#[case] name: &'static str, #[case] lines: &[&'static str]) {
    let agreed = verify(with(name, lines), &sent("v1", "permessage-deflate")).unwrap();
    assert_eq!(agreed.subprotocol, None);
    assert!(!agreed.deflate());
}

#[rstest]
#[case("upgrade", &[])]
#[case("upgrade", &["h2c"])]
#[case("upgrade", &["websocket, h2c"])]
#[case("upgrade", &["websocket", "websocket"])]
#[case("connection", &[])]
#[case("connection", &["close"])]
#[case("sec-websocket-accept", &[])]
#[case("sec-websocket-accept", &[""])]
#[case("sec-websocket-accept", &["s3ppLMBiTxaQ9kYGzzhZRbK+xOo="])]
#[case("sec-websocket-accept", &[ACCEPT, ACCEPT])]
#[case("sec-websocket-accept", &["s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x"])]
fn a_wrong_101_is_refused(#[case] name: &'static str, #[case] lines: &[&'static str]) {
    let refused = verify(with(name, lines), &sent("", ""));
    assert_eq!(refused.unwrap_err(), Rejection::UpstreamBad101);
}

#[test]
fn only_an_http_1_1_101_switches_protocols() {
    let mut parts = with("upgrade", &["websocket"]);
    parts.version = Version::HTTP_10;
    let refused = verify(parts, &sent("", ""));
    assert_eq!(refused.unwrap_err(), Rejection::UpstreamBadResponse);
    for status in [100, 200, 204, 302, 404, 500] {
        let mut parts = with("upgrade", &["websocket"]);
        parts.status = StatusCode::from_u16(status).unwrap();
        let refused = verify(parts, &sent("", ""));
        assert_eq!(refused.unwrap_err(), Rejection::UpstreamNot101, "{status}");
    }
}

#[rstest]
#[case("v2, v1", &["v1"], Some("v1"))]
#[case("v2, v1", &[], None)]
#[case("", &[], None)]
fn an_offered_subprotocol_is_agreed(
    #[case] offered: &'static str,
    #[case] lines: &[&'static str],
    #[case] chosen: Option<&str>,
) {
    let agreed = verify(with("sec-websocket-protocol", lines), &sent(offered, "")).unwrap();
    let agreed = agreed
        .subprotocol
        .as_ref()
        .map(|name| name.to_str().unwrap());
    assert_eq!(agreed, chosen);
}

#[rstest]
#[case("", &["v1"])]
#[case("v1", &["v2"])]
#[case("v1", &["V1"])]
#[case("v1", &[""])]
#[case("v1, v2", &["v1, v2"])]
#[case("v1, v2", &["v1", "v2"])]
#[case("v1", &["v1", "v1"])]
fn another_subprotocol_is_refused(#[case] offered: &'static str, #[case] lines: &[&'static str]) {
    let refused = verify(with("sec-websocket-protocol", lines), &sent(offered, ""));
    assert_eq!(refused.unwrap_err(), Rejection::UpstreamBadSubprotocol);
}

#[test]
fn an_extension_that_was_not_offered_is_refused() {
    let parts = with("sec-websocket-extensions", &["permessage-deflate"]);
    assert!(
        verify(parts.clone(), &sent("", "permessage-deflate"))
            .unwrap()
            .deflate()
    );
    let refused = verify(parts, &sent("", "x-other"));
    assert_eq!(refused.unwrap_err(), Rejection::UpstreamBadExtension);
}

#[test]
fn the_client_gets_a_101_of_its_own() {
    let parts = answer(&[
        ("upgrade", "websocket"),
        ("connection", "upgrade, x-private"),
        ("sec-websocket-accept", ACCEPT),
        ("sec-websocket-protocol", "v1"),
        (
            "sec-websocket-extensions",
            "permessage-deflate;server_no_context_takeover",
        ),
        ("sec-websocket-other", "x"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d"),
        ("x-private", "x"),
        ("x-kept", "1"),
        ("keep-alive", "x"),
        ("transfer-encoding", "chunked"),
        ("content-length", "7"),
    ]);
    let agreed = verify(parts, &sent("v1", "permessage-deflate")).unwrap();
    assert!(!format!("{agreed:?}").contains("a=b"));
    let response = accepted(&client().acceptance, agreed);
    assert_eq!(response.status(), 101);
    let mut lines: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "connection: Upgrade",
            "sec-websocket-accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
            "sec-websocket-extensions: permessage-deflate; server_no_context_takeover",
            "sec-websocket-protocol: v1",
            "set-cookie: a=b",
            "set-cookie: c=d",
            "upgrade: websocket",
            "x-kept: 1",
        ]
    );
}

#[test]
fn an_answer_that_refuses_nothing_is_not_passed_on() {
    for status in [100, 103, 200, 204, 300, 304, 399] {
        let mut parts = answer(&[("upgrade", "websocket"), ("location", "/else")]);
        parts.status = StatusCode::from_u16(status).unwrap();
        let refused = refused(parts, Some(Bytes::new()));
        assert_eq!(refused.unwrap_err(), Rejection::UpstreamNot101, "{status}");
    }
    let mut parts = answer(&[]);
    parts.status = StatusCode::from_u16(600).unwrap();
    let refused = refused(parts, Some(Bytes::new()));
    assert_eq!(refused.unwrap_err(), Rejection::UpstreamBadResponse);
}

#[tokio::test]
async fn an_upstreams_refusal_is_passed_on_and_closes() {
    let mut parts = answer(&[
        ("connection", "keep-alive, x-private"),
        ("x-private", "x"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("content-length", "999"),
        ("sec-websocket-accept", ACCEPT),
        ("sec-websocket-version", "13"),
        ("www-authenticate", "Basic"),
        ("content-type", "text/plain"),
    ]);
    parts.status = StatusCode::UNAUTHORIZED;
    let response = refused(parts, Some(Bytes::from_static(b"who are you?"))).unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.extensions().get(),
        Some(&Rejection::UpstreamAnswered(StatusCode::UNAUTHORIZED))
    );
    let mut lines: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "connection: close",
            "content-length: 12",
            "content-type: text/plain",
            "www-authenticate: Basic",
        ]
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "who are you?");
}

/// A cut body under the validators and the coding of the whole would be cached as the whole.
#[tokio::test]
async fn a_refusal_that_is_too_long_is_passed_on_without_what_describes_its_body() {
    let mut parts = answer(&[
        ("content-type", "text/html"),
        ("content-encoding", "gzip"),
        ("content-language", "en"),
        ("content-location", "/no"),
        ("content-range", "bytes 0-1/2"),
        ("content-disposition", "attachment"),
        ("content-md5", "x"),
        ("content-digest", "x"),
        ("repr-digest", "x"),
        ("digest", "x"),
        ("etag", "\"1\""),
        ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("accept-ranges", "bytes"),
        ("cache-control", "max-age=60"),
        ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("age", "1"),
        ("signature", "x"),
        ("signature-input", "x"),
        ("content-security-policy", "default-src 'none'"),
        ("set-cookie", "a=b"),
        ("retry-after", "7"),
        ("www-authenticate", "Basic"),
    ]);
    parts.status = StatusCode::FORBIDDEN;
    let (head, body) = refused(parts, None).unwrap().into_parts();
    assert_eq!(head.status, 403);
    let refused = Rejection::UpstreamAnswered(StatusCode::FORBIDDEN);
    assert_eq!(head.extensions.get(), Some(&refused));
    let lines = head.headers.iter();
    let lines = lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "cache-control: no-store",
            "connection: close",
            "content-length: 34",
            "content-security-policy: default-src 'none'",
            "content-type: text/plain; charset=utf-8",
            "retry-after: 7",
            "set-cookie: a=b",
            "www-authenticate: Basic",
        ]
    );
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(body, "the backend refused the WebSocket\n");
}

#[test]
fn an_upstreams_426_still_says_what_to_upgrade_to() {
    let mut parts = answer(&[("upgrade", "websocket"), ("sec-websocket-version", "8, 7")]);
    parts.status = StatusCode::UPGRADE_REQUIRED;
    let response = refused(parts, Some(Bytes::new())).unwrap();
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["connection"], "Upgrade, close");
    assert_eq!(response.headers()["sec-websocket-version"], "8, 7");
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_or_leaks_a_hop_by_hop_header(
        lines in prop::collection::vec((
            prop::sample::select(vec![
                "connection", "upgrade", "keep-alive", "te", "trailer", "transfer-encoding",
                "proxy-authenticate", "sec-websocket-protocol", "sec-websocket-extensions",
                "set-cookie",
            ]),
            prop::collection::vec(any::<u8>(), 0..24),
        ), 0..8),
    ) {
        let mut parts = with("x", &[]);
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                parts.headers.append(name, value);
            }
        }
        let verified = verify(parts.clone(), &sent("v1", "permessage-deflate"));
        if let Ok(agreed) = verified {
            for name in agreed.headers.keys() {
                prop_assert!(!is_hop_by_hop(name.as_str()), "{}", name);
            }
        }
        plain_response_headers(&mut parts.headers);
        for name in parts.headers.keys() {
            prop_assert!(!is_hop_by_hop(name.as_str()), "{}", name);
        }
    }
}

#[test]
fn a_name_that_is_no_token_goes_no_further() {
    let name = HeaderName::from_lowercase(b"x\"y").unwrap();
    let mut headers = HeaderMap::from_iter([
        (name, HeaderValue::from_static("1")),
        (header::SERVER, HeaderValue::from_static("2")),
    ]);
    plain_response_headers(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), [header::SERVER]);
}
