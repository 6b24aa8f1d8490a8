//! An upstream's bytes, up to what the client is told because of them: as the answer to its handshake,
//! and as that to a plain request.

use std::cell::RefCell;
use std::sync::LazyLock;

use http::response::Parts;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tungstenite::handshake::derive_accept_key;

use super::Ways;
use super::head::{Head, check_refusal};
use super::plain_answer::check_plain;
use super::said::Said;
use super::wire::{Script, run, serve};
use crate::config::Config;
use crate::config::UpstreamHttp;
use crate::handshake::{accepted, refused, upstream_request, verify};
use crate::rejection::Rejection;
use crate::request::{ClientIdentity, Handshake};
use crate::types::ClientAddr;
use crate::upstream::{UpstreamResponse, exchange_over};

/// What a server sends in answer to the gate's handshake; `{accept}` in it stands for the value
/// that the handshake asks for.
///
/// Ways: 0 in pieces of 7 bytes, 1 the client offers subprotocols, 2 it offers permessage-deflate,
/// 3 the route takes that out, 4 the offers demand something of the server.
pub fn response_head(data: &[u8]) {
    let Some((ways, says)) = Ways::split(data) else {
        return;
    };
    check_plain(ways, says);
    let offer = offer(ways);
    let outcome = RefCell::new(None);
    let told = serve(CLIENT.as_bytes(), 0, |parts, _| {
        let mut parts = parts;
        parts.headers.extend(offer.clone());
        match ask(parts, ways, says) {
            Ok((response, of)) => {
                outcome.replace(Some(of));
                response
            }
            Err(rejection) => rejection.into_response(),
        }
    });
    match outcome.take() {
        Some(Outcome::Switched(answer)) => check_switched(&told, &answer, ways),
        Some(Outcome::PassedOn { said, whole }) => check_passed_on(&told, &said, whole),
        None => check_refusal(&told, false),
    }
}

/// What an answer that the client is told of was.
enum Outcome {
    /// The server's 101.
    Switched(Parts),
    /// The server's own refusal, in these bytes; its body is not passed on if that is too long.
    PassedOn { said: Vec<u8>, whole: bool },
}

/// A refusal of the server's, of which the client is told what a simple reader of the RFC makes of it.
fn check_passed_on(told: &[u8], said: &[u8], whole: bool) {
    check_refusal(told, false);
    let said = Said::read(said).expect("an answer where the gate found one");
    let body = match whole {
        true => said.body().expect("a body that every reader finds"),
        false => b"the backend refused the WebSocket\n".to_vec(),
    };
    let head = Head::read(told);
    assert_eq!((head.status(), head.rest), (said.status, &*body));
    assert!(head.all("transfer-encoding").is_empty());
    if !whole {
        assert!(said.length() > Some(MOST), "it is not too long");
        for name in ["etag", "content-encoding", "last-modified", "digest"] {
            assert!(head.all(name).is_empty(), "{name}");
        }
    }
}

/// The longest body of a refusal that is passed on.
const MOST: u64 = 64 * 1024;

/// A client's handshake, but for its offers.
const CLIENT: &str = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// RFC 6455 §1.3 has it.
const CLIENT_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn offer(ways: Ways) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name, value: &'static str| {
        headers.append(name, http::HeaderValue::from_static(value));
    };
    if ways.has(1) {
        add(http::header::SEC_WEBSOCKET_PROTOCOL, "chat.v2, chat.v1");
        add(http::header::SEC_WEBSOCKET_PROTOCOL, "Bearer");
    }
    if ways.has(2) {
        add(
            http::header::SEC_WEBSOCKET_EXTENSIONS,
            match ways.has(4) {
                true => "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
                false => "x-unknown, permessage-deflate; client_max_window_bits",
            },
        );
    }
    headers
}

/// The answer to the client, and what it comes from.
fn ask(
    parts: http::request::Parts,
    ways: Ways,
    says: &[u8],
) -> Result<(Response<Full<bytes::Bytes>>, Outcome), Rejection> {
    let peer = ClientAddr::Unix;
    let client = ClientIdentity {
        ip: peer.ip(),
        peer,
        trusted: None,
    };
    let route = &SETTINGS.routes[usize::from(ways.has(3))];
    let handshake = Handshake::websocket(&parts, client, route)?;
    let offer = handshake.offer().expect("an offer");
    let (request, sent) = upstream_request(&handshake, offer, "/ws".to_owned(), UpstreamHttp::H1)?;
    let offered = request.headers().clone();
    let said = says.to_vec();
    let (server, _heard) = Script::replying(
        move |request| in_place(&said, request),
        if ways.has(0) { 7 } else { 0 },
    );
    let accept = accept(&request);
    match run(exchange_over(server, request))? {
        UpstreamResponse::Refused { parts, body } => {
            let status = parts.status.as_u16();
            assert!(matches!(status, 301..=303 | 307 | 308 | 400..=599));
            let whole = body.is_some();
            assert!(body.as_ref().is_none_or(|body| body.len() as u64 <= MOST));
            let said = fill_in(says, &accept);
            Ok((refused(parts, body)?, Outcome::PassedOn { said, whole }))
        }
        UpstreamResponse::Accepted {
            parts,
            transport,
            early,
        } => {
            let said = fill_in(says, &accept);
            let behind = [&early[..], transport.unread()].concat();
            assert!(said.ends_with(&behind), "what stands behind the head");
            assert!(said[..said.len() - behind.len()].ends_with(b"\n"));
            let agreed = verify(parts.clone(), &sent)?;
            check_agreed(&parts, &offered, &accept);
            let deflate = parts.headers.contains_key("sec-websocket-extensions");
            assert_eq!(agreed.deflate(), deflate);
            let response = accepted(&offer.acceptance, agreed);
            Ok((response, Outcome::Switched(parts)))
        }
    }
}

