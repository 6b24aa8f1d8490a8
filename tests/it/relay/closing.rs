//! The ends of sessions that break no rule: which code each side sees.

use tokio_tungstenite::tungstenite::Message;

use crate::kit::{Echo, Frame, Logs, Request, Upstream, setup, switching, until};

/// Close frames that are legal.
fn farewells() -> Vec<Frame> {
    let codes = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    ];
    let mut frames: Vec<_> = codes.map(|code| Frame::close(code, "")).into();
    frames.extend([3000, 3999, 4000, 4999].map(|code| Frame::close(code, "over \u{2764}")));
    frames.push(Frame::close(1000, &"x".repeat(123)));
    frames.push(Frame::bare_close());
    frames
}

#[tokio::test]
async fn close_frames_are_relayed_as_they_are_both_ways() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for farewell in farewells() {
        for client_first in [true, false] {
            let (mut client, mut server) = bench.session(&upstream).await;
            let (first, second) = match client_first {
                true => (&mut client, &mut server),
                false => (&mut server, &mut client),
            };
            first
                .send_frames(&[Frame::text("last words"), farewell.clone()])
                .await;
            second.expect(Frame::text("last words")).await;
            second.expect(farewell.clone()).await;
            // The peer may still have something to say, and answers as it likes.
            let answer = Frame::close(4242, "likewise");
            second
                .send_frames(&[Frame::text("mine"), answer.clone()])
                .await;
            first.expect(Frame::text("mine")).await;
            first.expect(answer).await;
            server.shut().await;
            client.expect_end().await;
            client.shut().await;
            server.expect_end().await;
            until("the session to end", || bench.handle.sessions().is_empty()).await;
            let line = logs.of("wsgate::access").pop().unwrap();
            let code = farewell
                .payload
                .first_chunk()
                .map(|code| u16::from_be_bytes(*code));
            let code = code.map(|code| code.to_string()).unwrap_or_default();
            assert_eq!(line.field("code"), code);
            assert_eq!(line.field("reason"), "closed");
            let closed_by = if client_first { "client" } else { "upstream" };
            assert_eq!(line.field("closed_by"), closed_by);
        }
    }
}

#[tokio::test]
async fn two_close_frames_that_cross_are_both_relayed() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let (one, other) = (Frame::close(4001, "client"), Frame::close(4002, "upstream"));
    client.send_frame(&one).await;
    server.send_frame(&other).await;
    server.expect(one).await;
    client.expect(other).await;
    server.shut().await;
    client.expect_end().await;
    client.shut().await;
    server.expect_end().await;
}

#[tokio::test]
async fn an_upstream_that_has_ended_is_let_go_though_its_client_lingers() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("timeouts.close = \"1h\"")
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    client.send_frames(&[Frame::close(1000, "")]).await;
    server.expect(Frame::close(1000, "")).await;
    server.send_frames(&[Frame::close(1000, "")]).await;
    server.shut().await;
    server.expect_end().await;
    client.expect(Frame::close(1000, "")).await;
    client.expect_end().await;
    assert_eq!(bench.handle.sessions().len(), 1);
    client.shut().await;
    until("the session to end", || bench.handle.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_peer_that_never_answers_a_close_frame_gets_its_own_code_back_in_time() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("timeouts.close = \"50ms\"")
        .start()
        .await;
    for client_first in [true, false] {
        let (mut client, mut server) = bench.session(&upstream).await;
        let (first, second) = match client_first {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        first.send_frames(&[Frame::close(3001, "bye")]).await;
        second.expect(Frame::close(3001, "bye")).await;
        first.expect_close(3001).await;
        first.end().await;
        second.end().await;
        let line = logs.of("wsgate::access").pop().unwrap();
        assert_eq!(
            (line.field("reason"), line.number("code")),
            ("closed", 3001)
        );
    }
}

#[tokio::test]
async fn a_lost_upstream_is_told_as_the_route_says() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    for (route, code) in [
        ("", 1011),
        ("upstream_lost = 1014", 1014),
        ("upstream_lost = 1001", 1001),
    ] {
        let bench = setup([upstream.url()]).route(route).start().await;
        let (mut client, mut server) = bench.session(&upstream).await;
        server.send_frames(&[Frame::text("last words")]).await;
        drop(server);
        client.expect(Frame::text("last words")).await;
        assert_eq!(
            client.close_frame().await,
            (Some(code), "upstream lost".to_owned())
        );
        client.send_frames(&[Frame::close(code, "")]).await;
        client.expect_end().await;
        client.shut().await;
        until("the session to end", || bench.handle.sessions().is_empty()).await;
        let line = logs.of("wsgate::access").pop().unwrap();
        assert_eq!(line.field("reason"), "upstream_lost");
        assert_eq!(line.number("code"), u64::from(code));
    }
}

