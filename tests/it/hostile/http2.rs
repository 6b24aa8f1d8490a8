//! Cases H29 to H32: HTTP/2 as its attackers speak it.

use h2::ext::Protocol;
use http::{HeaderName, HeaderValue, Request};
use tokio::time::timeout;

use crate::kit::{
    AT_ONCE, Frame, HTTP_2, Http2, Program, Stage, Upstream, Vitals, Wire, answer,
    extended_connect, plain, settings,
};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const DATA: u8 = 0;

const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// The program, whose listener speaks HTTP/2 as well.
async fn stage() -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    Stage::set_with(upstream, &pool, "", HTTP_2).await
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head[..], payload].concat()
}

/// A header without compression (RFC 7541 §6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect()
}

const WEBSOCKET: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/ws/"),
    (":authority", "gate.test"),
    ("sec-websocket-version", "13"),
];

/// A connection behind the preface and the settings of both.
async fn raw(address: &str) -> Wire {
    let mut wire = Wire::connect(address).await;
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    wire.send(frame(SETTINGS, 0, 0, [])).await;
    wire
}

/// The next frame of this kind: its stream and its payload.
async fn next(wire: &mut Wire, wanted: u8) -> (u32, Vec<u8>) {
    let (_, stream, payload) = next_of(wire, &[wanted]).await;
    (stream, payload)
}

/// The next frame of one of these kinds: its kind, its stream and its payload.
async fn next_of(wire: &mut Wire, wanted: &[u8]) -> (u8, u32, Vec<u8>) {
    loop {
        let head = wire.take(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = wire.take(length as usize).await;
        if wanted.contains(&head[3]) {
            let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
            return (head[3], stream, payload);
        }
    }
}

fn code(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload.try_into().unwrap())
}

