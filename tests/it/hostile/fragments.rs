//! Case H18: request targets with a fragment, with bytes that no target has, of another scheme.

use rstest::rstest;

use crate::kit::{CANARY, Head, Host, Request, Stage, Wire, answer, soon};

fn target(target: &str) -> Request {
    Stage::handshake().line(&format!("GET {target} HTTP/1.1"))
}

const FRAGMENTS: [&str; 13] = [
    "/ws/a#",
    "/ws/a#b",
    "/ws/a#/../admin",
    "/ws/a#/../../admin?x",
    "/ws/a#?b",
    "/ws/a?#",
    "/ws/a?b#c",
    "/ws/%61#b",
    "/ws/#",
    "/#/ws/a",
    "http://gate.test/ws/a#b",
    "http://gate.test/ws/a?b#c",
    "ws://gate.test#/ws/a",
];

#[tokio::test]
async fn h18_a_target_with_a_fragment() {
    let mut stage = Stage::set("http = \"forward\"").await;
    for wanted in FRAGMENTS {
        let request = target(wanted).text();
        stage.refused(wanted, request, 400, "bad_path").await;
        let request = Request::plain(wanted).text();
        stage.refused(wanted, request, 400, "bad_path").await;
    }
    // Others, of which hyper makes nothing.
    for wanted in ["#", "#/ws/a", "*#", "http:#//gate.test/ws/a"] {
        let request = target(wanted).text();
        stage.refused(wanted, request, 400, "bad_request").await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h18_a_fragment_that_comes_in_pieces() {
    let mut stage = Stage::set("").await;
    let text = target("/ws/a#b").text();
    let end = text.find("\r\n").expect("a request line") + 4;
    for at in 1..end {
        let mut client = stage.client().await;
        client.send(&text[..at]).await;
        // Hyper has read the first piece before the second comes.
        tokio::task::yield_now().await;
        client.send(&text[at..]).await;
        assert_eq!(client.head().await.status(), 400, "{at}");
        client.end().await;
        stage.refuses("bad_path");
    }
    assert!(stage.upstream.untouched());
    stage.stands().await;
}

/// Plain requests that are in order, though there is a `#` somewhere in each of them.
const IN_ORDER: [&str; 5] = [
    "GET /ws/a HTTP/1.1\r\nHost: gate.test\r\nReferer: http://gate.test/#x\r\n\r\n",
    "POST /ws/a HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 21\r\n\r\nGET /ws/#x HTTP/1.1\r\n",
    "POST /ws/a HTTP/1.1\r\nHost: gate.test\r\nTransfer-Encoding: chunked\r\n\r\n\
     15;a=#\r\nGET /ws/#x HTTP/1.1\r\n\r\n0\r\nX: #\r\n\r\n",
    "\r\n\nGET /ws/a HTTP/1.1\nHost: gate.test\nX: #\n\n",
    "GET /ws/a?%23 HTTP/1.1\r\nHost: gate.test\r\nUpgrade: h2c\r\nX: GET /#\r\n\r\n",
];

/// Reads the response to a request that the upstream answers.
async fn forwarded(stage: &Stage, client: &mut Wire) {
    let (mut server, asked) = stage.upstream.request().await;
    if !asked.line.starts_with("GET ") {
        server.body(&asked).await;
    }
    server
        .send(answer("200 OK", "Connection: close\r\n", CANARY))
        .await;
    assert_eq!(client.response().await.status(), 200, "{asked:?}");
}

#[tokio::test]
async fn h18_a_number_sign_elsewhere_is_none_of_a_target() {
    let stage = Stage::set("http = \"forward\"").await;
    let mut client = stage.client().await;
    for request in IN_ORDER.iter().chain(&IN_ORDER) {
        client.send(request).await;
        forwarded(&stage, &mut client).await;
    }
    client.shut().await;
    client.end().await;
    stage.stands().await;
}

#[rstest]
#[case::all_at_once(None)]
#[case::byte_by_byte(Some(1))]
#[case::in_pieces(Some(17))]
#[tokio::test]
async fn h18_a_fragment_behind_other_requests_of_a_connection(#[case] piece: Option<usize>) {
    let mut stage = Stage::set("http = \"forward\"").await;
    for before in IN_ORDER {
        for wanted in ["/ws/a#b", "http://gate.test/ws/a#b"] {
            let mut client = stage.client().await;
            let text = format!("{before}{before}{}", target(wanted).text());
            match piece {
                None => client.send(&text).await,
                Some(piece) => {
                    for piece in text.as_bytes().chunks(piece) {
                        client.send(piece).await;
                    }
                }
            }
            forwarded(&stage, &mut client).await;
            forwarded(&stage, &mut client).await;
            let head: Head = client.head().await;
            assert_eq!(head.status(), 400, "{before}: {head:?}");
            head.assert(&[("connection", "close")]);
            client.body(&head).await;
            client.end().await;
            stage.refuses("bad_path");
        }
    }
    assert!(stage.upstream.untouched());
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h18_a_byte_that_no_target_has_or_another_scheme(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for wanted in [
        "/ws/\u{e9}",
        "/ws/a?\u{e9}",
        "http://gate.test/ws/\u{e9}",
        "http://gate.test/ws/a?\u{e9}",
        "/ws/\"a\"",
        "ftp://gate.test/ws/a",
        "file://gate.test/ws/a",
        "httpx://gate.test/ws/a",
        "javascript://gate.test/ws/a",
    ] {
        let request = target(wanted).text();
        stage.refused(wanted, request, 400, "bad_path").await;
    }
    for wanted in ["/ws/a?\"b\"", "/ws/a?<b>", "/ws/a`b"] {
        let request = target(wanted).text();
        stage.refused(wanted, request, 400, "bad_request").await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h18_a_byte_that_no_target_has_in_a_plain_request() {
    let mut stage = Stage::set("http = \"forward\"").await;
    for wanted in [
        "/ws/\u{e9}",
        "/ws/a?\u{e9}",
        "/ws/\"a\"",
        "ftp://gate.test/ws/a",
    ] {
        let request = Request::plain(wanted).text();
        stage.refused(wanted, request, 400, "bad_path").await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h18_what_browsers_do_not_escape_is_taken(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (wanted, sent) in [
        (
            "/ws/a?b={[c|d]}^`'\\!$&()*+,;=:@/?",
            "/ws/a?b={[c|d]}^`'\\!$&()*+,;=:@/?",
        ),
        ("/ws/a[1]|b^{c}?%61%c3", "/ws/a%5B1%5D%7Cb%5E%7Bc%7D?%61%c3"),
        ("https://gate.test/ws/a", "/ws/a"),
        ("WSS://gate.test/ws/a", "/ws/a"),
    ] {
        let asked = stage.accepted(wanted, target(wanted).text()).await;
        assert_eq!(asked.target(), sent);
    }
    stage.stands().await;
}

#[tokio::test]
async fn h18_a_fragment_at_the_admin_interface() {
    let stage = Stage::set("").await;
    let address = stage.program().admin().await;
    let mut client = Wire::connect(&address).await;
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    for wanted in ["/healthz#x", "/healthz#/../sessions", "/sessions?limit=1#x"] {
        client.send(request("/healthz") + &request(wanted)).await;
        assert_eq!(client.response().await.status(), 200);
        let refused = client.response().await;
        assert_eq!(refused.status(), 400, "{}", refused.text());
        assert!(refused.text().contains("fragment"), "{}", refused.text());
    }
    soon("the end", client.shut()).await;
    client.end().await;
    stage.stands().await;
}
