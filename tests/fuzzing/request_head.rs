//! A client's bytes, up to the request that goes upstream because of them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::LazyLock;

use http::request::Parts;

use super::upstream_request::{self, Accepted};
use super::wire::{Script, run, serve};
use super::{Ways, head};
use crate::config::Config;
use crate::handshake::{path_and_query, upstream_request};
use crate::policy;
use crate::rejection::Rejection;
use crate::request::{Handshake, Lines, Offer, Target, identify};
use crate::route::Table;
use crate::types::ClientAddr;
use crate::upstream::exchange_over;

/// What a client sends on a connection of its own.
///
/// Ways: 0 in pieces of 7 bytes, 1 from a trusted proxy, 2 from a unix socket, 3 the settings
/// in which proxies speak `Forwarded`.
pub fn request_head(data: &[u8]) {
    let Some((ways, said)) = Ways::split(data) else {
        return;
    };
    let calls = Cell::new(0);
    let bodiless = Cell::new(false);
    let accepted = RefCell::new(None);
    let piece = if ways.has(0) { 7 } else { 0 };
    let told = serve(said, piece, |parts| {
        calls.set(calls.get() + 1);
        bodiless.set(parts.method == http::Method::HEAD);
        let rejection = match forward(&parts, ways) {
            Ok(request) => {
                check_said(said, &parts);
                accepted.replace(Some(request));
                Rejection::UpstreamReset
            }
            Err(rejection) => rejection,
        };
        rejection.into_response()
    });
    assert!(calls.get() <= 1, "a request behind a refused one");
    assert!(calls.get() == 0 || !told.is_empty(), "no answer");
    if !told.is_empty() {
        head::check_refusal(&told, bodiless.get());
    }
    if let Some(accepted) = accepted.take() {
        upstream_request::check(&accepted);
    }
}

/// The stages of `pipeline/` that need no socket, in their order.
fn forward(parts: &Parts, ways: Ways) -> Result<Accepted, Rejection> {
    let config = &SETTINGS[usize::from(ways.has(3))];
    let peer = match (ways.has(1), ways.has(2)) {
        (_, true) => ClientAddr::Unix,
        (true, false) => ClientAddr::Tcp(SocketAddr::from(([10, 0, 0, 1], 5000))),
        (false, false) => ClientAddr::Tcp(SocketAddr::from(([203, 0, 113, 7], 5000))),
    };
    let client = identify(peer, &parts.headers, &config.client_ip);
    let lines = Lines::read(&parts.headers);
    let target = Target::read(&parts.uri, parts.version, &lines)?;
    let offer = Offer::read(parts, &lines)?;
    let routes = Table::new(&config.routes);
    let route = routes.find(target.host(), target.path(), offer.subprotocols())?;
    policy::address::check(&route.address, client.ip)?;
    let handshake = Handshake::websocket(parts, client, &route)?;
    let (host, port) = (target.host(), target.port());
    policy::origin::check(handshake.origin(), &route.origin, host, port, false)?;
    let path = path_and_query(
        "/base",
        &route.upstream_path(target.path())?,
        target.query(),
    );
    let (request, _sent) = upstream_request(&handshake, &offer, path)?;
    let (server, heard) = Script::replying(|_| Vec::new(), 0);
    let answer = run(exchange_over(server, request));
    assert_eq!(answer.err(), Some(Rejection::UpstreamReset));
    Ok(Accepted {
        received: parts.headers.clone(),
        query: target.query().map(str::to_owned),
        authority: target.authority().to_owned(),
        route: route.name.to_string(),
        client,
        trusted: client.trusted,
        sent: heard.bytes(),
    })
}

/// An accepted request held against the very bytes that it was read from.
fn check_said(said: &[u8], parts: &Parts) {
    assert_eq!(parts.method, http::Method::GET);
    let mut lines = said
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| line.is_empty());
    assert!(lines.next().is_some_and(|line| line.starts_with(b"GET ")));
    let mut count = [0; 5];
    for line in lines.take_while(|line| !line.is_empty()) {
        assert!(
            !line.starts_with(b" ") && !line.starts_with(b"\t"),
            "a folded line"
        );
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.expect("a colon"));
        let value = value[1..].trim_ascii();
        for (count, known) in count.iter_mut().zip(COUNTED) {
            *count += usize::from(name.eq_ignore_ascii_case(known.as_bytes()));
        }
        if name.eq_ignore_ascii_case(b"sec-websocket-key") {
            let digits = value
                .strip_suffix(b"==")
                .expect("16 bytes leave 2 for padding");
            let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
            assert!(digits.len() == 22 && digits.iter().all(is_digit));
        }
        if name.eq_ignore_ascii_case(b"sec-websocket-version") {
            assert_eq!(value, b"13");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            // Hyper makes one of two that are equal, and they are numbers: `00` is `0`.
            assert!(!value.is_empty() && value.iter().all(|&digit| digit == b'0'));
        }
    }
    let [encodings, hosts, keys, versions, origins] = count;
    assert_eq!((encodings, hosts, keys, versions), (0, 1, 1, 1));
    assert!(origins <= 1);
}

const COUNTED: [&str; 5] = [
    "transfer-encoding",
    "host",
    "sec-websocket-key",
    "sec-websocket-version",
    "origin",
];

static SETTINGS: LazyLock<[Config; 2]> = LazyLock::new(|| {
    ["x-forwarded-for", "forwarded"].map(|header| {
        let text = ROUTES.replace("HEADER", header);
        Config::from_toml("request_head.toml", &text).expect("right settings")
    })
});

const ROUTES: &str = r#"
    [client_ip]
    trusted_proxies = ["10.0.0.0/8"]
    header = "HEADER"

    [upstream.chat]
    servers = ["ws://127.0.0.1:9001"]

    [[route]]
    name = "rooms"
    host = ["rooms.test", "*.rooms.test"]
    path = "/rooms/{id}/*"
    rewrite = "/r/{id}/*"
    upstream = "chat"
    compression = "off"
    [route.headers]
    set = { x-gate = "wsgate", x-room = "{path.id}", x-client = "{client_ip} at {host}" }
    remove = ["x-secret"]
    forwarded = "both"

    [[route]]
    name = "dotted"
    path = "/dotted/{id}"
    rewrite = "/d/.{id}"
    upstream = "chat"
    [route.headers]
    forwarded = "forwarded"

    [[route]]
    name = "silent"
    path = "/silent/*"
    upstream = "chat"
    [route.headers]
    forwarded = "off"

    [[route]]
    name = "chat"
    path = "/ws/*"
    upstream = "chat"
    [route.origin]
    allow = ["same-origin", "https://*.example.com"]
"#;
