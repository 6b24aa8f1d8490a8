//! Case H34: requests that say at which hop they end.

use crate::kit::{CANARY, Head, Request, Stage, answer};

fn request(method: &str, left: &str) -> Request {
    Request::plain("/ws/page")
        .line(&format!("{method} /ws/page HTTP/1.1"))
        .header("Cookie", &format!("session={CANARY}"))
        .header("Max-Forwards", left)
}

async fn forwarding() -> Stage {
    Stage::set("http = \"forward\"").await
}

/// The answer to a request that goes to no upstream: its head, and its body.
async fn ends_here(stage: &mut Stage, request: &Request, reason: &str) -> (Head, String) {
    let mut client = stage.client().await;
    client.send(request.text()).await;
    let (head, body) = client.response().await.parts();
    client.expect_end().await;
    assert!(stage.upstream.untouched(), "{head:#?}");
    assert!(!body.contains(CANARY), "{body}");
    stage.refuses(reason);
    (head, body)
}

#[tokio::test]
async fn h34_a_request_without_hops_left_ends_at_the_gate() {
    let mut stage = forwarding().await;
    for left in ["0", "00"] {
        // A TRACE is not sent back: other hops may have added what its client is not to see.
        for (method, status) in [("TRACE", 405), ("OPTIONS", 200)] {
            let (head, _) = ends_here(&mut stage, &request(method, left), "max_forwards").await;
            assert_eq!(head.status(), status, "{method}");
            head.assert(&[("allow", "GET, OPTIONS")]);
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn h34_a_number_of_hops_that_is_none() {
    let mut stage = forwarding().await;
    for left in ["", "-1", "+1", "0x1", "1, 0", "one"] {
        for method in ["TRACE", "OPTIONS"] {
            let request = request(method, left);
            let (head, _) = ends_here(&mut stage, &request, "bad_header").await;
            assert_eq!(head.status(), 400, "{method} {left}");
            let twice = request.header("Max-Forwards", "1");
            let (head, _) = ends_here(&mut stage, &twice, "bad_header").await;
            assert_eq!(head.status(), 400, "{method} {left}, 1");
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn h34_each_hop_takes_one() {
    let stage = forwarding().await;
    for (method, received, sent) in [
        ("TRACE", "1", "0"),
        ("OPTIONS", "10", "9"),
        ("OPTIONS", "99999999999999999999", "4294967294"),
        // With other methods it means nothing.
        ("GET", "0", "0"),
        ("POST", "1", "1"),
    ] {
        let mut client = stage.client().await;
        let request = request(method, received).header("Content-Length", "0");
        client.send(request.text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        assert_eq!(asked.all("max-forwards"), [sent], "{method} {received}");
        let closing = "Connection: close\r\n";
        server.send(answer("200 OK", closing, "here")).await;
        assert_eq!(client.response().await.status(), 200);
        server.end().await;
    }
    stage.stands().await;
}
