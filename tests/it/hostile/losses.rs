//! Cases U05 and U06: close frames of both peers, and peers that are gone without one.

use futures_util::future::join_all;
use rstest::rstest;
use tokio::time::timeout;

use crate::kit::{AT_ONCE, Frame, Hop, Host, Side, Stage, Upstream, Wire, bits};

#[rstest]
#[tokio::test]
async fn u05_close_frames_cross(#[values(Host::Program, Host::HyperService)] host: Host) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    let (clients, servers) = (Frame::close(4001, "c4nary"), Frame::close(1012, "restart"));
    tokio::join!(client.send_frame(&clients), server.send_frame(&servers));
    client.expect(servers).await;
    server.expect(clients).await;
    client.expect_end().await;
    server.shut().await;
    server.expect_end().await;
    drop((client, server));
    stage.ends("closed");
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn u05_the_upstream_of_a_lost_client_gets_1001(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let hop = Hop::to(stage.address()).await;
    for resets in [true, false] {
        let mut client = Wire::connect(hop.address()).await;
        client.send(Stage::handshake().text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        server.send(crate::kit::switching(&asked, "")).await;
        assert_eq!(client.head().await.status(), 101);
        stage.was_accepted();
        client.send_frame(&Frame::text("c4nary")).await;
        server.expect(Frame::text("c4nary")).await;
        match resets {
            true => hop.reset(),
            false => client.shut().await,
        }
        assert_eq!(
            server.close_frame().await,
            (Some(1001), "client lost".to_owned())
        );
        server.send_frame(&Frame::close(1001, "")).await;
        server.shut().await;
        server.expect_end().await;
        stage.ends_by("client_lost", Side::Client, None);
    }
    drop(hop);
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn u05_the_client_of_a_lost_upstream_gets_the_code_of_the_route(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for (route, code) in [
        ("", 1011),
        ("upstream_lost = 1014", 1014),
        ("upstream_lost = 1001", 1001),
    ] {
        let upstream = Upstream::start().await;
        let hop = Hop::to(upstream.url()).await;
        let pool = format!("servers = [\"{}\"]", hop.url());
        let mut stage = Stage::on_with(host, upstream, &pool, route, "").await;
        for resets in [true, false] {
            let (mut client, mut server) = stage.session().await;
            server.send_frame(&Frame::text("c4nary")).await;
            client.expect(Frame::text("c4nary")).await;
            match resets {
                true => hop.reset(),
                false => server.shut().await,
            }
            let farewell = client.close_frame().await;
            assert_eq!(farewell, (Some(code), "upstream lost".to_owned()));
            client.send_frame(&Frame::close(code, "")).await;
            client.expect_end().await;
            server.end().await;
            stage.ends_by("upstream_lost", Side::Upstream, code);
        }
        drop(hop);
        stage.stands().await;
    }
}

/// A close frame inside of another frame would be its payload.
#[rstest]
#[tokio::test]
async fn u05_a_peer_that_is_lost_inside_a_frame_leaves_no_frame_behind_it(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let frame = Frame::new(bits::FIN | bits::BINARY, "c4nary".repeat(20));
    let (mut client, mut server) = stage.session().await;
    let bytes = server.encode(&frame);
    server.send(&bytes[..40]).await;
    assert_eq!(client.take(40).await, bytes[..40]);
    server.shut().await;
    assert_eq!(client.rest().await.unwrap_or_default(), b"");
    server.end().await;
    drop((client, server));
    stage.ends("upstream_lost");
    let (mut client, mut server) = stage.session().await;
    let bytes = client.encode(&frame);
    client.send(&bytes[..40]).await;
    assert_eq!(server.take(40).await, bytes[..40]);
    client.shut().await;
    assert_eq!(server.rest().await.unwrap_or_default(), b"");
    client.end().await;
    drop((client, server));
    stage.ends("client_lost");
    stage.stands().await;
}

/// An upstream with so many sessions dies, and comes back.
async fn restart(sessions: usize, route: &str, code: u16) {
    let upstream = Upstream::start().await;
    let hop = Hop::to(upstream.url()).await;
    let pool = format!("servers = [\"{}\"]", hop.url());
    let mut stage = Stage::set_with(upstream, &pool, route, "").await;
    let mut clients = Vec::new();
    let mut servers = Vec::new();
    for _ in 0..sessions {
        let (client, server) = stage.session().await;
        clients.push(client);
        servers.push(server);
    }
    // All of its connections at once, and nobody listens there any more.
    let port = hop.dies().await;
    let ends = clients.iter_mut().map(|client| async {
        client.expect_close(code).await;
    });
    timeout(AT_ONCE, join_all(ends)).await.expect("soon enough");
    for client in &mut clients {
        client.send_frame(&Frame::close(code, "")).await;
        client.expect_end().await;
    }
    (0..sessions).for_each(|_| stage.ends("upstream_lost"));
    // They all come back, and get a 502 while it is not there.
    let redials = sessions.min(60);
    for _ in 0..redials {
        let mut client = stage.client().await;
        client.send(Stage::handshake().text()).await;
        assert_eq!(client.response().await.status(), 502);
        client.expect_end().await;
        stage.refuses("upstream_refused");
    }
    drop((clients, servers));
    let hop = port.returns().await;
    let (client, server) = stage.session().await;
    stage.talks(client, server).await;
    drop(hop);
    stage.stands().await;
}

#[tokio::test]
async fn u06_upstream_restarts_with_200_sessions() {
    restart(200, "", 1011).await;
}

#[tokio::test]
async fn u06_upstream_restarts_and_the_route_says_1014() {
    restart(20, "upstream_lost = 1014", 1014).await;
}

#[tokio::test]
#[ignore = "heavy: a thousand sessions"]
async fn u06_upstream_restarts_with_1000_sessions() {
    restart(1000, "", 1011).await;
}
