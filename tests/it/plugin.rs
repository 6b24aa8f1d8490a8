//! The gate in somebody else's server.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use tokio_tungstenite::tungstenite::Message;
use tower::{ServiceBuilder, ServiceExt};
use wsgate::{
    Body, BuildError, ClientAddr, CloseCode, Config, Gate, MessageFilter, Rejection, SessionInfo,
    Side, Verdict,
};

use crate::kit::{Bench, Echo, Frame, Host, Logs, Request, Setup, Upstream, bits, setup, until};

const HOSTS: [Host; 5] = [
    Host::Layer,
    Host::HyperLayer,
    Host::Service,
    Host::HyperService,
    Host::Buffered,
];

#[tokio::test]
async fn every_way_to_serve_a_gate_serves_sessions() {
    let echo = Echo::start().await;
    for host in HOSTS {
        let bench = setup([echo.url()]).host(host).start().await;
        let mut socket = bench.open().await;
        socket.echoes("hello").await;
        socket.echoes(&"x".repeat(1 << 20)).await;
        assert_eq!(
            socket.close_with(1000, "").await,
            Some((1000, String::new()))
        );
        until("the session to end", || bench.handle.sessions().is_empty()).await;
        let (head, _) = bench
            .refused(&Request::websocket("/").with("Host", ""))
            .await;
        assert_eq!(head.status(), 400);
    }
}

#[tokio::test]
async fn a_layer_leaves_every_other_request_alone() {
    let upstream = Upstream::start().await;
    for host in [Host::Layer, Host::HyperLayer] {
        let setup = setup([upstream.url()]).host(host).route("path = \"/ws/*\"");
        let bench = setup.route("host = \"gate.test\"").start().await;
        let mut wire = bench.connect().await;
        for request in [
            Request::plain("/"),
            Request::plain("/ws/a"),
            Request::plain("/ws/../a"),
            Request::plain("/ws/a").with("Host", "other.test"),
            Request::plain("/ws/a")
                .line("POST /ws/a HTTP/1.1")
                .header("Content-Length", "0"),
            Request::plain("/ws/a")
                .header("Upgrade", "h2c")
                .header("Connection", "Upgrade"),
            // WebSockets that are somebody else's: whatever is wrong with them is as well.
            Request::websocket("/ws"),
            Request::websocket("/other"),
            Request::websocket("/other").without("Sec-WebSocket-Key"),
            Request::websocket("/ws/a").with("Host", "other.test"),
        ] {
            // All on one connection, which nobody closes.
            wire.send(request.text()).await;
            let (head, body) = wire.response().await.parts();
            assert_eq!((head.status(), &*body), (200, "host"), "{}", request.text());
        }
        assert_eq!(bench.handle.sessions().len(), 0);
    }
}

#[tokio::test]
async fn a_layer_needs_no_client_address_for_a_websocket_without_a_route() {
    let upstream = Upstream::start().await;
    for host in [Host::Layer, Host::HyperLayer] {
        let setup = setup([upstream.url()]).host(host).says(|_, _| {});
        let bench = setup.route("path = \"/ws/*\"").start().await;
        let mut wire = bench.connect().await;
        for request in [
            Request::websocket("/other"),
            Request::websocket("/other").without("Sec-WebSocket-Key"),
        ] {
            wire.send(request.text()).await;
            let (head, body) = wire.response().await.parts();
            assert_eq!((head.status(), &*body), (200, "host"), "{}", request.text());
        }
        let (head, _) = bench.refused(&Request::websocket("/ws/a")).await;
        assert_eq!(head.status(), 500);
    }
}

#[tokio::test]
async fn a_service_by_itself_refuses_every_other_request() {
    let echo = Echo::start().await;
    for host in [Host::Service, Host::HyperService] {
        let bench = setup([echo.url()])
            .host(host)
            .route("path = \"/ws/*\"")
            .start()
            .await;
        for (request, status) in [
            (Request::plain("/ws/a"), 426),
            (Request::plain("/"), 404),
            (Request::websocket("/"), 404),
        ] {
            let (head, _) = bench.refused(&request).await;
            assert_eq!(head.status(), status, "{}", request.text());
        }
    }
}

#[tokio::test]
async fn a_request_without_a_client_address_is_answered_500() {
    let logs = Logs::capture();
    let echo = Echo::start().await;
    for host in HOSTS {
        let bench = setup([echo.url()]).host(host).says(|_, _| {}).start().await;
        let (head, body) = bench.refused(&Request::websocket("/")).await;
        assert_eq!(head.status(), 500);
        assert_eq!(body, "the server does not know the client's address\n");
        let line = logs.of("wsgate::rejection").pop().unwrap();
        assert_eq!(line.field("reason"), "client_addr_missing");
    }
    assert_eq!(echo.taken(), 0);
}

