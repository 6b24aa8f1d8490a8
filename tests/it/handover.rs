//! Between our 101 and the session: the moment in which the client may vanish.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;
use wsgate::ClientAddr;

use crate::kit::{Logs, Request, Upstream, setup, soon, until};

fn handshake() -> hyper::Request<()> {
    let request = hyper::Request::get("/")
        .header("Host", "gate.test")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13");
    request.extension(ClientAddr::Unix).body(()).unwrap()
}

#[tokio::test]
async fn an_upstream_whose_client_vanished_before_the_session_is_closed_with_1001() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let service = bench.gate.as_ref().unwrap().service();
    // No server is behind this request, so that its upgrade never comes.
    let asking = service.oneshot(handshake());
    let (response, mut server) = tokio::join!(asking, upstream.session());
    assert_eq!(response.unwrap().status(), 101);
    let farewell = server.close_frame().await;
    assert_eq!(farewell, (Some(1001), "client lost".to_owned()));
    server.shut().await;
    server.expect_end().await;
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(line.field("reason"), "client_lost");
}

#[tokio::test]
async fn an_upstream_whose_session_is_cut_before_it_began_is_closed_with_1001() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    // A client that takes no byte, on a connection that keeps none: our 101 never gets out.
    let (mut client, stream) = tokio::io::duplex(1);
    let service = bench.gate.as_ref().unwrap().service();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(ClientAddr::Unix);
        hyper::service::Service::call(&service, request)
    });
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let peers = async {
        let request = Request::websocket("/").text();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut server = upstream.session().await;
        until("the session", || bench.handle.sessions().len() == 1).await;
        let drained = bench.handle.drain(Duration::ZERO).await;
        assert_eq!((drained.closed, drained.cut), (0, 1));
        server.expect_close(1001).await;
        server.expect_end().await;
        client.read_u8().await.unwrap()
    };
    tokio::select! {
        _ = connection => panic!("it waits for its client"),
        first = soon("the end", peers) => assert_eq!(first, b'H'),
    }
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(line.field("reason"), "cut");
}
