//! Cases H08 and H09: where a request ends, and who disagrees.

use rstest::rstest;

use crate::kit::{CANARY, Host, Request, Stage, answer};

#[rstest]
#[tokio::test]
async fn h08_transfer_encoding_on_an_upgrade(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for line in [
        "Transfer-Encoding: chunked",
        "transfer-encoding: CHUNKED",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding:chunked \t",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: chunked\r\nContent-Length: +4",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
    ] {
        let request = Stage::handshake_with(line);
        stage.refused(line, request, 400, "te_on_upgrade").await;
    }
    // What hyper does not take for `chunked` it does not take at all.
    for line in [
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: x-chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nContent-Length: 4",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\0",
    ] {
        let request = Stage::handshake_with(line);
        stage.refused(line, request, 400, "bad_request").await;
    }
    for line in ["Transfer_Encoding: chunked", "Transfer.Encoding: chunked"] {
        let request = Stage::handshake_with(line);
        stage.refused(line, request, 400, "header_alias").await;
    }
    let post = Stage::handshake()
        .line("POST /ws/room HTTP/1.1")
        .header("Transfer-Encoding", "chunked");
    let post = post.text() + "0\r\n\r\n";
    stage.refused("POST", post, 405, "method").await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h09_a_content_length_on_an_upgrade(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for line in [
        "Content-Length: 4",
        "Content-Length: 00",
        "content-length:5\r\nCONTENT-LENGTH: 5",
    ] {
        let request = Stage::handshake_with(line);
        stage.refused(line, request, 400, "bad_framing").await;
    }
    for line in WRONG_LENGTHS {
        let request = Stage::handshake_with(line);
        stage.refused(line, request, 400, "bad_request").await;
    }
    // Nothing is announced by these, and nothing of them is sent on.
    for line in [
        "Content-Length: 0",
        "Content-Length:\t0 ",
        "Content-Length: 0\r\nContent-Length: 0",
    ] {
        let asked = stage.accepted(line, Stage::handshake_with(line)).await;
        asked.assert(&[("content-length", "")]);
    }
    stage.stands().await;
}

const WRONG_LENGTHS: &[&str] = &[
    "Content-Length:",
    "Content-Length: +0",
    "Content-Length: -0",
    "Content-Length: +1",
    "Content-Length: -1",
    "Content-Length: 0x0",
    "Content-Length: 1e1",
    "Content-Length: 0.0",
    "Content-Length: 0 0",
    "Content-Length: \u{b}0",
    "Content-Length: 0,0",
    "Content-Length: 5, 5",
    "Content-Length: 0\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 0",
    "Content-Length: 5\r\nContent-Length: +5",
    "Content-Length: 18446744073709551616",
    "Content-Length: 99999999999999999999999",
    "Content-Length : 0",
];

// Hyper counts these among heads that are too large. The lengths are wrong, and the head is not large.
#[tokio::test]
async fn h09_a_content_length_that_hyper_keeps_for_itself() {
    let mut stage = Stage::set("http = \"forward\"").await;
    for line in [
        "Content-Length: 18446744073709551614",
        "Content-Length: 18446744073709551615",
    ] {
        for behind in ["", "what stands behind the head"] {
            let request = [Stage::handshake_with(line), behind.into()].concat();
            stage.refused(line, request, 400, "bad_request").await;
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn h09_a_plain_request_with_a_wrong_frame_is_not_forwarded() {
    let mut stage = Stage::set("http = \"forward\"").await;
    let plain = Request::plain("/ws/room").line("POST /ws/room HTTP/1.1");
    let plain = plain.text();
    let (first, rest) = plain.split_once("\r\n").expect("a request line");
    let body = "0\r\n\r\n";
    for line in WRONG_LENGTHS {
        let request = format!("{first}\r\n{line}\r\n{rest}{body}");
        stage.refused(line, request, 400, "bad_request").await;
    }
    for line in [
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
    ] {
        let request = format!("{first}\r\n{line}\r\n{rest}{body}");
        stage.refused(line, request, 400, "bad_request").await;
    }
    for line in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    ] {
        let request = format!("{first}\r\n{line}\r\n{rest}{body}");
        stage.refused(line, request, 400, "bad_framing").await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h09_of_a_plain_request_with_both_frames_only_the_chunks_count() {
    let stage = Stage::set("http = \"forward\"").await;
    let smuggled = Request::plain("/ws/smuggled").text();
    for line in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: +5",
    ] {
        let mut client = stage.client().await;
        let head = format!("POST /ws/room?{CANARY} HTTP/1.1\r\nHost: gate.test\r\n{line}\r\n\r\n");
        client.send(format!("{head}0\r\n\r\n{smuggled}")).await;
        let (mut server, asked) = stage.upstream.request().await;
        asked.assert(&[("content-length", ""), ("transfer-encoding", "chunked")]);
        assert_eq!(server.take(5).await, b"0\r\n\r\n", "{line}");
        let closing = "Connection: close\r\n";
        server.send(answer("200 OK", closing, CANARY)).await;
        let (head, body) = client.response().await.parts();
        assert_eq!((head.status(), body.as_str()), (200, CANARY), "{line}");
        head.assert(&[("connection", "close")]);
        client.expect_end().await;
        server.expect_end().await;
        assert!(stage.upstream.untouched(), "{line}");
    }
    stage.stands().await;
}