#[tokio::test]
async fn a_refusal_is_a_response_with_its_reason_in_the_extensions() {
    let gate = gate(setup(["ws://127.0.0.1:9"]));
    let inner = tower::service_fn(|_: hyper::Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(hyper::Response::new(Full::<Bytes>::from("host")))
    });
    let service = ServiceBuilder::new().layer(gate.layer()).service(inner);
    let request = hyper::Request::get("/")
        .header("host", "gate.test")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "8")
        .extension(ClientAddr::Unix)
        .body(Empty::new())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 426);
    assert_eq!(response.extensions().get(), Some(&Rejection::Version));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"only version 13"));
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_only_refuses_still_logs_what_it_left_out() {
    let logs = Logs::capture();
    let service = gate(setup(["ws://127.0.0.1:9"])).service();
    for _ in 0..1000 {
        let request = hyper::Request::get("/")
            .header("host", "gate.test")
            .header("upgrade", "websocket")
            .extension(ClientAddr::Unix)
            .body(())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 426);
    }
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let last = logs.of("wsgate::rejection").pop().unwrap();
    assert_eq!(last.field("reason"), "log_suppressed");
}

#[tokio::test]
async fn a_request_that_cannot_be_upgraded_leaves_no_session_behind() {
    // The host serves its connections without upgrades: there is no socket to be had.
    let echo = Echo::start().await;
    let gate = gate(setup([echo.url()]));
    let request = hyper::Request::get("/")
        .header("host", "gate.test")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .extension(ClientAddr::Unix)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = gate.service().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 101);
    until("the session to end", || gate.handle().sessions().is_empty()).await;
}

#[tokio::test]
async fn sessions_outlive_a_gate_that_is_dropped() {
    let upstream = Upstream::start().await;
    let mut bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    // Server, gate and handle, all of them.
    bench.gate = None;
    drop(bench);
    for _ in 0..2 {
        client.send_frames(&[Frame::text("still")]).await;
        server.expect(Frame::text("still")).await;
        server.send_frames(&[Frame::text("here")]).await;
        client.expect(Frame::text("here")).await;
        tokio::task::yield_now().await;
    }
    server.send_frames(&[Frame::close(1000, "")]).await;
    client.expect(Frame::close(1000, "")).await;
    client.send_frames(&[Frame::close(1000, "")]).await;
    server.expect(Frame::close(1000, "")).await;
    server.shut().await;
    client.expect_end().await;
    drop(client);
    server.expect_end().await;
}

/// Says everything louder, drops whispers, and ends at a swear word.
#[derive(Default)]
struct Shout {
    heard: usize,
}

impl MessageFilter for Shout {
    fn on_message(&mut self, mut message: wsgate::Message) -> Verdict {
        self.heard += 1;
        match &mut message.body {
            Body::Text(text) if text == "whisper" => return Verdict::Discard,
            Body::Text(text) if text == "damn" => {
                let reason = format!("message {} was rude", self.heard);
                return Verdict::Close(CloseCode::POLICY, reason);
            }
            Body::Text(text) if text == "bug" => panic!("a bug in the filter"),
            Body::Text(text) => {
                let side = message.from;
                *text = format!("{} {side}", text.to_uppercase()).into();
            }
            Body::Binary(bytes) => *bytes = bytes.iter().rev().copied().collect(),
        }
        Verdict::Forward(message)
    }
}

fn filtered(urls: &str) -> Setup {
    let setup = setup([urls]).route("compression = \"off\"");
    setup.build(|builder| builder.filter("test", |_| Shout::default()))
}

#[tokio::test]
async fn a_filter_sees_whole_messages_of_both_sides_and_changes_them() {
    let upstream = Upstream::start().await;
    let bench = filtered(upstream.url()).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let fragments = [
        Frame::new(bits::TEXT, "he"),
        Frame::ping("between"),
        Frame::new(bits::CONTINUATION, "ll"),
        Frame::new(bits::FIN | bits::CONTINUATION, "o"),
        Frame::text("whisper"),
        Frame::binary([1, 2, 3]),
        Frame::binary(""),
    ];
    client.send_frames(&fragments).await;
    server.expect(Frame::ping("between")).await;
    server.expect(Frame::text("HELLO client")).await;
    server.expect(Frame::binary([3, 2, 1])).await;
    server.expect(Frame::binary("")).await;
    server.send_frames(&fragments).await;
    client.expect(Frame::ping("between")).await;
    client.expect(Frame::text("HELLO upstream")).await;
    client.expect(Frame::binary([3, 2, 1])).await;
    client.expect(Frame::binary("")).await;
}

