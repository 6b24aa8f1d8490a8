//! The gate in a host that serves HTTP/2 with hyper.

use http::HeaderValue;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use wsgate::{ClientAddr, Config, Gate, Handle};

use crate::kit::{Frame, Http2, Upstream, extended_connect, plain, until};

/// Where the host listens, and the gate's handle.
async fn host(upstream: &Upstream) -> (String, Handle) {
    let config = Config::to(upstream.url(), None).unwrap();
    let gate = Gate::builder(config).build().unwrap();
    let handle = gate.handle();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        loop {
            let (socket, peer) = listener.accept().await.unwrap();
            let service = gate.service();
            let service = hyper::service::service_fn(move |mut request: http::Request<_>| {
                request.extensions_mut().insert(ClientAddr::from(peer));
                hyper::service::Service::call(&service, request)
            });
            let mut server = http2::Builder::new(TokioExecutor::new());
            server.enable_connect_protocol();
            tasks.spawn(server.serve_connection(TokioIo::new(socket), service));
        }
    });
    (address, handle)
}

#[tokio::test]
async fn a_session_is_a_stream_of_hypers_http_2() {
    let upstream = Upstream::start().await;
    let (address, handle) = host(&upstream).await;
    let mut client = Http2::connect(&address).await;
    let (mut one, mut server) =
        tokio::join!(client.open(extended_connect("/a")), upstream.session());
    let (two, other) = tokio::join!(client.open(extended_connect("/b")), upstream.session());
    assert_eq!(handle.sessions().len(), 2);
    assert!(
        handle
            .sessions()
            .iter()
            .all(|session| session.http_version == http::Version::HTTP_2)
    );
    let frame = Frame::text(&"x".repeat(100_000));
    let (got, ()) = tokio::join!(server.frame(), one.send_frame(&frame));
    assert_eq!(got, frame);
    let (got, ()) = tokio::join!(one.frame(), server.send_frame(&frame));
    assert_eq!(got, frame);
    one.send_frame(&Frame::close(1000, "")).await;
    server.expect_close(1000).await;
    server.send_frame(&Frame::close(1000, "")).await;
    one.expect_close(1000).await;
    one.expect_end().await;
    until("one to end", || handle.sessions().len() == 1).await;
    drop((two, other));
}

#[tokio::test]
async fn a_refusal_ends_the_stream_of_hypers_http_2() {
    let upstream = Upstream::start().await;
    let (address, _handle) = host(&upstream).await;
    let mut client = Http2::connect(&address).await;
    let mut foreign = extended_connect("/");
    let origin = HeaderValue::from_static("http://evil.test");
    foreign.headers_mut().insert("origin", origin);
    for (request, status) in [(foreign, 403), (plain("GET", "/"), 426)] {
        let (head, _) = client.ask(request).await;
        assert_eq!(head.status(), status);
        for name in ["connection", "upgrade"] {
            assert!(!head.headers().contains_key(name), "{head:?}");
        }
    }
    let tunnel = http::Request::builder()
        .method("CONNECT")
        .uri("gate.test:443");
    assert_eq!(client.refused(tunnel.body(()).unwrap()).await, 501);
    assert!(upstream.untouched());
}
