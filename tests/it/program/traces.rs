//! Traces: what a collector gets of a session and of a refusal, what the upstream is told, and that
//! nobody ever waits for a collector.

mod losses;
mod plain;

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::kit::collector::{Collector, hexadecimal, named, says};
use crate::kit::{Echo, Head, Program, Socket, Upstream, Wire, finish_with, settings, websocket};

const CLIENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// For a collector that is to be told soon.
const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");

/// For one that is to be told at the end only.
const NEVER: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");

/// A program that serves this and tells this collector soon.
async fn traced(server: &str, collector: &Collector) -> Program {
    let url = collector.url();
    Program::run_with(&settings(server, ""), &[(ENDPOINT, &url), SOON]).await
}

/// The 101 to a request.
fn switching(request: &Head) -> String {
    let accept = derive_accept_key(request.one("sec-websocket-key").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Opens a session with these lines in its request: both ends, and what the upstream was asked.
async fn open(program: &Program, upstream: &Upstream, lines: &str) -> (Wire, Wire, Head) {
    let mut client = Wire::connect(&program.address).await;
    let request = websocket("/ws/room?c=1", &program.address, lines);
    client.send(request).await;
    let (mut server, head) = upstream.request().await;
    server.send(switching(&head)).await;
    assert_eq!(client.head().await.status(), 101);
    (client, server, head)
}

/// Ends a session from both sides, with 1000.
async fn close(mut client: Wire, mut server: Wire) {
    client.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await;
    server.take(8).await;
    server.send([0x88, 0x02, 0x03, 0xe8]).await;
    client.end().await;
}

#[track_caller]
fn assert_says(span: &Span, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        let said = says(&span.attributes, key);
        assert_eq!(said, *value, "{key} of {span:#?}");
    }
}

fn failed(span: &Span) -> bool {
    let status = span.status.as_ref().map(|status| status.code());
    status == Some(StatusCode::Error)
}

#[tokio::test]
async fn a_session_is_a_span_in_the_clients_trace_and_the_upstream_gets_its_context() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let program = traced(upstream.url(), &collector).await;
    let lines = format!("traceparent: {CLIENT}\r\ntracestate: a=1\r\ntracestate: b=2\r\n");
    let (mut client, mut server, told) = open(&program, &upstream, &lines).await;
    // An empty message to, and one of a byte back.
    client.send([0x82, 0x80, 0, 0, 0, 0]).await;
    server.take(6).await;
    server.send([0x82, 0x01, b'x']).await;
    client.take(3).await;
    close(client, server).await;

    let spans = collector.spans(3).await;
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let session = named(&spans, "websocket chat");
    let handshake = named(&spans, "handshake");
    let connect = named(&spans, "connect");
    for span in [session, handshake, connect] {
        assert_eq!(hexadecimal(&span.trace_id), CLIENT[3..35]);
        assert_eq!(span.trace_state, "a=1,b=2");
        assert!(!failed(span), "{span:#?}");
    }
    assert_eq!(hexadecimal(&session.parent_span_id), CLIENT[36..52]);
    assert_eq!(handshake.parent_span_id, session.span_id);
    assert_eq!(connect.parent_span_id, handshake.span_id);
    let (trace, span) = (&CLIENT[3..35], hexadecimal(&session.span_id));
    assert_eq!(told.one("traceparent"), format!("00-{trace}-{span}-01"));
    assert_eq!(told.one("tracestate"), "a=1,b=2");

    let times = |span: &Span| (span.start_time_unix_nano, span.end_time_unix_nano);
    let (began, ended) = times(session);
    for (child, parent) in [(handshake, session), (connect, handshake)] {
        assert!(times(child).0 >= times(parent).0 && times(child).1 <= times(parent).1);
    }
    assert!(began > 0 && times(handshake).1 < ended);
    assert_eq!(session.kind(), SpanKind::Server);
    let (host, port) = program.address.split_once(':').unwrap();
    let closed = program.event("session closed").await;
    assert_says(
        session,
        &[
            ("http.request.method", "GET"),
            ("url.path", "/ws/room"),
            ("url.scheme", "http"),
            ("url.query", ""),
            ("network.protocol.name", "http"),
            ("network.protocol.version", "1.1"),
            ("server.address", host),
            ("server.port", port),
            ("client.address", "127.0.0.1"),
            ("network.peer.address", "127.0.0.1"),
            ("http.response.status_code", "101"),
            ("wsgate.route", "chat"),
            ("wsgate.upstream", "chat"),
            ("wsgate.server", upstream.url()),
            ("wsgate.session.id", closed["id"].as_str().unwrap()),
            ("wsgate.close.code", "1000"),
            ("wsgate.close.reason", "closed"),
            ("wsgate.closed_by", "client"),
            ("wsgate.client.messages", "1"),
            ("wsgate.client.bytes", "14"),
            ("wsgate.upstream.messages", "1"),
            ("wsgate.upstream.bytes", "7"),
            ("wsgate.rejection", ""),
            ("error.type", ""),
        ],
    );
    assert_says(handshake, &[("http.response.status_code", "101")]);
    assert_says(connect, &[("wsgate.server", upstream.url())]);
    program.stop().await;
}

