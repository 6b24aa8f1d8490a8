use http::Request;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn handshake() -> Parts {
    let request = Request::get("/ws")
        .header("host", "a.example")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY);
    request.body(()).unwrap().into_parts().0
}

/// The handshake with all lines of one header replaced.
fn with(name: &'static str, lines: &[&'static str]) -> Parts {
    let mut parts = handshake();
    parts.headers.remove(name);
    for line in lines {
        parts.headers.append(name, HeaderValue::from_static(line));
    }
    parts
}

fn rejection(parts: &Parts) -> Option<Rejection> {
    Offer::of(parts).err()
}

#[test]
fn the_handshake_of_the_rfc_is_accepted() {
    let offer = Offer::of(&handshake()).unwrap();
    let Acceptance::SwitchingProtocols { accept } = &offer.acceptance else {
        panic!("{offer:?}");
    };
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(offer.subprotocols().is_empty());
    assert!(offer.deflate.is_empty());
}

#[rstest]
#[case("connection", &["keep-alive, Upgrade"])]
#[case("connection", &["UPGRADE,"])]
#[case("connection", &["keep-alive", " , uPgRaDe"])]
#[case("upgrade", &["WebSocket"])]
#[case("upgrade", &["h2c", "websocket"])]
#[case("content-length", &["0"])]
#[case("sec-websocket-key", &["AAAAAAAAAAAAAAAAAAAAAB=="])]
#[case("sec-websocket-protocol", &[""])]
#[case("sec-websocket-extensions", &["", " ,"])]
fn every_right_spelling_is_accepted(#[case] name: &'static str, #[case] lines: &[&'static str]) {
    let parts = with(name, lines);
    assert!(is_websocket(&parts));
    assert_eq!(rejection(&parts), None);
}

#[rstest]
#[case("transfer-encoding", &["chunked"], Rejection::TransferEncoding)]
#[case("transfer-encoding", &["identity"], Rejection::TransferEncoding)]
#[case("content-length", &["1"], Rejection::Framing)]
#[case("content-length", &["+0"], Rejection::Framing)]
#[case("content-length", &["0x0"], Rejection::Framing)]
#[case("content-length", &["0, 0"], Rejection::Framing)]
#[case("content-length", &["0", "0"], Rejection::Framing)]
#[case("upgrade", &["h2c"], Rejection::NotUpgrade)]
#[case("upgrade", &["websocket/13"], Rejection::NotUpgrade)]
#[case("connection", &[], Rejection::NotUpgrade)]
#[case("connection", &["keep-alive"], Rejection::NotUpgrade)]
#[case("connection", &["upgrade, a b"], Rejection::Header)]
#[case("connection", &["upgrade, origin"], Rejection::ConnectionNominates)]
#[case("x_forwarded_for", &["192.0.2.1"], Rejection::HeaderAlias)]
#[case("sec-websocket-version", &[], Rejection::Version)]
#[case("sec-websocket-version", &["7"], Rejection::Version)]
#[case("sec-websocket-version", &["8"], Rejection::Version)]
#[case("sec-websocket-version", &["12"], Rejection::Version)]
#[case("sec-websocket-version", &["013"], Rejection::Version)]
#[case("sec-websocket-version", &["13, 8"], Rejection::Version)]
#[case("sec-websocket-version", &["13", "13"], Rejection::Version)]
#[case("sec-websocket-key", &[], Rejection::KeyMissing)]
#[case("sec-websocket-key", &[""], Rejection::KeyMissing)]
#[case("sec-websocket-key", &[KEY, KEY], Rejection::KeyMissing)]
#[case("sec-websocket-key", &["dGhlIHNhbXBsZSBub25j"], Rejection::KeyInvalid)]
#[case("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZXg="], Rejection::KeyInvalid)]
#[case("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"], Rejection::KeyInvalid)]
#[case("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZ-=="], Rejection::KeyInvalid)]
#[case("sec-websocket-key", &["dGhlIHNhbXBsZSBub25j=Q=="], Rejection::KeyInvalid)]
#[case("sec-websocket-protocol", &["chat room"], Rejection::Header)]
#[case("sec-websocket-protocol", &["chat, a/b"], Rejection::Header)]
#[case("sec-websocket-protocol", &["chat, v2, chat"], Rejection::Header)]
#[case("sec-websocket-protocol", &["chat", "chat"], Rejection::Header)]
#[case("sec-websocket-extensions", &["a;"], Rejection::Header)]
fn every_wrong_header_is_refused(
    #[case] name: &'static str,
    #[case] lines: &[&'static str],
    #[case] expected: Rejection,
) {
    assert_eq!(rejection(&with(name, lines)), Some(expected));
}