fn accept<B>(request: &Request<B>) -> String {
    derive_accept_key(request.headers()["sec-websocket-key"].as_bytes())
}

/// The server's answer to a request of these bytes.
fn in_place(says: &[u8], request: &[u8]) -> Vec<u8> {
    let key = Head::read(request).one("sec-websocket-key");
    fill_in(says, &derive_accept_key(key.expect("a key").as_bytes()))
}

fn fill_in(says: &[u8], accept: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"{accept}";
    let mut filled = Vec::new();
    let mut rest = says;
    while let Some(at) = rest.windows(PLACE.len()).position(|text| text == PLACE) {
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(accept.as_bytes());
        rest = &rest[at + PLACE.len()..];
    }
    filled.extend_from_slice(rest);
    filled
}

/// A 101 that was taken for one held against RFC 6455 §4.1, clause by clause.
fn check_agreed(parts: &Parts, offered: &HeaderMap, accept: &str) {
    let lines = |name: &str| -> Vec<String> {
        let lines = parts.headers.get_all(name).iter();
        lines
            .map(|line| String::from_utf8_lossy(line.as_bytes().trim_ascii()).into_owned())
            .collect()
    };
    assert_eq!(parts.status, 101);
    assert_eq!(parts.version, http::Version::HTTP_11);
    let upgrade = lines("upgrade");
    assert!(upgrade.len() == 1 && upgrade[0].eq_ignore_ascii_case("websocket"));
    let connection = lines("connection").join(",");
    let mut connection = connection.split(',').map(str::trim);
    assert!(connection.any(|token| token.eq_ignore_ascii_case("upgrade")));
    assert_eq!(lines("sec-websocket-accept"), [accept]);
    let offer = |name: &str| -> Vec<String> {
        let lines = offered.get_all(name).iter();
        let lines = lines.flat_map(|line| line.to_str().unwrap().split(','));
        lines.map(|text| text.trim().to_owned()).collect()
    };
    let subprotocols = lines("sec-websocket-protocol");
    let offered = offer("sec-websocket-protocol");
    assert!(subprotocols.len() <= 1 && subprotocols.iter().all(|name| offered.contains(name)));
    let extensions = lines("sec-websocket-extensions").join(",");
    if !parts.headers.contains_key("sec-websocket-extensions") {
        return;
    }
    let offered = offer("sec-websocket-extensions");
    let [offered] = offered.as_slice() else {
        panic!("{extensions:?} was chosen out of {offered:?}");
    };
    let extensions = extensions.to_ascii_lowercase();
    let chosen = extensions.trim_matches([',', ' ', '\t']);
    let mut chosen = chosen.split(';').map(str::trim);
    assert_eq!(chosen.next(), Some("permessage-deflate"));
    let chosen: Vec<(&str, Option<String>)> = chosen.map(parameter).collect();
    for (name, value) in &chosen {
        let bits = value.as_ref().map(|value| value.parse::<u8>().unwrap());
        let same = chosen.iter().filter(|(other, _)| other == name).count();
        assert_eq!(same, 1, "{name} twice");
        match (*name, bits) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            ("server_max_window_bits", Some(8..=15)) => {}
            ("client_max_window_bits", Some(8..=15)) => {
                assert!(offered.contains("client_max_window_bits"));
            }
            other => panic!("{other:?}"),
        }
    }
    if offered.contains("server_max_window_bits=10") {
        let bits = chosen
            .iter()
            .find(|(name, _)| *name == "server_max_window_bits");
        let bits = bits.and_then(|(_, value)| value.as_ref()?.parse::<u8>().ok());
        assert!(bits.is_some_and(|bits| bits <= 10));
        let takeover = |(name, _): &&(&str, _)| *name == "server_no_context_takeover";
        assert!(chosen.iter().any(|parameter| takeover(&parameter)));
    }
}

fn parameter(text: &str) -> (&str, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => {
            let value = value.trim().trim_matches('"').replace('\\', "");
            (name.trim(), Some(value))
        }
        None => (text, None),
    }
}

/// What the client is told of a verified 101.
fn check_switched(told: &[u8], answer: &Parts, ways: Ways) {
    let head = Head::read(told);
    assert_eq!((head.status(), head.rest), (101, &b""[..]));
    assert_eq!(head.one("connection"), Some("Upgrade"));
    assert_eq!(head.one("upgrade"), Some("websocket"));
    assert_eq!(head.one("sec-websocket-accept"), Some(CLIENT_ACCEPT));
    let chosen = answer.headers.get("sec-websocket-protocol");
    let chosen = chosen.map(|name| name.as_bytes().trim_ascii());
    let told = head.all("sec-websocket-protocol");
    assert_eq!((told.first().copied(), told.len() <= 1), (chosen, true));
    let deflate = head.one("sec-websocket-extensions");
    assert_eq!(
        deflate.is_some(),
        answer.headers.contains_key("sec-websocket-extensions")
    );
    assert!(deflate.is_none() || ways.has(2) && !ways.has(3));
    for name in [
        "content-length",
        "transfer-encoding",
        "trailer",
        "te",
        "keep-alive",
    ] {
        assert_eq!(head.all(name).len(), 0, "{name}");
    }
}

static SETTINGS: LazyLock<Config> = LazyLock::new(|| {
    let text = r#"
        [upstream.chat]
        servers = ["ws://127.0.0.1:9001"]
        [[route]]
        name = "passing"
        path = "/ws"
        upstream = "chat"
        [[route]]
        name = "plain"
        path = "/plain"
        upstream = "chat"
        compression = "off"
    "#;
    Config::from_toml("response_head.toml", text).expect("right settings")
});
