//! What spans hold, and where none are made.

use http::Request;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::*;
use crate::observe::SessionInfo;

fn closed() -> Closed {
    Closed {
        session: SessionInfo::for_tests("chat"),
        closed_by: "gate",
        code: None,
        reason: "idle",
    }
}

fn parts(target: &str) -> Parts {
    Request::get(target).body(()).unwrap().into_parts().0
}

#[test]
fn a_path_is_exported_without_its_query_and_not_at_any_length() {
    let long = format!("/{}", "x".repeat(4 * LONGEST_PATH));
    for (target, expected) in [
        ("/ws/room?token=secret", "/ws/room"),
        ("http://user:secret@gate.test/ws?secret", "/ws"),
        (&*long, &*format!("{}…", &long[..LONGEST_PATH])),
    ] {
        let parts = parts(target);
        let attributes = request(&parts, parts.uri.path(), "http");
        let path = attributes.iter().find(|one| one.key.as_str() == "url.path");
        assert_eq!(path.unwrap().value.as_str(), expected);
        assert!(!format!("{attributes:?}").contains("secret"), "{target}");
    }
}

#[test]
fn a_method_that_nobody_knows_is_not_exported() {
    let method_of = |name: &str| method(&name.parse().unwrap());
    assert_eq!(method_of("GET"), "GET");
    assert_eq!(method_of("get"), "_OTHER");
    assert_eq!(method_of("SECRET"), "_OTHER");
}

#[test]
fn without_a_tracer_nothing_is_made_and_no_header_is_touched() {
    let mut trace = Tracing::default().begin(&parts("/"), "/", "http");
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "whatever".parse().unwrap());
    trace.parents().inject(&mut headers);
    assert_eq!(headers["traceparent"], "whatever");
    trace.accepted(SessionId::next()).end(&closed());
}

#[test]
fn a_trace_that_is_not_sampled_is_passed_on_without_attributes() {
    let provider = SdkTracerProvider::builder()
        .with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff)
        .build();
    let tracing = Tracing::with(provider.tracer("test"));
    let mut request = parts("/");
    let client = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request
        .headers
        .insert("traceparent", client.parse().unwrap());
    let mut trace = tracing.begin(&request, "/", "http");
    let mut headers = HeaderMap::new();
    trace.parents().inject(&mut headers);
    let sent = headers["traceparent"].to_str().unwrap();
    assert_eq!(sent[..35], client[..35]);
    assert_ne!(sent[36..52], client[36..52]);
    assert!(sent.ends_with("-00"), "{sent}");
    trace.accepted(SessionId::next()).end(&closed());
}
