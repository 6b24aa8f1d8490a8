//! A request of HTTP/2, from its bytes up to the request that goes upstream because of it.

use std::cell::LazyCell;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::service::Service;
use tokio::runtime::{Builder, Runtime};

use super::head::Head;
use super::http2_wire::{self, Field, connection, fields, frames};
use super::request_head::{SETTINGS, check_target};
use super::upstream_request::{self, Accepted};
use super::wire::{Heard, Script, run};
use super::{Ways, path};
use crate::request::identify;
use crate::server::http2::builder;
use crate::server::http2::extended_connect::offer_stream;
use crate::types::ClientAddr;
use crate::upstream::{Connect, ConnectError, ServerTarget, UpstreamStream};
use crate::{Event, Gate, Refused};

/// The head of a request: a line of text for each field, pseudo-headers included.
///
/// Ways: 0 the head in two frames, 1 from a trusted proxy, 2 from a unix socket, 3 the settings
/// in which proxies speak `Forwarded`, 4 nothing follows the head.
pub fn http2_request(data: &[u8]) {
    let Some((ways, text)) = Ways::split(data) else {
        return;
    };
    let said = Said(fields(text));
    let Some(mut parts) = received(&said, ways) else {
        return;
    };
    let kept = said.kept();
    // A head in one frame is refused for what is left out of one in two, where the first ends within a field.
    assert!(kept.0 == said.0 || ways.has(0), "{said:?}");
    let said = kept;
    check_received(&parts, &said);
    let peer = match (ways.has(1), ways.has(2)) {
        (_, true) => ClientAddr::Unix,
        (true, false) => ClientAddr::Tcp(SocketAddr::from(([10, 0, 0, 1], 5000))),
        (false, false) => ClientAddr::Tcp(SocketAddr::from(([203, 0, 113, 7], 5000))),
    };
    parts.extensions.insert(peer);
    // As the program does: the gate may take the stream of a CONNECT.
    let is_connect = parts.method == Method::CONNECT;
    let _sender = is_connect.then(|| offer_stream(&mut parts));
    let protocol = said.first(b":protocol").unwrap_or_default();
    let is_websocket = is_connect && protocol.eq_ignore_ascii_case(b"websocket");
    let head = parts.clone();
    let (status, refused, dialled) = answer(parts, ways);
    assert_eq!(refused.status, Some(status), "{refused:?}");
    match (&dialled[..], is_websocket) {
        ([], true) => assert!(
            said.is_due(refused.reason),
            "{} of {said:?}",
            refused.reason
        ),
        ([], false) if is_connect => {
            assert_eq!(
                (status, refused.reason),
                (StatusCode::NOT_IMPLEMENTED, "h2_connect")
            );
        }
        ([], false) => assert!(status.is_client_error(), "{status}"),
        ([sent], true) => check_sent(&head, &said, &refused, peer, ways, sent.bytes()),
        (dialled, _) => panic!("{} connections for {said:?}", dialled.len()),
    }
}

/// The fields as the client sent them.
#[derive(Debug)]
struct Said(Vec<Field>);

impl Said {
    fn all(&self, name: &[u8]) -> Vec<&[u8]> {
        let lines = self.0.iter().filter(|(other, _)| other == name);
        lines.map(|(_, value)| &value[..]).collect()
    }

    fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.all(name).first().copied()
    }

    /// Without the fields that no request of HTTP/2 has, and the pseudo-headers that are out of place.
    fn kept(&self) -> Self {
        let mut kept = Vec::<Field>::new();
        for (name, value) in &self.0 {
            let is_pseudo = name.starts_with(b":");
            let is_late = kept
                .iter()
                .any(|(other, _)| other == name || !other.starts_with(b":"));
            let ends_here = OF_CONNECTIONS.iter().any(|known| known.as_bytes() == name)
                || name == b"te" && value != b"trailers";
            if !(ends_here || is_pseudo && is_late) {
                kept.push((name.clone(), value.clone()));
            }
        }
        Self(kept)
    }

    /// The one authority that all lines of the head name.
    fn authority(&self) -> Option<String> {
        let named = self.all(b":authority").into_iter().chain(self.all(b"host"));
        let mut named = named.map(authority);
        let first = named.next()??;
        named
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    /// Whether a WebSocket's handshake may be refused for this without a connection to a server.
    fn is_due(&self, reason: &str) -> bool {
        let [hosts, versions, lengths] =
            [&b"host"[..], b"sec-websocket-version", b"content-length"].map(|name| self.all(name));
        let names = || self.0.iter().map(|(name, _)| &name[..]);
        let has = |known: &[u8]| names().any(|name| name == known);
        match reason {
            "ws_version" => versions != [b"13"],
            "bad_framing" => !lengths.is_empty() && lengths != [b"0"],
            "authority_mismatch" | "bad_host" => hosts.len() > 1 || self.authority().is_none(),
            "bad_header" => {
                names().any(|name| name.starts_with(b"sec-websocket-") || name.contains(&b'"'))
            }
            "header_alias" => names().any(|name| name.iter().any(|&byte| !is_plain(byte))),
            "max_forwards" => has(b"max-forwards"),
            "origin_denied" | "origin_invalid" => has(b"origin"),
            "origin_missing" => !has(b"origin"),
            // They are about the path, which is held against a second reading once it is accepted.
            "bad_path" | "encoded_slash" | "no_route" | "host_not_ours" | "address_denied" => true,
            _ => false,
        }
    }
}

