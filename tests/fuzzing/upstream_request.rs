//! What a request upstream has to be, whatever the client's was.

use std::net::IpAddr;

use http::HeaderMap;

use super::head::Head;
use super::path;
use crate::config::ForwardingHeader;
use crate::request::ClientIdentity;

/// A request that was let through, and the bytes that went upstream for it.
pub(super) struct Accepted {
    pub(super) received: HeaderMap,
    pub(super) query: Option<String>,
    pub(super) authority: String,
    pub(super) route: String,
    pub(super) client: ClientIdentity,
    pub(super) trusted: Option<ForwardingHeader>,
    pub(super) sent: Vec<u8>,
}

/// Panics where the bytes are not exactly one request, and the one that the gate vouches for.
pub(super) fn check(accepted: &Accepted) {
    let head = Head::read(&accepted.sent);
    assert_eq!(head.rest, b"", "behind the request");
    check_target(accepted, head.start);
    assert_eq!(head.one("host"), Some(accepted.authority.as_str()));
    assert_eq!(head.one("connection"), Some("Upgrade"));
    assert_eq!(head.one("upgrade"), Some("websocket"));
    assert_eq!(head.one("sec-websocket-version"), Some("13"));
    let key = head.one("sec-websocket-key").expect("a key");
    assert!(key.len() == 24 && key.ends_with("=="));
    for theirs in accepted.received.get_all("sec-websocket-key") {
        assert_ne!(theirs.as_bytes(), key.as_bytes(), "each leg has its own");
    }
    for name in END_HERE {
        assert_eq!(head.all(name).len(), 0, "{name}");
    }
    check_identity(accepted, &head);
    check_end_to_end(accepted, &head);
}

fn check_target(accepted: &Accepted, start: &str) {
    let target = start.strip_prefix("GET ").expect("a GET");
    let target = target.strip_suffix(" HTTP/1.1").expect("a version");
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    assert_eq!(query, accepted.query.as_deref());
    assert!(path.bytes().all(path::is_of_path), "{path:?}");
    assert!(query.is_none_or(|query| query.bytes().all(path::is_of_query)));
    let normal = path::normal(path.as_bytes());
    assert_eq!(normal.as_deref(), Some(path.as_bytes()), "{path:?}");
    let prefix = match accepted.route.as_str() {
        "rooms" => "/base/r/",
        "dotted" => "/base/d/.",
        "silent" => "/base/silent/",
        "chat" => "/base/ws/",
        "doc" => "/base/doc%2F/.",
        "any" => "/base/",
        other => panic!("{other}"),
    };
    assert!(path.starts_with(prefix), "{path:?}");
    let encoded = path.matches("%2F").count();
    let path = decoded(path.as_bytes());
    assert!(!path.contains(&b'\\'));
    // An encoded slash hides no dot segment either.
    for segment in path.split(|&byte| byte == b'/') {
        let name = segment.split(|&byte| byte == b';').next().unwrap_or(b"");
        assert!(name != b"." && name != b"..", "a dot segment");
    }
    let slashes = |text: &[u8]| text.iter().filter(|&&byte| byte == b'/').count();
    assert_eq!(
        slashes(&path),
        slashes(target.split('?').next().unwrap_or("").as_bytes()) + encoded
    );
}

/// Escapes undone; one that is not whole stands for itself.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        let escape = match rest {
            [b'%', high, low, ..] => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        decoded.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &rest[3..] } else { behind };
    }
    decoded
}

/// Who the upstream is told that the client is.
fn check_identity(accepted: &Accepted, head: &Head<'_>) {
    let client = accepted.client;
    let says = |name| head.one(name).unwrap_or_default();
    let (x_forwarded, standard) = match accepted.route.as_str() {
        "rooms" => (true, true),
        "dotted" => (false, true),
        "silent" => (false, false),
        _ => (true, false),
    };
    match accepted.trusted {
        None => {
            let peer = client.peer.ip();
            assert_eq!(client.ip, peer);
            let chain = if x_forwarded {
                peer.to_string()
            } else {
                String::new()
            };
            assert_eq!(says("x-forwarded-for"), chain);
            let element = format!("for={peer};");
            assert!(!standard || says("forwarded").starts_with(&element));
            assert_eq!(head.one("x-real-ip"), None);
            for name in head.names() {
                let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
                assert!(!OF_PROXIES.contains(&&*name), "{name} of a stranger");
            }
        }
        Some(_) if x_forwarded => {
            let chain = head.all("x-forwarded-for");
            let [chain] = chain else {
                panic!("{} chains", chain.len());
            };
            let last = chain.rsplit(|&byte| byte == b',').next();
            let last = std::str::from_utf8(last.unwrap_or_default()).expect("an address");
            assert_eq!(last.trim().parse::<IpAddr>(), Ok(client.peer.ip()));
        }
        Some(_) => {}
    }
    if accepted.route != "silent" {
        let real = head.all("x-real-ip");
        let ip = client.ip.to_string();
        assert!(real.iter().all(|value| *value == ip.as_bytes()));
        assert_eq!(
            head.all("forwarded").len(),
            usize::from(standard),
            "forwarded"
        );
    }
    if accepted.route == "rooms" {
        let said = format!("{} at ", client.ip);
        assert!(says("x-client").starts_with(&said));
        assert_eq!(head.one("x-gate"), Some("wsgate"));
        assert_eq!(head.all("x-secret").len(), 0);
    }
}

/// All else is the client's own end-to-end headers, as they came.
fn check_end_to_end(accepted: &Accepted, head: &Head<'_>) {
    let nominated: Vec<String> = accepted
        .received
        .get_all("connection")
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
        .collect();
    for name in head.names() {
        let ours = OURS.contains(&name)
            || name.starts_with("x-forwarded-")
            || name.starts_with("sec-websocket-");
        let set = accepted.route == "rooms" && ["x-gate", "x-room", "x-client"].contains(&name);
        if ours || set {
            continue;
        }
        assert!(
            !nominated.iter().any(|nominated| nominated == name),
            "{name}"
        );
        let folded: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        assert!(
            !OURS.contains(&folded.as_str()) && !folded.starts_with("x-forwarded-"),
            "{name} imitates"
        );
        let received: Vec<&[u8]> = accepted
            .received
            .get_all(name)
            .iter()
            .map(|value| value.as_bytes().trim_ascii())
            .collect();
        assert_eq!(head.all(name), received, "{name}");
    }
}

/// What ends at this hop, or is about a body.
const END_HERE: [&str; 13] = [
    "content-length",
    "expect",
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
    "sec-websocket-accept",
];

/// Some of the headers that only a trusted proxy may send.
const OF_PROXIES: [&str; 6] = [
    "cf-connecting-ip",
    "client-ip",
    "front-end-https",
    "true-client-ip",
    "x-original-url",
    "x-rewrite-url",
];

const OURS: [&str; 5] = ["connection", "forwarded", "host", "upgrade", "x-real-ip"];
