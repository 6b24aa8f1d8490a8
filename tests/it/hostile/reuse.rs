//! Case U11: what one client leaves on a connection to an upstream, and the client after it.

use crate::kit::{Answer, CANARY, Frame, Request, Stage, Upstream, Wire, answer, switching};

/// A gate that forwards plain requests, on one worker, so that they could share connections.
async fn forwarding() -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    Stage::set_with(
        upstream,
        &pool,
        "http = \"forward\"",
        "[server]\nworkers = 1",
    )
    .await
}

/// Answers the second client's plain request on this connection; then both are gone.
async fn answers(what: &str, (mut client, mut server): (Wire, Wire)) {
    let asked = server.head().await;
    assert_eq!(asked.target(), "/ws/second", "{what}");
    // A connection that were kept could be taken for the next before the gate sees that it is gone.
    let closing = "Connection: close\r\n";
    server
        .send(answer("200 OK", closing, "for the second"))
        .await;
    let (head, body) = client.response().await.parts();
    server.end().await;
    assert_eq!((head.status(), &*body), (200, "for the second"), "{what}");
}

/// An answer that is not the second client's.
fn surplus() -> String {
    answer("200 OK", "Set-Cookie: c4nary\r\n", "c4nary")
}

#[tokio::test]
async fn u11_the_unread_answer_to_a_refused_upgrade_reaches_no_other_client() {
    let mut stage = forwarding().await;
    for (what, refusal, status, reason) in [
        (
            "a refusal",
            answer("403 No", "", "no"),
            403,
            "upstream_answered",
        ),
        (
            "no 101",
            answer("200 OK", "", "no"),
            502,
            "upstream_not_101",
        ),
        (
            "a redirect",
            answer("302 No", "Location: /\r\n", ""),
            302,
            "upstream_answered",
        ),
        (
            "a wrong 101",
            "HTTP/1.1 101 x\r\n\r\n".to_owned(),
            502,
            "bad_101",
        ),
        (
            "an unread body",
            answer("403 No", "", &"x".repeat(100_000)),
            403,
            "upstream_answered",
        ),
    ] {
        let refusal = Answer::new(refusal + &surplus().repeat(3));
        let (_, body) = stage.answered(what, refusal, status, reason).await;
        assert!(!body.contains(CANARY), "{what}");
        // The next one comes in both ways that there are.
        answers(what, stage.second().await).await;
        let (client, server) = stage.session().await;
        stage.talks(client, server).await;
    }
    stage.stands().await;
}

/// The client of a refused upgrade sends another request behind it.
#[tokio::test]
async fn u11_a_request_behind_a_refused_upgrade_reaches_no_upstream() {
    let mut stage = forwarding().await;
    let smuggled = Request::plain("/ws/smuggled").text();
    let mut client = stage.client().await;
    client.send(Stage::handshake().text() + &smuggled).await;
    let (mut server, asked) = stage.upstream.request().await;
    assert!(asked.target().starts_with("/ws/room"));
    server.send(answer("403 No", "", "no")).await;
    assert_eq!(client.response().await.status(), 403);
    client.end().await;
    assert_eq!(server.rest().await.unwrap_or_default(), b"");
    stage.refuses("upstream_answered");
    // And behind one that is accepted it is no frame.
    let mut client = stage.client().await;
    client.send(Stage::handshake().text() + &smuggled).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.send(switching(&asked, "")).await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    client.expect_close(1002).await;
    server.expect_close(1001).await;
    server.shut().await;
    server.expect_end().await;
    client.end().await;
    drop((client, server));
    stage.ends("rsv_or_opcode");
    stage.stands().await;
}