#[tokio::test]
async fn a_refusal_is_a_span_that_ends_at_once_and_is_an_error_only_if_it_is_ours() {
    let collector = Collector::start().await;
    let dead = Upstream::dead();
    let url = collector.url();
    let more = "[route.origin]\nallow = [\"https://app.test\"]";
    let program = Program::run_with(&settings(dead.url(), more), &[(ENDPOINT, &url), SOON]).await;
    for (target, lines, name, status, word, error) in [
        ("/no", "", "websocket", "404", "no_route", false),
        (
            "/ws/",
            "Origin: https://evil.test\r\n",
            "websocket chat",
            "403",
            "origin_denied",
            false,
        ),
        (
            "/ws/",
            "",
            "websocket chat",
            "502",
            "upstream_refused",
            true,
        ),
    ] {
        let mut wire = Wire::connect(&program.address).await;
        wire.send(websocket(target, &program.address, lines)).await;
        let answered = wire.response().await.status().to_string();
        assert_eq!(answered, status);
        let spans = collector.spans(if error { 3 } else { 2 }).await;
        let (session, handshake) = (named(&spans, name), named(&spans, "handshake"));
        assert_eq!(session.parent_span_id, [] as [u8; 0]);
        assert_eq!(handshake.parent_span_id, session.span_id);
        let word_if_error = if error { word } else { "" };
        for span in [session, handshake] {
            let expected = [
                ("http.response.status_code", status),
                ("wsgate.rejection", word),
                ("error.type", word_if_error),
            ];
            assert_says(span, &expected);
            assert_eq!(failed(span), error, "{span:#?}");
        }
        assert_says(session, &[("url.path", target), ("wsgate.session.id", "")]);
        if error {
            let connect = named(&spans, "connect");
            assert!(failed(connect), "{connect:#?}");
            assert_says(session, &[("wsgate.server", dead.url())]);
        }
    }
    program.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_before_its_answer_leaves_a_span() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let program = traced(upstream.url(), &collector).await;
    let mut client = Wire::connect(&program.address).await;
    let request = websocket("/ws/", &program.address, "");
    client.send(request).await;
    let _unanswered = upstream.request().await;
    drop(client);
    let spans = collector.spans(3).await;
    let session = named(&spans, "websocket chat");
    let expected = [
        ("wsgate.rejection", "abandoned"),
        ("http.response.status_code", ""),
    ];
    assert_says(session, &expected);
    assert_says(named(&spans, "handshake"), &expected);
    program.stop().await;
}

#[tokio::test]
async fn a_trace_context_that_is_wrong_is_not_passed_on() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let program = traced(upstream.url(), &collector).await;
    let lines = format!("traceparent: {CLIENT}0\r\ntracestate: a=1\r\n");
    let (client, server, told) = open(&program, &upstream, &lines).await;
    close(client, server).await;
    let spans = collector.spans(3).await;
    let session = named(&spans, "websocket chat");
    let (trace, span) = (
        hexadecimal(&session.trace_id),
        hexadecimal(&session.span_id),
    );
    assert_ne!(trace, CLIENT[3..35]);
    assert_eq!(session.parent_span_id, [] as [u8; 0]);
    assert_eq!(told.one("traceparent"), format!("00-{trace}-{span}-01"));
    assert_eq!(told.all("tracestate"), [] as [&str; 0]);
    program.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_sample_is_not_exported_unless_the_sampler_says_so() {
    for (sampler, exported) in [("", false), ("always_on", true)] {
        let (collector, upstream) = (Collector::start().await, Upstream::start().await);
        let url = collector.url();
        let variables = [(ENDPOINT, &*url), SOON, ("OTEL_TRACES_SAMPLER", sampler)];
        let program = Program::run_with(&settings(upstream.url(), ""), &variables).await;
        let unsampled = format!("{}00", &CLIENT[..53]);
        let lines = format!("traceparent: {unsampled}\r\n");
        let (client, server, told) = open(&program, &upstream, &lines).await;
        close(client, server).await;
        let told = told.one("traceparent");
        let flags = if exported { "01" } else { "00" };
        assert_eq!((&told[..35], &told[53..]), (&CLIENT[..35], flags));
        assert_ne!(told[36..52], CLIENT[36..52]);
        // What is sampled comes alone.
        let (client, server, _) = open(&program, &upstream, "").await;
        close(client, server).await;
        let expected = if exported { 6 } else { 3 };
        let spans = collector.spans(expected).await;
        let in_trace = |span: &&Span| hexadecimal(&span.trace_id) == CLIENT[3..35];
        assert_eq!(spans.len(), expected, "{spans:#?}");
        assert_eq!(spans.iter().filter(in_trace).count(), expected - 3);
        program.stop().await;
    }
}

