//! Case H35: requests that come back to the gate that has sent them on.

use rstest::rstest;

use crate::kit::{CANARY, Host, Program, Request, Stage, Upstream, Wire, answer, settings};

/// A request with these lines of `Via`.
fn passed(request: Request, via: &[&str]) -> Request {
    let add = |request: Request, line: &&str| request.header("Via", line);
    via.iter().fold(request, add)
}

/// What the gate calls itself in the requests that it sends on.
async fn own_entry(stage: &mut Stage) -> String {
    let asked = stage.accepted("its entry", Stage::handshake().text()).await;
    asked.one("via").to_owned()
}

#[rstest]
#[tokio::test]
async fn h35_a_handshake_that_has_been_here(
    #[values(Host::Program, Host::Layer, Host::Service)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let own = own_entry(&mut stage).await;
    let pseudonym = own.strip_prefix("1.1 ").unwrap();
    let inside = format!("1.0 fred, HTTP/1.1 {pseudonym} (came back), 1.1 p.example.net");
    for via in [&[&*own][..], &[&*inside], &["1.0 fred", &*own]] {
        let request = passed(Stage::handshake(), via);
        let what = format!("{via:?}");
        stage
            .refused(&what, request.text(), 508, "loop_detected")
            .await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h35_a_gate_that_another_has_passed_or_a_forger_has_thought_of(
    #[values(Host::Program, Host::Layer, Host::Service)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let own = own_entry(&mut stage).await;
    for via in ["1.1 wsgate-000000000000", "1.1 wsgate", "x,,\"", ""] {
        let request = passed(Stage::handshake(), &[via]);
        let asked = stage.accepted(via, request.text()).await;
        let expected = [via, &own].map(str::to_owned);
        let expected = expected.into_iter().filter(|entry| !entry.is_empty());
        let expected: Vec<_> = expected.collect();
        assert_eq!(asked.one("via"), expected.join(", "));
    }
    stage.stands().await;
}

#[tokio::test]
async fn h35_a_page_that_has_been_here() {
    let mut stage = Stage::set("http = \"forward\"\nheaders.remove = [\"Via\"]").await;
    let page = Request::plain("/ws/page").header("Cookie", CANARY);
    let mut client = stage.client().await;
    for (version, received) in [("1.1", "1.1"), ("1.0", "1.0")] {
        let line = format!("GET /ws/page HTTP/{version}");
        let request = passed(page.clone().line(&line), &["1.1 edge"]);
        client.send(request.text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        let closing = "Connection: close\r\nVia: 1.1 inner\r\n";
        server.send(answer("200 OK", closing, "here")).await;
        let response = client.response().await;
        assert_eq!(response.head.one("via"), "1.1 inner");
        server.end().await;
        // The route removes what others have written, and never the gate's own.
        let own = asked.one("via");
        assert!(own.starts_with(&format!("{received} wsgate-")), "{own}");
        let request = passed(page.clone(), &[own]);
        stage
            .refused("a page", request.text(), 508, "loop_detected")
            .await;
    }
    stage.stands().await;
}

/// A pool whose only server is the gate itself, over a unix socket.
#[tokio::test]
async fn h35_a_pool_that_leads_to_its_own_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let socket = format!("unix:{}", path.display());
    let text = settings(&socket, "http = \"forward\"").replace("127.0.0.1:0", &socket);
    let program = Program::run(&text).await;
    for request in [
        Request::plain("/ws/page"),
        Request::plain("/ws/page").line("POST /ws/page HTTP/1.0"),
        Request::websocket("/ws/room"),
    ] {
        let mut client = Wire::connect_unix(&path).await;
        client.send(request.text()).await;
        let response = client.response().await;
        assert_eq!(response.status(), 508);
        assert_eq!(response.text(), "the request has come back to this proxy\n");
    }
    let log = program.stop().await;
    assert_eq!(log.matches("\"loop_detected\"").count(), 3, "{log}");
    assert_eq!(log.matches("\"header\":\"via\"").count(), 3, "{log}");
}

/// A gate that leads to another one, which leads back to the first.
#[tokio::test]
async fn h35_two_gates_that_lead_to_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = ["one", "two"].map(|name| folder.path().join(name));
    let urls = sockets
        .each_ref()
        .map(|path| format!("unix:{}", path.display()));
    let gate = |own: &str, other: &str| {
        let text = settings(other, "http = \"forward\"").replace("127.0.0.1:0", own);
        async move { Program::run(&text).await }
    };
    let (one, two) = tokio::join!(gate(&urls[0], &urls[1]), gate(&urls[1], &urls[0]));
    for request in [Request::plain("/ws/page"), Request::websocket("/ws/room")] {
        let mut client = Wire::connect_unix(&sockets[0]).await;
        client.send(request.text()).await;
        assert_eq!(client.response().await.status(), 508);
    }
    assert_eq!(one.stop().await.matches("\"loop_detected\"").count(), 2);
    assert_eq!(two.stop().await.matches("\"loop_detected\"").count(), 0);
}

#[tokio::test]
async fn h35_two_gates_in_a_row() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"";
    let inner = Program::run(&settings(upstream.url(), more)).await;
    let url = format!("ws://{}", inner.address);
    let outer = Program::run(&settings(&url, more)).await;
    for request in [Request::plain("/ws/page"), Request::websocket("/ws/room")] {
        let mut client = Wire::connect(&outer.address).await;
        client.send(request.text()).await;
        let (mut server, asked) = upstream.request().await;
        let passed: Vec<_> = asked.one("via").split(", ").collect();
        assert_eq!(passed.len(), 2, "{passed:?}");
        assert_ne!(passed[0], passed[1]);
        server
            .send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
        assert_eq!(client.response().await.status(), 404);
    }
}
