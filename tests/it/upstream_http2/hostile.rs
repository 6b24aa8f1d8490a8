//! Servers that speak HTTP/2 wrongly, or do not speak it.

use h2::Reason;

use super::{before, opened, outcome};
use crate::kit::{Frame, Http2Upstream, Request, Wire};

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The settings of a server with WebSockets.
fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1])
}

/// A head with this status, as RFC 7541 writes it without an index.
fn head(status: &str, flags: u8) -> Vec<u8> {
    let mut block = vec![0x08, 3];
    block.extend(status.as_bytes());
    frame(HEADERS, flags | END_HEADERS, 1, &block)
}

/// Reads the connection preface and everything up to the request.
async fn read_request(wire: &mut Wire) {
    assert_eq!(wire.take(24).await, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    loop {
        let start = wire.take(9).await;
        let length = u32::from_be_bytes([0, start[0], start[1], start[2]]);
        wire.take(length as usize).await;
        if start[3] == HEADERS {
            assert_eq!(start[5..9], [0, 0, 0, 1], "the first stream");
            return;
        }
    }
}

/// The status and the outcome of a handshake whose server says this to it.
async fn said(answer: &[u8]) -> (u16, &'static str) {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let serve = async {
        let mut wire = upstream.wire().await;
        wire.send(settings()).await;
        read_request(&mut wire).await;
        wire.try_send(answer).await;
        wire
    };
    let request = Request::websocket("/");
    let ((answered, _), _wire) = tokio::join!(bench.refused(&request), serve);
    (answered.status(), outcome(&bench))
}

#[tokio::test]
async fn an_answer_that_http2_does_not_have_is_refused() {
    let header = |name: &str, value: &str| {
        let mut block = vec![0x08, 3];
        block.extend(b"200");
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
        frame(HEADERS, END_HEADERS, 1, &block)
    };
    let huge = {
        let mut block = vec![0x08, 3];
        block.extend(b"200");
        for _ in 0..200 {
            block.extend([0, 1, b'a', 100]);
            block.extend([b'b'; 100]);
        }
        let (first, rest) = block.split_at(16_000);
        [frame(HEADERS, 0, 1, first), frame(9, END_HEADERS, 1, rest)].concat()
    };
    for (answer, expected) in [
        (head("101", 0), "upstream_bad_response"),
        (head("200", END_STREAM), "upstream_bad_response"),
        (frame(DATA, 0, 1, b"early"), "upstream_bad_response"),
        (header("connection", "upgrade"), "upstream_bad_response"),
        (header("Upper", "case"), "upstream_bad_response"),
        (huge, "upstream_bad_response"),
        (head("100", 0).repeat(2000), "upstream_bad_response"),
        (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), "upstream_bad_response"),
    ] {
        let shown = answer[..answer.len().min(40)].escape_ascii().to_string();
        assert_eq!(said(&answer).await, (502, expected), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_its_connection_is_not() {
    let upstream = Http2Upstream::start().await;
    let setup = before(&upstream).upstream("handshake_timeout = \"200ms\"");
    let bench = setup.start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    let silent = peer.request().await;
    let (head, _) = client.response().await.parts();
    assert_eq!((head.status(), outcome(&bench)), (504, "upstream_timeout"));
    assert_eq!(silent.was_reset().await, Reason::CANCEL);
    let mut client = bench.ask(&Request::websocket("/")).await;
    let _server = peer.session().await;
    opened(&mut client).await;
}

#[tokio::test]
async fn a_server_of_another_protocol_has_a_word_of_its_own() {
    for said in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "",
    ] {
        let upstream = Http2Upstream::start().await;
        let bench = before(&upstream).start().await;
        let serve = async {
            let mut wire = upstream.wire().await;
            wire.send(said).await;
            wire.shut().await;
            wire
        };
        let request = Request::websocket("/");
        let ((head, _), _wire) = tokio::join!(bench.refused(&request), serve);
        assert_eq!(
            (head.status(), outcome(&bench)),
            (502, "upstream_no_http2"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_server_without_settings_is_given_up_in_time() {
    let upstream = Http2Upstream::start().await;
    let setup = before(&upstream).upstream("connect_timeout = \"200ms\"");
    let bench = setup.start().await;
    let request = Request::websocket("/");
    let ((head, _), _wire) = tokio::join!(bench.refused(&request), upstream.wire());
    assert_eq!((head.status(), outcome(&bench)), (504, "upstream_timeout"));
}

#[tokio::test]
async fn a_server_that_takes_no_streams_is_refused() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let request = Request::websocket("/");
    let accept =
        upstream.accept_with(|builder| builder.enable_connect_protocol().max_concurrent_streams(0));
    let ((head, _), _peer) = tokio::join!(bench.refused(&request), accept);
    assert_eq!((head.status(), outcome(&bench)), (502, "upstream_refused"));
}

#[tokio::test]
async fn floods_of_settings_and_pings_do_not_hold_a_session_up() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let mut wire = upstream.wire().await;
    wire.send(settings()).await;
    read_request(&mut wire).await;
    wire.send(head("200", 0)).await;
    opened(&mut client).await;
    let (mut reader, mut writer) = wire.split();
    let flood = [settings(), frame(PING, 0, 0, b"01234567")]
        .concat()
        .repeat(20_000);
    let text = Frame::text("behind").plain();
    let write = async {
        writer.send(&flood).await;
        writer.send(frame(DATA, 0, 1, &text)).await;
    };
    let discard = async { while !reader.take(9).await.is_empty() {} };
    tokio::select! {
        () = discard => {}
        ((), ()) = async { tokio::join!(write, client.expect(Frame::text("behind"))) } => {}
    }
}