#[tokio::test]
async fn a_filters_message_may_be_of_any_size() {
    let echo = Echo::start().await;
    let bench = filtered(echo.url()).start().await;
    let mut socket = bench.open().await;
    for size in [0, 125, 126, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<_> = (0..size).map(|at| at as u8).collect();
        let message = Message::binary(bytes);
        socket.send(message.clone()).await;
        // Reversed twice.
        assert!(socket.next().await == message, "{size}");
    }
}

#[tokio::test]
async fn a_filter_closes_its_session_and_each_session_has_its_own() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = filtered(upstream.url()).start().await;
    for _ in 0..2 {
        let (mut client, mut server) = bench.session(&upstream).await;
        client
            .send_frames(&[Frame::text("a"), Frame::text("damn"), Frame::text("b")])
            .await;
        server.expect(Frame::text("A client")).await;
        server.expect_close(1001).await;
        let farewell = client.close_frame().await;
        assert_eq!(farewell, (Some(1008), "message 2 was rude".to_owned()));
        drop((client, server));
        until("the session to end", || bench.handle.sessions().is_empty()).await;
        let line = logs.of("wsgate::access").pop().unwrap();
        assert_eq!(
            (line.field("reason"), line.field("closed_by")),
            ("filter", "gate")
        );
    }
}

#[tokio::test]
async fn a_filter_that_panics_ends_its_own_session_with_1011() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = filtered(upstream.url()).start().await;
    let (mut other, mut other_up) = bench.session(&upstream).await;
    let (mut client, mut server) = bench.session(&upstream).await;
    server.send_frames(&[Frame::text("bug")]).await;
    client.expect_close(1011).await;
    server.expect_close(1001).await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().len() == 1).await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.field("closed_by")),
        ("internal", "gate")
    );
    other.send_frames(&[Frame::text("still")]).await;
    other_up.expect(Frame::text("STILL client")).await;
}

#[tokio::test]
async fn a_filter_sees_no_text_that_is_not_utf8() {
    let upstream = Upstream::start().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let make = move |_: &SessionInfo| {
        let count = Arc::clone(&count);
        move |message: wsgate::Message| {
            assert_eq!(message.from, Side::Client);
            count.fetch_add(1, Ordering::Relaxed);
            Verdict::Forward(message)
        }
    };
    let setup = setup([upstream.url()]).route("compression = \"off\"");
    let bench = setup
        .build(move |builder| builder.filter("test", make))
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let bad = Frame::new(bits::FIN | bits::TEXT, b"\xFF");
    client.send_frames(&[Frame::text("\u{e9}"), bad]).await;
    server.expect(Frame::text("\u{e9}")).await;
    client.expect_close(1007).await;
    server.expect_close(1001).await;
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

fn gate(setup: Setup) -> Gate {
    let config = Config::from_toml("test", &setup.toml()).unwrap();
    Gate::builder(config).build().unwrap()
}

#[test]
fn a_second_filter_for_a_route_is_an_error() {
    let setup = setup(["ws://127.0.0.1:9"]).route("compression = \"off\"");
    let config = Config::from_toml("test", &setup.toml()).unwrap();
    let builder = Gate::builder(config).filter("test", |_| Verdict::Forward);
    let error = builder.filter("test", |_| Verdict::Forward).build();
    let route = "test".to_owned();
    assert_eq!(error.unwrap_err(), BuildError::DuplicateFilter { route });
}

#[test]
fn a_filter_that_does_not_fit_the_settings_is_an_error() {
    for (compression, route, error) in [
        ("off", "test", None),
        (
            "passthrough",
            "test",
            Some(BuildError::FilterNeedsPlainMessages {
                route: "test".to_owned(),
            }),
        ),
        (
            "off",
            "other",
            Some(BuildError::UnknownRoute {
                route: "other".to_owned(),
            }),
        ),
    ] {
        let setup = setup(["ws://127.0.0.1:9"]).route(&format!("compression = {compression:?}"));
        let config = Config::from_toml("test", &setup.toml()).unwrap();
        let built = Gate::builder(config)
            .filter(route, |_| Shout::default())
            .build();
        let message = built
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert_eq!(built.err(), error);
        assert_eq!(message.contains(route), error.is_some());
    }
}

#[tokio::test]
async fn all_clones_of_a_gate_are_one() {
    let echo = Echo::start().await;
    let bench: Bench = setup([echo.url()]).start().await;
    let clone = bench.gate.clone().unwrap();
    let _socket = bench.open().await;
    assert_eq!(clone.handle().sessions().len(), 1);
}

#[tokio::test]
async fn a_malformed_handshake_where_no_route_is_gets_404() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("path = \"/ws\"")
        .host(Host::Service)
        .start()
        .await;
    let malformed = |path| Request::websocket(path).with("sec-websocket-version", "12");
    assert_eq!(bench.refused(&malformed("/ws")).await.0.status(), 426);
    assert_eq!(bench.refused(&malformed("/other")).await.0.status(), 404);
}
