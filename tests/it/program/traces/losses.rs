//! Collectors that do not do what they are for.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use rustix::process::Signal;

use super::{ENDPOINT, NEVER, SOON};
use crate::kit::collector::Collector;
use crate::kit::{Echo, Program, Socket, Upstream, settings};

/// Runs a session with a collector that is to lose its spans, and the process to its end; then the
/// line of the log, which has to be the only one.
async fn lose(url: &str, variables: &[(&str, &str)]) -> (u64, String) {
    let echo = Echo::start().await;
    let variables = [variables, &[(ENDPOINT, url)]].concat();
    let program = Program::run_with(&settings(echo.url(), ""), &variables).await;
    for _ in 0..2 {
        let mut socket = Socket::open(&program.address, "/ws/").await;
        socket.echoes("x").await;
        socket.close().await;
    }
    let log = program.stop().await;
    let lines = log.lines().filter(|line| line.contains("spans_lost"));
    let lines: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!lines.is_empty(), "{log}");
    for line in &lines {
        assert_eq!(
            (&line["level"], &line["message"]),
            (&"WARN".into(), &"spans are lost".into())
        );
    }
    let lost = lines.iter().map(|line| line["lost"].as_u64().unwrap());
    let error = lines[0]["error"].as_str().unwrap().to_owned();
    (lost.sum(), error)
}

#[tokio::test]
async fn a_collector_that_nobody_reaches_costs_its_spans_and_nothing_else() {
    let dead = Upstream::dead();
    let url = dead.url().replace("ws://", "http://");
    for delay in [SOON, NEVER] {
        let (lost, error) = lose(&url, &[delay]).await;
        assert_eq!(lost, 6);
        assert!(
            error.starts_with("the collector cannot be reached: "),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_collector_that_never_answers_is_given_up() {
    let silent = Upstream::start().await;
    let url = silent.url().replace("ws://", "http://");
    let timeout = ("OTEL_EXPORTER_OTLP_TIMEOUT", "100");
    let (lost, error) = lose(&url, &[NEVER, timeout]).await;
    assert_eq!((lost, &*error), (6, "the collector did not answer in time"));
}

#[tokio::test]
async fn the_end_of_the_process_waits_for_a_collector_no_longer_than_five_seconds() {
    let silent = Upstream::start().await;
    let url = silent.url().replace("ws://", "http://");
    let (lost, error) = lose(&url, &[NEVER]).await;
    let expected = "the collector had not taken them when the process ended";
    assert_eq!((lost, &*error), (6, expected));
}

#[tokio::test]
async fn a_second_signal_ends_the_wait_for_a_collector() {
    let (silent, echo) = (Upstream::start().await, Echo::start().await);
    let url = silent.url().replace("ws://", "http://");
    let mut program =
        Program::run_with(&settings(echo.url(), ""), &[(ENDPOINT, &url), NEVER]).await;
    let socket = Socket::open(&program.address, "/ws/").await;
    socket.close().await;
    program.signal(Signal::TERM);
    let (_unanswered, head) = silent.request().await;
    assert_eq!(head.line, "POST /v1/traces HTTP/1.1");
    program.signal(Signal::TERM);
    let (code, log) = program.ended().await;
    assert_eq!(code, Some(143), "{log}");
}

#[tokio::test]
async fn a_queue_that_is_full_takes_no_more() {
    let dead = Upstream::dead();
    let url = dead.url().replace("ws://", "http://");
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "2");
    let (lost, _) = lose(&url, &[NEVER, queue]).await;
    assert_eq!(lost, 6);
}

#[tokio::test]
async fn what_a_collector_refuses_is_lost() {
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 4,
            error_message: "c4nary".to_owned(),
        }),
    };
    let partial = partial.encode_to_vec();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        partial.len()
    );
    // The message is of ASCII, and so are its lengths.
    answer.push_str(std::str::from_utf8(&partial).unwrap());
    for (answer, expected, why) in [
        (answer, 4, "the collector took only a part"),
        (
            "HTTP/1.1 400 c4nary\r\nContent-Length: 6\r\n\r\nc4nary".to_owned(),
            6,
            "the collector answered 400 Bad Request",
        ),
    ] {
        let collector = Collector::answering(answer).await;
        let url = collector.url();
        let lost = lose(&url, &[NEVER]);
        let ((lost, error), _batch) = tokio::join!(lost, collector.batch());
        assert_eq!((lost, &*error), (expected, why));
    }
}