#[tokio::test]
async fn a_lost_client_is_told_as_1001() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for half in [true, false] {
        let (mut client, mut server) = bench.session(&upstream).await;
        client.send_frames(&[Frame::text("last words")]).await;
        server.expect(Frame::text("last words")).await;
        match half {
            // A half-closed connection is as good as lost: no close frame can come any more.
            true => client.shut().await,
            false => drop(client),
        }
        assert_eq!(
            server.close_frame().await,
            (Some(1001), "client lost".to_owned())
        );
        server.send_frames(&[Frame::close(1001, "")]).await;
        server.shut().await;
        server.expect_end().await;
        until("the session to end", || bench.handle.sessions().is_empty()).await;
        let line = logs.of("wsgate::access").pop().unwrap();
        assert_eq!(
            (line.field("reason"), line.field("code")),
            ("client_lost", "")
        );
    }
}

#[tokio::test]
async fn a_peer_that_is_lost_inside_a_frame_leaves_no_frame_behind_it() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let big = Frame::binary(vec![1; 1000]);
    for client_is_lost in [true, false] {
        let (mut client, mut server) = bench.session(&upstream).await;
        let (sender, receiver) = match client_is_lost {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        let half = sender.encode(&big)[..500].to_vec();
        sender.send(&half).await;
        assert_eq!(receiver.take(500).await, half);
        sender.shut().await;
        // A close frame here would be read as payload.
        receiver.expect_end().await;
    }
}

#[tokio::test]
async fn real_peers_close_in_both_directions() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    let socket = bench.open().await;
    let farewell = socket.close_with(4000, "enough").await;
    assert_eq!(farewell, Some((4000, "enough".to_owned())));
    let mut socket = bench.open().await;
    socket.send(Message::Close(None)).await;
    assert_eq!(socket.farewell().await, None);
    drop(socket);
    until("the sessions to end", || bench.handle.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_peer_that_closes_and_is_gone_at_once_is_still_heard() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("timeouts.close = \"1h\"")
        .start()
        .await;
    for client_leaves in [true, false] {
        let (mut client, mut server) = bench.session(&upstream).await;
        let farewell = [Frame::text("last words"), Frame::close(3333, "gone")];
        let mut stays = match client_leaves {
            true => {
                client.send_frames(&farewell).await;
                drop(client);
                server
            }
            false => {
                server.send_frames(&farewell).await;
                drop(server);
                client
            }
        };
        for frame in &farewell {
            stays.expect(frame.clone()).await;
        }
        stays.send_frame(&farewell[1]).await;
        stays.shut().await;
        stays.end().await;
        until("the session to end", || bench.handle.sessions().is_empty()).await;
        let line = logs.of("wsgate::access").pop().unwrap();
        assert_eq!(
            (line.field("reason"), line.number("code")),
            ("closed", 3333)
        );
        let closed_by = if client_leaves { "client" } else { "upstream" };
        assert_eq!(line.field("closed_by"), closed_by);
    }
}

#[tokio::test]
async fn nothing_follows_a_close_frame() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for client_first in [true, false] {
        let (mut client, mut server) = bench.session(&upstream).await;
        let (first, second) = match client_first {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        let close = Frame::close(1000, "");
        first
            .send_frames(&[close.clone(), Frame::text("more"), Frame::ping("more")])
            .await;
        second.expect(close.clone()).await;
        second
            .send_frames(&[close.clone(), Frame::text("more")])
            .await;
        first.expect(close).await;
        server.shut().await;
        client.expect_end().await;
        client.shut().await;
        server.expect_end().await;
    }
}

#[tokio::test]
async fn a_client_that_is_reset_in_a_flood_is_told_of_at_once() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("timeouts.close = \"1h\"")
        .start()
        .await;
    let (client, server) = bench.session(&upstream).await;
    let (mut server, mut flooding) = server.split();
    let frame = Frame::binary(vec![1; 60_000]).plain();
    let flood = async { while flooding.try_send(&frame).await {} };
    let told = async {
        // Dropped with bytes unread, a socket is reset.
        drop(client);
        server.expect_close(1001).await;
    };
    tokio::select! {
        () = flood => panic!("the gate hung up without a word"),
        () = told => {}
    }
}

#[tokio::test]
async fn an_upstream_that_closes_behind_its_101_is_heard() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    let close = Frame::close(1013, "try again later");
    server
        .send([switching(&request, "").into_bytes(), close.plain()].concat())
        .await;
    drop(server);
    assert_eq!(client.head().await.status(), 101);
    client.expect(close.clone()).await;
    client.send_frame(&close).await;
    client.expect_end().await;
}