#[tokio::test]
async fn u11_the_connection_of_a_session_is_never_reused() {
    let mut stage = forwarding().await;
    let (mut client, mut server) = stage.session().await;
    for (from, to) in [(true, 1), (false, 2)] {
        let frame = Frame::close(1000, &format!("{to}"));
        let (from, to) = match from {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        from.send_frame(&frame).await;
        to.expect(frame).await;
    }
    server.try_send(surplus().as_bytes()).await;
    client.expect_end().await;
    answers("behind a session", stage.second().await).await;
    server.shut().await;
    server.end().await;
    drop((client, server));
    stage.ends("closed");
    stage.stands().await;
}

impl Stage {
    /// The second client, and the connection that was made for it.
    async fn second(&self) -> (Wire, Wire) {
        let mut client = self.client().await;
        client.send(Request::plain("/ws/second").text()).await;
        let server = tokio::select! {
            server = self.upstream.accept() => server,
            answer = client.head() => panic!("the second client is answered {answer:#?}"),
        };
        (client, server)
    }
}

/// The plain pool does use connections again; not those on which more came than was asked for.
#[tokio::test]
async fn u11_surplus_bytes_behind_a_plain_response_reach_no_client() {
    let stage = forwarding().await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n";
    for round in 0..20 {
        for (what, first) in [
            ("by length", answer("200 OK", "", "first")),
            ("in chunks", chunked.to_owned()),
            ("a 304", "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()),
            ("a 204", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ] {
            let what = format!("{what}, round {round}");
            let mut client = stage.client().await;
            client.send(Request::plain("/ws/first").text()).await;
            let (mut server, _) = stage.upstream.request().await;
            server.send(first + &surplus()).await;
            assert!(
                matches!(client.head().await.status(), 200 | 204 | 304),
                "{what}"
            );
            // At once, before anybody can have noticed; on another connection in every case.
            answers(&what, stage.second().await).await;
            server.end().await;
        }
    }
    stage.stands().await;
}

/// The answer to a HEAD says how long a body would be, and has none.
#[tokio::test]
async fn u11_the_body_behind_an_answer_to_head_reaches_no_client() {
    let stage = forwarding().await;
    let head = Request::plain("/ws/first").line("HEAD /ws/first HTTP/1.1");
    for body in [surplus(), "c4nary".to_owned()] {
        let mut client = stage.client().await;
        client.send(head.text()).await;
        let (mut server, _) = stage.upstream.request().await;
        server.send(answer("200 OK", "", &body)).await;
        let answered = client.head().await;
        assert_eq!(answered.one("content-length"), body.len().to_string());
        answers(&body, stage.second().await).await;
        server.end().await;
        assert!(client.there().is_empty(), "{client:?}");
    }
    stage.stands().await;
}

#[tokio::test]
async fn u11_surplus_bytes_that_come_later_end_the_connection() {
    let stage = forwarding().await;
    for late in [
        &*surplus(),
        "HTTP/1.1 408 Request Timeout\r\n\r\n",
        "x",
        "\r\n",
    ] {
        let mut client = stage.client().await;
        client.send(Request::plain("/ws/first").text()).await;
        let (mut server, _) = stage.upstream.request().await;
        server.send(answer("200 OK", "", "first")).await;
        assert_eq!(client.response().await.parts().1, "first");
        server.send(late).await;
        server.end().await;
        answers(late, stage.second().await).await;
    }
    stage.stands().await;
}

/// What is whole and nothing else is used again: the case that the others are held against.
#[tokio::test]
async fn u11_a_connection_without_surplus_is_used_again() {
    let stage = forwarding().await;
    let mut client = stage.client().await;
    client.send(Request::plain("/ws/first").text()).await;
    let (mut server, _) = stage.upstream.request().await;
    server.send(answer("200 OK", "", "first")).await;
    assert_eq!(client.response().await.parts().1, "first");
    let mut second = stage.client().await;
    second.send(Request::plain("/ws/second").text()).await;
    answers("another client", (second, server)).await;
    drop(client);
    stage.stands().await;
}

#[tokio::test]
async fn u11_an_unread_answer_reaches_no_other_client() {
    let stage = forwarding().await;
    let mut client = stage.client().await;
    client.send(Request::plain("/ws/first").text()).await;
    let (mut server, _) = stage.upstream.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nc4nary")
        .await;
    assert_eq!(client.head().await.status(), 200);
    drop(client);
    // What is left of the body looks like an answer.
    server.try_send(surplus().as_bytes()).await;
    answers("left unread", stage.second().await).await;
    server.end().await;
    stage.stands().await;
}

#[tokio::test]
async fn u11_an_answer_after_its_deadline_reaches_no_client() {
    let upstream = Upstream::start().await;
    let url = upstream.url().to_owned();
    let pool = format!("servers = [\"{url}\"]");
    let (late, more) = ("http.response_timeout = \"200ms\"", "[server]\nworkers = 1");
    let mut stage = Stage::set_with(upstream, &pool, late, more).await;
    let mut client = stage.client().await;
    client.send(Request::plain("/ws/first").text()).await;
    let (mut server, _) = stage.upstream.request().await;
    assert_eq!(client.response().await.status(), 504);
    server.try_send(surplus().as_bytes()).await;
    answers("too late", stage.second().await).await;
    server.end().await;
    stage.refuses("upstream_timeout");
    stage.stands().await;
}

#[tokio::test]
async fn u11_a_101_to_a_plain_request_opens_nothing() {
    let mut stage = forwarding().await;
    let mut client = stage.client().await;
    client.send(Request::plain("/ws/first").text()).await;
    let (mut server, _) = stage.upstream.request().await;
    let switching = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    server.send(format!("{switching}{}", surplus())).await;
    let (head, body) = client.response().await.parts();
    assert_eq!(head.status(), 502, "{body}");
    answers("behind a 101", stage.second().await).await;
    server.end().await;
    stage.refuses("upstream_bad_response");
    stage.stands().await;
}
