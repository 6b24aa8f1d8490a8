//! What a collector gets of forwarded plain requests.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::{CLIENT, ENDPOINT, SOON, assert_says, failed};
use crate::kit::collector::{Collector, hexadecimal, named};
use crate::kit::{Program, Upstream, Wire, settings};

/// A program that forwards to this, and tells this collector soon.
async fn forwarding(server: &str, collector: &Collector) -> Program {
    let url = collector.url();
    let text = settings(server, "http = \"forward\"");
    Program::run_with(&text, &[(ENDPOINT, &url), SOON]).await
}

#[tokio::test]
async fn a_forwarded_request_is_a_span_in_the_clients_trace_and_the_upstream_gets_its_context() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let program = forwarding(upstream.url(), &collector).await;
    let mut client = Wire::connect(&program.address).await;
    let head = |method: &str| {
        format!(
            "{method} /ws/page?c4nary HTTP/1.1\r\nHost: {}\r\ntraceparent: {CLIENT}\r\n",
            program.address
        )
    };
    client
        .send(format!("{}Content-Length: 2\r\n\r\nhi", head("PUT")))
        .await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(server.body(&request).await, b"hi");
    server
        .send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")
        .await;
    assert_eq!(client.response().await.status(), 404);
    let spans = collector.spans(2).await;
    let (span, connect) = (named(&spans, "PUT chat"), named(&spans, "connect"));
    assert_eq!(hexadecimal(&span.trace_id), CLIENT[3..35]);
    assert_eq!(hexadecimal(&span.parent_span_id), CLIENT[36..52]);
    assert_eq!(connect.parent_span_id, span.span_id);
    let context = format!("00-{}-{}-01", &CLIENT[3..35], hexadecimal(&span.span_id));
    assert_eq!(request.one("traceparent"), context);
    assert_eq!(span.kind(), SpanKind::Server);
    assert!(!failed(span), "{span:#?}");
    assert_says(
        span,
        &[
            ("http.request.method", "PUT"),
            ("url.path", "/ws/page"),
            ("url.query", ""),
            ("client.address", "127.0.0.1"),
            ("http.response.status_code", "404"),
            ("wsgate.route", "chat"),
            ("wsgate.upstream", "chat"),
            ("wsgate.server", upstream.url()),
            ("wsgate.outcome", "forwarded"),
            ("wsgate.rejection", ""),
            ("wsgate.client.bytes", "2"),
            ("wsgate.upstream.bytes", "4"),
            ("error.type", ""),
        ],
    );

    // On the same connection, an answer of the application that is an error.
    client.send(format!("{}\r\n", head("SECRET"))).await;
    server.head().await;
    server
        .send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.response().await.status(), 503);
    let spans = collector.spans(1).await;
    let span = named(&spans, "HTTP chat");
    assert!(failed(span), "{span:#?}");
    let said = [
        ("http.request.method", "_OTHER"),
        ("error.type", "503"),
        ("wsgate.outcome", "forwarded"),
    ];
    assert_says(span, &said);
    program.stop().await;
}

#[tokio::test]
async fn a_plain_request_that_its_server_fails_is_an_error_with_the_word_of_the_log() {
    let (collector, upstream) = (Collector::start().await, Upstream::start().await);
    let program = forwarding(upstream.url(), &collector).await;
    for (sent, word, status) in [
        ("this is no HTTP\r\n\r\n", "upstream_bad_response", "502"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "upstream_lost",
            "200",
        ),
    ] {
        let mut client = Wire::connect(&program.address).await;
        client
            .send("GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n")
            .await;
        let (mut server, _) = upstream.request().await;
        server.send(sent).await;
        client.head().await;
        drop(server);
        let spans = collector.spans(2).await;
        let span = named(&spans, "GET chat");
        assert!(failed(span), "{span:#?}");
        let said = [("error.type", word), ("http.response.status_code", status)];
        assert_says(span, &said);
    }
    program.stop().await;
}
