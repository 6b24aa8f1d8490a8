//! The ends of sessions that break no rule: which code each side sees.

use tokio_tungstenite::tungstenite::Message;

use crate::kit::{Echo, Frame, Logs, Request, Upstream, setup, switching, until};

#[tokio::test]
async fn the_connection_to_an_upstream_that_has_ended_is_closed_though_its_client_lingers() {
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
async fn an_upstream_gets_1001_at_once_when_its_client_is_reset_in_a_flood() {
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
