//! How sessions share connections, and what one does to the others.

use h2::Reason;

use super::{before, opened, outcome};
use crate::kit::{Frame, Http2Upstream, Request, Wire, setup};

#[tokio::test]
async fn a_connection_that_is_full_gets_a_second_one() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let (mut held, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let mut peer = None;
        for _ in 0..2 {
            let mut client = bench.ask(&Request::websocket("/")).await;
            if peer.is_none() {
                let accepted = upstream.accept_with(|builder| {
                    builder.enable_connect_protocol().max_concurrent_streams(2)
                });
                peer = Some(accepted.await);
            }
            let server = peer.as_mut().unwrap().session().await;
            opened(&mut client).await;
            held.push((client, server));
        }
        peers.push(peer);
    }
    let server = bench.handle.upstreams()[0].servers[0].clone();
    assert_eq!((server.http2_connections, server.sessions), (2, 4));
}

#[tokio::test]
async fn many_clients_at_once_share_the_first_connection() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let clients = async {
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(bench.ask(&Request::websocket("/")).await);
        }
        clients
    };
    let (mut clients, mut peer) = tokio::join!(clients, upstream.accept());
    let mut servers = Vec::new();
    for _ in 0..20 {
        servers.push(peer.session().await);
    }
    for client in &mut clients {
        opened(client).await;
    }
    assert!(upstream.untouched());
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_on_another_connection() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    peer.request().await.reset(Reason::REFUSED_STREAM);
    let mut second = upstream.accept().await;
    let mut server = second.session().await;
    opened(&mut client).await;
    client.send_frame(&Frame::text("a")).await;
    server.expect(Frame::text("a")).await;
    assert_eq!(outcome(&bench), "accepted");
    let failed = bench.handle.metrics();
    assert_eq!(
        (
            failed.servers[0].failed_connects,
            failed.servers[0].failed_handshakes
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn a_server_that_goes_on_refusing_streams_is_left_for_another_one() {
    let (refusing, taking) = (Http2Upstream::start().await, Http2Upstream::start().await);
    let urls = [refusing.url(), taking.url()];
    let setup = setup(urls).upstream("http = \"h2\"\nbalance = \"round_robin\"");
    let bench = setup.start().await;
    let refuse = async {
        let mut peers = Vec::new();
        for _ in 0..2 {
            let mut peer = refusing.accept().await;
            peer.request().await.reset(Reason::REFUSED_STREAM);
            peers.push(peer);
        }
        peers
    };
    let take = async {
        let mut peer = taking.accept().await;
        let server = peer.session().await;
        (peer, server)
    };
    let mut client = bench.ask(&Request::websocket("/")).await;
    let _held = tokio::join!(refuse, take);
    opened(&mut client).await;
    let servers = bench.handle.metrics().servers;
    let failed = servers.iter().filter(|server| server.failed_connects > 0);
    let failed: Vec<_> = failed.map(|server| &*server.server).collect();
    assert_eq!(failed, [refusing.url()]);
}

#[tokio::test]
async fn a_request_that_was_processed_is_never_sent_again() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let serve = async {
        let mut peer = upstream.accept().await;
        peer.request().await.reset(Reason::INTERNAL_ERROR);
        peer
    };
    let request = Request::websocket("/");
    let ((head, _), mut peer) = tokio::join!(bench.refused(&request), serve);
    assert_eq!((head.status(), outcome(&bench)), (502, "upstream_reset"));
    assert!(peer.untouched() && upstream.untouched());
}

#[tokio::test]
async fn a_server_that_goes_away_keeps_its_sessions_and_gets_no_new_ones() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut one = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    let mut server = peer.session().await;
    opened(&mut one).await;
    peer.go_away().await;
    one.send_frame(&Frame::text("still")).await;
    server.expect(Frame::text("still")).await;

    let mut two = bench.ask(&Request::websocket("/")).await;
    let mut second = upstream.accept().await;
    let _server = second.session().await;
    opened(&mut two).await;
    one.send_frame(&Frame::text("and still")).await;
    server.expect(Frame::text("and still")).await;
    assert!(peer.untouched());

    one.send_frame(&Frame::close(1000, "")).await;
    server.expect_close(1000).await;
    server.send_frame(&Frame::close(1000, "")).await;
    server.shut().await;
    one.expect_close(1000).await;
    peer.ended().await;
}

/// So much of a session that stalls is in the window of its stream, in the buffers of two sockets, and in
/// the gate.
const MOST_IN_FLIGHT: usize = 24 * 1024 * 1024;

#[tokio::test]
async fn a_session_that_stalls_holds_its_server_back_and_no_sibling() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut stalled = Wire::connect_small(bench.address).await;
    stalled.send(Request::websocket("/").text()).await;
    let mut peer = upstream.accept().await;
    let mut flooding = peer.session().await;
    opened(&mut stalled).await;
    let mut lively = bench.ask(&Request::websocket("/")).await;
    let mut server = peer.session().await;
    opened(&mut lively).await;

    let frame = flooding.encode(&Frame::binary(vec![0; 64 * 1024]));
    let flood = async {
        let mut sent = 0;
        while sent < MOST_IN_FLIGHT {
            flooding.send(&frame).await;
            sent += frame.len();
        }
    };
    let siblings = async {
        for number in 0..200 {
            let text = Frame::text(&format!("number {number}"));
            server.send_frame(&text).await;
            lively.expect(text.clone()).await;
            lively.send_frame(&text).await;
            server.expect(text).await;
        }
    };
    tokio::select! {
        biased;
        () = flood => panic!("nothing held the server back"),
        () = siblings => {}
    }
}