#[test]
fn only_get_opens_a_websocket() {
    for method in ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "CONNECT", "get"] {
        let mut parts = handshake();
        parts.method = method.parse().unwrap();
        assert_eq!(rejection(&parts), Some(Rejection::Method), "{method}");
    }
}

#[test]
fn only_http_1_1_can_be_upgraded() {
    for version in [Version::HTTP_09, Version::HTTP_10] {
        let mut parts = handshake();
        parts.version = version;
        assert_eq!(
            rejection(&parts),
            Some(Rejection::NotUpgradable),
            "{version:?}"
        );
    }
}

#[test]
fn the_first_fault_in_the_order_is_the_one_named() {
    let mut parts = handshake();
    let mut expect = |change: &dyn Fn(&mut Parts), expected| {
        change(&mut parts);
        assert_eq!(rejection(&parts), Some(expected));
    };
    let set = |name: &'static str, value: &'static str| {
        move |parts: &mut Parts| {
            parts.headers.insert(name, HeaderValue::from_static(value));
        }
    };
    // Each fault stays in and is hidden by the next.
    expect(&set("sec-websocket-extensions", ";"), Rejection::Header);
    expect(&set("sec-websocket-key", "x"), Rejection::KeyInvalid);
    expect(&set("sec-websocket-version", "8"), Rejection::Version);
    expect(&set("x_real_ip", "x"), Rejection::HeaderAlias);
    expect(
        &set("connection", "upgrade, host"),
        Rejection::ConnectionNominates,
    );
    expect(&set("connection", "host"), Rejection::NotUpgrade);
    expect(&set("content-length", "1"), Rejection::Framing);
    expect(
        &set("transfer-encoding", "chunked"),
        Rejection::TransferEncoding,
    );
    expect(&|parts| parts.method = Method::POST, Rejection::Method);
    expect(
        &|parts| parts.version = Version::HTTP_10,
        Rejection::NotUpgradable,
    );
}

#[test]
fn offers_are_kept_in_their_order() {
    let offer = Offer::of(&with("sec-websocket-protocol", &["v2, v1,", "V1"])).unwrap();
    assert_eq!(offer.subprotocols(), ["v2", "v1", "V1"]);
}

#[test]
fn an_offer_does_not_show_its_subprotocols() {
    let offer = Offer::of(&with("sec-websocket-protocol", &["canary"])).unwrap();
    assert!(!format!("{offer:?}").contains("canary"));
}

#[test]
fn a_plain_request_is_not_a_websocket() {
    for lines in [&[][..], &["h2c"], &["websockets"], &["web socket"]] {
        assert!(!is_websocket(&with("upgrade", lines)), "{lines:?}");
    }
}

proptest! {
    #[test]
    fn no_header_bytes_make_it_panic(
        name in prop::sample::select(vec![
            "connection", "upgrade", "sec-websocket-key", "sec-websocket-version",
            "sec-websocket-protocol", "sec-websocket-extensions", "content-length", "x_y",
        ]),
        value in prop::collection::vec(any::<u8>(), 0..48),
    ) {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            let mut parts = handshake();
            parts.headers.append(name, value);
            let refused = rejection(&parts);
            let harmless = matches!(
                name,
                "connection" | "upgrade" | "sec-websocket-protocol" | "sec-websocket-extensions" | "x_y"
            );
            // A second length, version or key is always one too many; "0" alone is no second.
            let zero = name == "content-length" && parts.headers[name] == "0";
            prop_assert!(refused.is_some() || harmless || zero);
        }
    }
}
