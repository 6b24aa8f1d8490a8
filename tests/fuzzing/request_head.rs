//! A client's bytes, up to the request that goes upstream because of them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::LazyLock;

use http::request::Parts;

use super::upstream_request::{self, Accepted};
use super::wire::{Script, run, serve, serve_on};
use super::{Ways, head, path};
use crate::config::Config;
use crate::config::UpstreamHttp;
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
/// in which proxies speak `Forwarded`, 4 every request is answered and the connection stays.
pub fn request_head(data: &[u8]) {
    let Some((ways, said)) = Ways::split(data) else {
        return;
    };
    match ways.has(4) {
        true => follow(said, ways),
        false => drop(is_accepted(said, ways)),
    }
}

/// Plays one request on a connection of its own, and says whether it goes upstream.
pub(super) fn is_accepted(said: &[u8], ways: Ways) -> bool {
    let calls = Cell::new(0);
    let bodiless = Cell::new(false);
    let accepted = RefCell::new(None);
    let piece = if ways.has(0) { 7 } else { 0 };
    let told = serve(said, piece, |parts, has_fragment| {
        calls.set(calls.get() + 1);
        bodiless.set(parts.method == http::Method::HEAD);
        // As the program does.
        let forwarded = match has_fragment {
            true => Err(Rejection::Path),
            false => forward(&parts, ways),
        };
        let rejection = match forwarded {
            Ok(request) => {
                let target = check_said(said, &parts);
                accepted.replace(Some((request, target)));
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
    let accepted = accepted.take();
    if let Some((accepted, target)) = &accepted {
        upstream_request::check(accepted);
        check_target(accepted, target);
    }
    accepted.is_some()
}

/// A connection that is kept: whatever else stands in it, of each request is known whether its target
/// had a fragment, which hyper does not say.
fn follow(said: &[u8], ways: Ways) {
    let piece = if ways.has(0) { 7 } else { 0 };
    serve_on(said, piece, |parts, has_fragment| {
        if !cfg!(feature = "server") {
            return;
        }
        assert!(
            !has_fragment || said.contains(&b'#'),
            "a fragment of nobody"
        );
        if parts.uri.authority().is_some() {
            return;
        }
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        let line = format!("{} {target}", parts.method);
        let behind = said.windows(line.len() + 1);
        let behind = behind.filter_map(|part| part.strip_prefix(line.as_bytes()));
        let behind: Vec<_> = behind.flatten().collect();
        let found = behind.contains(&&b'#');
        let is_certain = !behind.is_empty() && behind.iter().all(|byte| **byte == b'#');
        assert!(found || !has_fragment, "{line} has none");
        assert!(has_fragment || !is_certain, "{line} has one");
    });
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
        &route.upstream_path(target.path(), None)?,
        target.query(),
    );
    let (request, _sent) = upstream_request(&handshake, &offer, path, UpstreamHttp::H1)?;
    let (server, heard) = Script::replying(|_| Vec::new(), 0);
    let answer = run(exchange_over(server, request));
    assert_eq!(answer.err(), Some(Rejection::UpstreamReset));
    Ok(Accepted {
        received: parts.headers.clone(),
        query: target.query().map(str::to_owned),
        authority: target.authority().expect("of HTTP/1.1").to_owned(),
        route: route.name.to_string(),
        client,
        trusted: client.trusted,
        sent: heard.bytes(),
    })
}

/// Held against the target of an accepted request as it was sent: what was matched is what goes
/// upstream, and no denied path was let in.
pub(super) fn check_target(accepted: &Accepted, target: &[u8]) {
    let (path, query) = path::split(target);
    let path = path::normal(&path).expect("a path that can be sent");
    let path = String::from_utf8(path).expect("a path of ASCII");
    // Nobody is let in to `/ws/admin/*`, nor to what a server could take for that.
    let decoded = path.replace("%2F", "/");
    assert!(!decoded.starts_with("/ws/admin/"), "{path:?} is denied");
    let passes_slashes = ["rooms", "silent", "doc", "any"].contains(&accepted.route.as_str());
    assert!(passes_slashes || path == decoded, "{path:?} has a slash");
    let expected = match accepted.route.as_str() {
        "rooms" => {
            let below = path.strip_prefix("/rooms/");
            format!("/base/r/{}", below.expect("a room"))
        }
        "dotted" => {
            let id = path.strip_prefix("/dotted/");
            format!("/base/d/.{}", id.expect("an id"))
        }
        "doc" => {
            let doc = path.strip_prefix("/doc/%2F/");
            format!("/base/doc%2F/.{}/ws", doc.expect("a document"))
        }
        _ => format!("/base{path}"),
    };
    let expected = match query {
        Some(query) => [expected.as_bytes(), b"?", query].concat(),
        None => expected.into_bytes(),
    };
    let line = accepted.sent.split(|&byte| byte == b' ').nth(1);
    assert_eq!(
        line.map(<[u8]>::escape_ascii).map(|line| line.to_string()),
        Some(expected.escape_ascii().to_string())
    );
}

/// An accepted request held against the very bytes that it was read from. Returns its target.
fn check_said<'a>(said: &'a [u8], parts: &Parts) -> &'a [u8] {
    assert_eq!(parts.method, http::Method::GET);
    let mut lines = said
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| line.is_empty());
    let line = lines.next().and_then(|line| line.strip_prefix(b"GET "));
    let target = line.and_then(|line| line.strip_suffix(b" HTTP/1.1"));
    let target = target.expect("a GET of this version").trim_ascii();
    let scheme = target.split(|&byte| byte == b':').next().unwrap_or(target);
    let is_http =
        ["http", "https", "ws", "wss"].map(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    assert!(target.starts_with(b"/") || is_http.contains(&true));
    // Without the program nobody looks at the line before hyper.
    assert!(!target.contains(&b'#') || !cfg!(feature = "server"));
    let target = target.split(|&byte| byte == b'#').next().unwrap_or(target);
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
    target
}

const COUNTED: [&str; 5] = [
    "transfer-encoding",
    "host",
    "sec-websocket-key",
    "sec-websocket-version",
    "origin",
];

pub(super) static SETTINGS: LazyLock<[Config; 2]> = LazyLock::new(|| {
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
    servers = ["ws://127.0.0.1:9001/base"]

    [[route]]
    name = "rooms"
    host = ["rooms.test", "*.rooms.test"]
    path = "/rooms/{id}/*"
    rewrite = "/r/{id}/*"
    upstream = "chat"
    encoded_slashes = "pass"
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
    encoded_slashes = "pass"
    [route.headers]
    forwarded = "off"

    [[route]]
    name = "admin"
    path = "/ws/%61dmin/*"
    upstream = "chat"
    [route.address]
    deny = ["0.0.0.0/0", "::/0"]

    [[route]]
    name = "chat"
    path = "/ws/*"
    upstream = "chat"
    [route.origin]
    allow = ["same-origin", "https://*.example.com"]

    [[route]]
    name = "doc"
    path = "/doc/%2f/{doc}"
    rewrite = "/doc%2f/.{doc}/ws"
    upstream = "chat"
    encoded_slashes = "pass"

    [[route]]
    name = "any"
    path = "/{any}"
    upstream = "chat"
    encoded_slashes = "pass"
"#;
