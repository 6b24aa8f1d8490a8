//! A request, a route and a way between them, for tests.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Empty;

use super::forward::Sent;
use super::upstream_request;
use crate::config::UpstreamHttp;
use crate::config::{Forwarded, ForwardingHeader, HttpMode, PathPattern, Route, Template};
use crate::request::{ClientIdentity, Facts, Handshake, Kind, Lines, Offer, Target};
use crate::types::ClientAddr;

pub(super) const PEER: &str = "203.0.113.7:5000";

pub(super) fn route() -> Route {
    let mut route = Route::for_tests("chat", "/rooms/{id}");
    route.http = HttpMode::Forward.into();
    route
}

pub(super) fn sending(forwarded: Forwarded) -> Route {
    let mut route = route();
    route.headers.forwarded = forwarded;
    route
}

pub(super) fn setting(name: &str, value: &str) -> Route {
    let mut route = route();
    let path: PathPattern = "/rooms/{id}".parse().unwrap();
    let template = Template::parse(value, &path).unwrap();
    route.headers.set.push((name.parse().unwrap(), template));
    route
}

/// A handshake with these headers beside the required ones.
pub(super) fn handshake(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/rooms/42?token=x")
        .header("host", "Chat.Example.com:8080")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Where a request came from: who the peer is, and who the client behind it.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) peer: ClientAddr,
    pub(super) client_ip: IpAddr,
    pub(super) trusted: Option<ForwardingHeader>,
}

impl Caller {
    pub(super) fn stranger(peer: &str) -> Self {
        let peer = ClientAddr::Tcp(peer.parse::<SocketAddr>().unwrap());
        let client_ip = peer.ip();
        Self {
            peer,
            client_ip,
            trusted: None,
        }
    }

    pub(super) fn proxy(spoken: ForwardingHeader) -> Self {
        let client_ip = "198.51.100.1".parse().unwrap();
        Self {
            client_ip,
            trusted: Some(spoken),
            ..Self::stranger(PEER)
        }
    }
}

/// The value that the stages would have made of this request.
pub(super) fn read(parts: &Parts, route: &Route, from: Caller, kind: Kind) -> Handshake {
    let client = ClientIdentity {
        ip: from.client_ip,
        peer: from.peer,
        trusted: from.trusted,
    };
    let target = Target::of(parts).unwrap();
    let facts = Facts::new(client, target, kind, Lines::read(&parts.headers));
    Handshake::new(parts.clone(), facts, Arc::new(route.clone()))
}

pub(super) fn plain(parts: &Parts, route: &Route, from: Caller) -> Handshake {
    read(parts, route, from, Kind::Plain)
}

pub(super) fn websocket(parts: &Parts, route: &Route, from: Caller) -> (Handshake, Offer) {
    let offer = Offer::of(parts).unwrap();
    let kind = Kind::WebSocket(offer.clone());
    (read(parts, route, from, kind), offer)
}

pub(super) fn upstream(
    parts: &Parts,
    route: &Route,
    from: Caller,
) -> (Request<Empty<Bytes>>, Sent) {
    let (handshake, offer) = websocket(parts, route, from);
    upstream_request(
        &handshake,
        &offer,
        "/base/42?token=x".to_owned(),
        UpstreamHttp::H1,
    )
    .unwrap()
}

/// All headers that go upstream with these, sorted, as `name: value` lines.
pub(super) fn sent_lines(headers: &[(&str, &str)], route: &Route, from: Caller) -> Vec<String> {
    let (request, _) = upstream(&handshake(headers), route, from);
    let line =
        |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut lines: Vec<_> = request.headers().iter().map(line).collect();
    lines.sort_unstable();
    lines
}