/// Sends this again and again, until the gate has had enough; the reason that it gives.
async fn until_goaway(wire: Wire, what: &str, flood: &dyn Fn(u32) -> Vec<u8>) -> (u32, [Wire; 2]) {
    let (mut reading, mut writing) = wire.split();
    let pour = async {
        for round in 0.. {
            if !writing.try_send(flood(round)).await {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let told = async { next(&mut reading, GOAWAY).await };
    let told = tokio::select! {
        told = timeout(AT_ONCE, told) => told,
        () = pour => unreachable!("it never ends"),
    };
    let (_, payload) = told.unwrap_or_else(|_| panic!("{what}: no GOAWAY"));
    (code(&payload[4..8]), [reading, writing])
}

#[tokio::test]
async fn h29_a_connect_for_anything_else_dials_nobody() {
    let mut stage = stage().await;
    let mut client = Http2::connect(stage.address()).await;
    let mut udp = extended_connect("/ws/");
    udp.extensions_mut()
        .insert(Protocol::from_static("connect-udp"));
    let tunnel = Request::builder().method("CONNECT").uri("gate.test:443");
    for request in [udp, tunnel.body(()).unwrap()] {
        assert_eq!(client.refused(request).await, 501);
        stage.refuses("h2_connect");
    }
    drop(client);
    // What is missing is an error of the stream.
    let mut wire = raw(stage.address()).await;
    for (index, missing) in [":scheme", ":path", ":method"].into_iter().enumerate() {
        let stream = 1 + 2 * u32::try_from(index).unwrap();
        let present: Vec<_> = WEBSOCKET
            .into_iter()
            .filter(|(name, _)| *name != missing)
            .collect();
        wire.send(frame(HEADERS, END_HEADERS, stream, fields(&present)))
            .await;
        let (reset, reason) = next(&mut wire, RST_STREAM).await;
        assert_eq!(
            (reset, code(&reason)),
            (stream, PROTOCOL_ERROR),
            "{missing}"
        );
    }
    drop(wire);
    stage.stands().await;
}

#[tokio::test]
async fn h30_headers_of_http_1_and_two_hosts_reach_nobody() {
    let mut stage = stage().await;
    for bad in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("keep-alive", "x"),
        ("X-Upper", "x"),
        ("x-line", "a\r\nx-smuggled: b"),
    ] {
        let mut wire = raw(stage.address()).await;
        let block = [fields(&WEBSOCKET), fields(&[bad])].concat();
        wire.send(frame(HEADERS, END_HEADERS, 1, block)).await;
        // Where the head itself cannot be read, all that follows on the connection could not.
        match next_of(&mut wire, &[RST_STREAM, GOAWAY]).await {
            (RST_STREAM, 1, reason) => assert_eq!(code(&reason), PROTOCOL_ERROR, "{bad:?}"),
            (GOAWAY, 0, _) => stage.refuses("bad_request"),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
    let mut client = Http2::connect(stage.address()).await;
    let mut request = extended_connect("/ws/");
    let other = HeaderValue::from_static("other.test");
    request.headers_mut().insert("host", other);
    assert_eq!(client.refused(request).await, 400);
    stage.refuses("authority_mismatch");
    // The crates of HTTP/2 let a quote into a name, which no token has (RFC 9110 §5.6.2).
    for name in [&b"content\"length"[..], b"x\"", b"\""] {
        let mut request = extended_connect("/ws/");
        let name = HeaderName::from_lowercase(name).unwrap();
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("0"));
        assert_eq!(client.refused(request).await, 400);
    }
    stage.refuses("header_alias");
    stage.refuses("bad_header");
    stage.refuses("bad_header");
    drop(client);
    stage.stands().await;
}

#[tokio::test]
async fn h31_a_request_in_the_data_is_no_request() {
    let mut stage = stage().await;
    let mut client = Http2::connect(stage.address()).await;
    let smuggled = "GET /ws/smuggled HTTP/1.1\r\nHost: gate.test\r\n\r\n";
    // The server refuses: nothing of it was sent, and nobody else gets its answer.
    let (response, mut body) = client.send(extended_connect("/ws/"), false);
    body.send_data(smuggled.into(), false).unwrap();
    let (mut server, _) = stage.upstream.request().await;
    stage.serves_others().await;
    assert!(server.there().is_empty(), "{server:?}");
    server.send(answer("403 Forbidden", "", "no")).await;
    let refused = timeout(AT_ONCE, response).await.unwrap().unwrap();
    assert_eq!(refused.status(), 403);
    server.expect_end().await;
    stage.refuses("upstream_answered");
    drop((refused, body));
    // It accepts: those are frames, and wrong ones.
    let (response, mut body) = client.send(extended_connect("/ws/"), false);
    body.send_data(smuggled.into(), false).unwrap();
    let mut server = stage.upstream.session().await;
    assert_eq!(
        timeout(AT_ONCE, response).await.unwrap().unwrap().status(),
        200
    );
    stage.was_accepted();
    server.expect_close(1001).await;
    server.send_frame(&Frame::close(1001, "")).await;
    assert_eq!(server.end().await, b"");
    stage.ends("rsv_or_opcode");
    drop((body, client));
    stage.stands().await;
}

#[tokio::test]
async fn h32_a_flood_of_what_costs_nothing_to_send_is_ended() {
    let upstream = Upstream::start().await;
    let text = settings(upstream.url(), "");
    let text = text.replacen("\n[log]", "\nhttp = [\"h2\"]\n[log]", 1);
    let program = Program::run(&text).await;
    let stream = |round: u32| 1 + 2 * round;
    let get = fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/nowhere"),
        (":authority", "gate.test"),
    ]);
    let before = Vitals::of(program.id());
    // CVE-2023-44487: each is a handshake, which may take a connection to a server.
    let rapid_reset = |round| {
        let open = frame(HEADERS, END_HEADERS, stream(round), fields(&WEBSOCKET));
        [open, frame(RST_STREAM, 0, stream(round), [0, 0, 0, 8])].concat()
    };
    // CVE-2024-27316.
    let head_without_end = |round| match round {
        0 => frame(HEADERS, 0, 1, &get),
        _ => frame(CONTINUATION, 0, 1, field("x-more", &"x".repeat(100))),
    };
    // CVE-2025-8671, with a window that is widened by nothing: the crate takes that for an error of the connection.
    let made_you_reset = |round| {
        let open = frame(HEADERS, END_HEADERS, stream(round), &get);
        [open, frame(WINDOW_UPDATE, 0, stream(round), [0; 4])].concat()
    };
    let empty_data = |round| match round {
        0 => frame(HEADERS, END_HEADERS, 1, fields(&WEBSOCKET)),
        _ => frame(DATA, 0, 1, []),
    };
    let malformed = |round| {
        frame(
            HEADERS,
            END_HEADERS,
            stream(round),
            field("no", "pseudo-header"),
        )
    };
    let calm = ENHANCE_YOUR_CALM;
    type Flood<'a> = (&'a str, u32, &'a dyn Fn(u32) -> Vec<u8>);
    let floods: [Flood<'_>; 5] = [
        ("rapid reset", calm, &rapid_reset),
        ("a head without end", calm, &head_without_end),
        ("empty data", calm, &empty_data),
        ("malformed heads", calm, &malformed),
        // Last, because its refusals use up what the log has room for.
        ("resets of the gate's own", PROTOCOL_ERROR, &made_you_reset),
    ];
    // A client that resets its connection at once is one that has left.
    let mut open = Vec::new();
    for (what, expected, flood) in floods {
        let wire = raw(&program.address).await;
        let (reason, ends) = until_goaway(wire, what, flood).await;
        assert_eq!(reason, expected, "{what}");
        open.push(ends);
    }
    let told = || {
        let lines = program.events("request rejected");
        lines
            .iter()
            .filter(|line| line["reason"] == "h2_flood")
            .count()
    };
    program
        .until("a line for each", || told() == floods.len() - 1)
        .await;
    // Pings and settings whose answers nobody reads.
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let mut wire = raw(&program.address).await;
        let many = frame(kind, 0, 0, payload).repeat(10_000);
        for _ in 0..20 {
            if timeout(AT_ONCE / 20, wire.try_send(&many)).await.is_err() {
                break;
            }
        }
    }
    let mut client = Http2::connect(&program.address).await;
    assert_eq!(client.fetch(plain("GET", "/nowhere")).await.0.status(), 404);
    let grown = Vitals::of(program.id()).peak.saturating_sub(before.peak);
    assert!(grown < 12 << 20, "{grown}");
    program.stop().await;
}

#[tokio::test]
async fn h32_refusals_of_one_connection_have_an_end() {
    let mut stage = stage().await;
    let mut client = Http2::connect(stage.address()).await;
    for _ in 0..100 {
        let mut request = extended_connect("/ws/");
        let origin = HeaderValue::from_static("http://evil.test");
        request.headers_mut().insert("origin", origin);
        assert_eq!(client.refused(request).await, 403);
        stage.refuses("origin_denied");
    }
    // What is open may end; the next takes another connection.
    let ended = timeout(AT_ONCE, client.ended).await.unwrap();
    ended.unwrap().unwrap();
    let other = Http2::connect(stage.address()).await;
    drop(other);
    stage.stands().await;
}