#[tokio::test]
async fn without_an_endpoint_a_trace_context_goes_upstream_as_it_came() {
    let upstream = Upstream::start().await;
    for variables in [
        &[][..],
        &[("OTEL_SERVICE_NAME", "gate")],
        &[
            (ENDPOINT, "http://127.0.0.1:1"),
            ("OTEL_SDK_DISABLED", "true"),
        ],
    ] {
        let program = Program::run_with(&settings(upstream.url(), ""), variables).await;
        let lines = "traceparent: whatever\r\ntraceparent: it is\r\ntracestate: =\r\n";
        let (client, server, told) = open(&program, &upstream, lines).await;
        close(client, server).await;
        assert_eq!(told.all("traceparent"), ["whatever", "it is"]);
        assert_eq!(told.all("tracestate"), ["="]);
        program.stop().await;
    }
}

#[tokio::test]
async fn a_batch_has_the_name_of_the_service_and_the_headers_of_the_environment() {
    let upstream = Upstream::start().await;
    for (variables, path, service, place) in [
        (&[][..], "/v1/traces", "wsgate", ""),
        (
            &[
                ("OTEL_SERVICE_NAME", "gate"),
                ("OTEL_RESOURCE_ATTRIBUTES", "place=here,service.name=other"),
            ],
            "/v1/traces",
            "gate",
            "here",
        ),
        (
            &[("OTEL_RESOURCE_ATTRIBUTES", "service.name=other")],
            "/v1/traces",
            "other",
            "",
        ),
    ] {
        let collector = Collector::start().await;
        let url = collector.url();
        let key = ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=k%20y");
        let variables = [variables, &[(ENDPOINT, &*url), SOON, key]].concat();
        let program = Program::run_with(&settings(upstream.url(), ""), &variables).await;
        let mut wire = Wire::connect(&program.address).await;
        wire.send(websocket("/no", &program.address, "")).await;
        let batch = collector.batch().await;
        assert_eq!(batch.head.line, format!("POST {path} HTTP/1.1"));
        assert_eq!(batch.head.one("host"), &url["http://".len()..]);
        assert_eq!(batch.head.one("content-type"), "application/x-protobuf");
        assert_eq!(batch.head.one("x-key"), "k y");
        let resource = batch.request().resource_spans.remove(0).resource.unwrap();
        let says = |key: &str| says(&resource.attributes, key);
        assert_eq!((&*says("service.name"), &*says("place")), (service, place));
        assert_eq!(says("service.version"), env!("CARGO_PKG_VERSION"));
        program.stop().await;
    }
}

#[tokio::test]
async fn the_end_of_the_process_sends_what_is_left() {
    let (collector, echo) = (Collector::start().await, Echo::start().await);
    let url = collector.url();
    let program = Program::run_with(&settings(echo.url(), ""), &[(ENDPOINT, &url), NEVER]).await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    socket.echoes("x").await;
    let (spans, (), _log) = tokio::join!(
        collector.spans(3),
        async {
            socket.closed().await;
            socket.end().await;
        },
        program.stop()
    );
    let session = named(&spans, "websocket chat");
    let expected = [
        ("wsgate.close.code", "1001"),
        ("wsgate.closed_by", "gate"),
        ("wsgate.client.messages", "1"),
    ];
    assert_says(session, &expected);
}

#[tokio::test]
async fn no_secret_is_exported() {
    const CANARY: &str = "c4nary";
    let (collector, echo) = (Collector::start().await, Echo::start().await);
    let url = collector.url();
    let program = Program::run_with(&settings(echo.url(), ""), &[(ENDPOINT, &url), NEVER]).await;
    let lines = "Cookie: session=c4nary\r\nAuthorization: Bearer c4nary\r\nX-Api-Key: c4nary\r\n\
                 Referer: http://gate.test/?c4nary\r\nSec-WebSocket-Protocol: c4nary\r\n\
                 baggage: c4nary=c4nary\r\nUser-Agent: c4nary\r\n";
    for target in ["/no?c4nary", "/ws/room?token=c4nary", "/ws/%zz?c4nary"] {
        let mut wire = Wire::connect(&program.address).await;
        wire.send(websocket(target, &program.address, lines)).await;
        let _answer = wire.head().await;
    }
    let mut socket = Socket::open(&program.address, "/ws/room?token=c4nary").await;
    socket.echoes("c4nary").await;
    socket.close().await;
    let stopping = program.stop();
    let exported = async {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains("wsgate.closed_by") {
            bytes.extend(collector.batch().await.body);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (exported, _log) = tokio::join!(exported, stopping);
    assert!(exported.contains("/ws/room"), "{exported:?}");
    assert!(!exported.contains(CANARY), "{exported:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    std::fs::write(&file, settings("ws://127.0.0.1:1", "")).unwrap();
    for command in ["run", "check"] {
        for url in ["nowhere:4318", "https://otel:4318", "http://c4nary@otel"] {
            let arguments = [command, file.to_str().unwrap()];
            let finished = finish_with(&arguments, &[(ENDPOINT, url)]).await;
            assert_eq!(finished.code, Some(1), "{finished:?}");
            assert!(finished.stderr.contains(ENDPOINT), "{finished:?}");
            assert!(
                finished.stderr.contains("OTEL_SDK_DISABLED"),
                "{finished:?}"
            );
            assert!(!finished.stderr.contains("c4nary"), "{finished:?}");
        }
    }
}