/// What only a connection of HTTP/1 has (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Host and port in their one form; `None` for what is no authority.
fn authority(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let end = match text.starts_with('[') {
        true => text.find(']')? + 1,
        false => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let host = match host.strip_prefix('[') {
        Some(inside) => {
            let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
            format!("[{address}]")
        }
        None => {
            let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            let is_of_name = |byte: u8| is_plain(byte) || byte == b'_';
            let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_of_name);
            let is_name = name.len() <= 253 && name.split('.').all(is_label);
            is_name.then_some(name)?
        }
    };
    let digits = match port {
        "" | ":" => return Some(host),
        port => port.strip_prefix(':')?,
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = digits.parse().ok().filter(|port| is_number && *port > 0)?;
    Some(format!("{host}:{port}"))
}

/// The request that the crate h2 makes of these fields, set as the program sets it; none if it refuses them, of which
/// the client is told.
fn received(said: &Said, ways: Ways) -> Option<Parts> {
    let (socket, heard) = Script::new(&connection(&said.0, ways.has(0), ways.has(4)), 0);
    let settings = &SETTINGS[0].server;
    let parts = run(async {
        let handshake = builder(settings).handshake::<_, Bytes>(socket).await;
        let accepted = handshake.ok()?.accept().await?;
        Some(accepted.ok()?.0.into_parts().0)
    });
    let told = frames(&heard.bytes());
    let is_told = told.iter().any(|kind| {
        // A head that is too long has an answer (RFC 6585 §5).
        [
            http2_wire::HEADERS,
            http2_wire::RST_STREAM,
            http2_wire::GOAWAY,
        ]
        .contains(kind)
    });
    assert!(parts.is_some() || is_told, "{said:?} is dropped in silence");
    parts
}

/// What the gate builds upon: nothing in the head is about a connection of HTTP/1, and no field got lost.
fn check_received(parts: &Parts, said: &Said) {
    assert_eq!(parts.version, Version::HTTP_2);
    for name in OF_CONNECTIONS {
        assert!(!parts.headers.contains_key(name), "{name}");
    }
    let mut te = parts.headers.get_all(header::TE).iter();
    assert!(te.all(|value| value == "trailers"));
    let is_pseudo = |(name, _): &&Field| name.starts_with(b":");
    let pseudo = said.0.iter().filter(is_pseudo).count();
    assert_eq!(parts.headers.len(), said.0.len() - pseudo);
    assert_eq!(
        said.first(b":method"),
        Some(parts.method.as_str().as_bytes())
    );
}

/// An accepted handshake, held against the bytes that the server got.
fn check_sent(
    parts: &Parts,
    said: &Said,
    refused: &Refused,
    peer: ClientAddr,
    ways: Ways,
    sent: Vec<u8>,
) {
    // The server hangs up on it.
    assert_eq!(refused.reason, "upstream_reset");
    assert_eq!(said.all(b"sec-websocket-version"), [b"13"]);
    assert_eq!(said.all(b"sec-websocket-key").len(), 0);
    assert!(said.all(b"origin").len() <= 1);
    assert!(matches!(said.all(b"content-length")[..], [] | [b"0"]));
    let authority = said.authority().expect("one authority");
    let client = identify(
        peer,
        &parts.headers,
        &SETTINGS[usize::from(ways.has(3))].client_ip,
    );
    let accepted = Accepted {
        received: as_sent(&parts.headers, &sent),
        query: parts.uri.query().map(str::to_owned),
        authority,
        route: refused.route.as_deref().expect("a route").to_owned(),
        client,
        trusted: client.trusted,
        sent,
    };
    upstream_request::check(&accepted);
    let target = said.first(b":path").expect("a path");
    // What the crate http cuts off.
    let target = target.split(|&byte| byte == b'#').next();
    check_target(&accepted, target.unwrap_or_default());
    assert!(path::split(target.unwrap_or_default()).0.starts_with(b"/"));
}

/// The headers with the two that go on in one line: the cookies, and `Via`, which ends with this gate.
fn as_sent(received: &HeaderMap, sent: &[u8]) -> HeaderMap {
    let mut headers = received.clone();
    let lines = |name| received.get_all(name).iter().map(HeaderValue::as_bytes);
    let cookies: Vec<_> = lines(header::COOKIE).collect();
    if !cookies.is_empty() {
        let joined = HeaderValue::from_bytes(&cookies.join(&b"; "[..]));
        headers.insert(header::COOKIE, joined.expect("what each line may hold"));
    }
    let head = Head::read(sent);
    let [via] = head.all("via") else {
        panic!("{} lines of Via", head.all("via").len());
    };
    let passed: Vec<_> = lines(header::VIA).filter(|line| !line.is_empty()).collect();
    let passed = [passed.join(&b", "[..]), b", ".to_vec()].concat();
    let passed = passed.trim_ascii_start();
    let own = via.strip_prefix(passed.strip_prefix(b", ").unwrap_or(passed));
    let own = own.unwrap_or_else(|| panic!("{via:?} does not begin with {passed:?}"));
    assert!(own.trim_ascii().starts_with(b"2 wsgate-"), "{own:?}");
    headers.insert(header::VIA, HeaderValue::from_bytes(via).expect("a value"));
    headers
}

/// What happened because of one request.
#[derive(Default)]
struct Seen {
    refused: Vec<Refused>,
    /// What was sent on each connection to a server.
    dialled: Vec<Heard>,
}

/// Notes what each server is told, which hangs up then.
struct Servers(Arc<Mutex<Seen>>);

impl Connect for Servers {
    async fn connect(&self, _: ServerTarget<'_>) -> Result<UpstreamStream, ConnectError> {
        let (server, heard) = Script::replying(|_| Vec::new(), 0);
        note(&self.0, |seen| seen.dialled.push(heard));
        Ok(UpstreamStream::new(server))
    }
}

fn note<T>(seen: &Mutex<Seen>, change: impl FnOnce(&mut Seen) -> T) -> T {
    change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whole gates, for a thread.
struct Stage {
    runtime: Runtime,
    gates: [Gate; 2],
    seen: Arc<Mutex<Seen>>,
}

impl Stage {
    fn new() -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let gates = SETTINGS.each_ref().map(|config| {
            let observed = Arc::clone(&seen);
            let observer = move |event: &Event| match event {
                Event::Refused(refused) => {
                    note(&observed, |seen| seen.refused.push(refused.clone()))
                }
                other => panic!("{other:?}"),
            };
            let gate = Gate::builder(config.clone()).connect(Servers(Arc::clone(&seen)));
            gate.observe(observer).build().expect("right settings")
        });
        let runtime = Builder::new_current_thread().enable_time().build();
        Self {
            runtime: runtime.expect("a runtime"),
            gates,
            seen,
        }
    }
}

/// What the gate makes of a request: its answer, the one refusal, and what servers were told before.
fn answer(parts: Parts, ways: Ways) -> (StatusCode, Refused, Vec<Heard>) {
    thread_local! {
        static STAGE: LazyCell<Stage> = LazyCell::new(Stage::new);
    }
    STAGE.with(|stage| {
        let service = stage.gates[usize::from(ways.has(3))].service();
        let request = Request::from_parts(parts, ());
        // The first request of all begins the housekeeping of the gate, which takes a runtime.
        let answer = async { Service::call(&service, request).await };
        let answered = stage.runtime.block_on(answer);
        let (head, _) = answered.expect("an answer").into_parts();
        for name in OF_CONNECTIONS {
            assert!(!head.headers.contains_key(name), "{name} in an answer");
        }
        let mut seen = note(&stage.seen, std::mem::take);
        let refused = seen.refused.pop().expect("a refusal");
        assert!(seen.refused.is_empty(), "two refusals of one request");
        (head.status, refused, seen.dialled)
    })
}
