//! The gate among what embedders put around it, and what they give its sessions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request as HttpRequest, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use wsgate::{
    Body, ClientAddr, CloseCode, Config, Event, Gate, Message, ResponseBody, SessionContext,
    SessionInfo, Verdict,
};

use crate::kit::{Frame, Upstream, setup};

type Answer = Response<Full<Bytes>>;

/// A gate before a service that answers `/` after a while, and all else at once.
fn service(
    body: &'static str,
) -> impl Service<
    HttpRequest<Full<Bytes>>,
    Response = Response<ResponseBody<Full<Bytes>>>,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone {
    let config = Config::to("ws://127.0.0.1:9", None).unwrap();
    let gate = Gate::builder(config).build().unwrap();
    gate.layer().layer(service_fn(
        move |request: HttpRequest<Full<Bytes>>| async move {
            if request.uri().path() == "/" {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Ok(Answer::new(body.into()))
        },
    ))
}

fn get(path: &str) -> HttpRequest<Full<Bytes>> {
    HttpRequest::get(path).body(Full::default()).unwrap()
}

/// A handshake that the gate itself refuses.
fn refused() -> HttpRequest<Full<Bytes>> {
    let request = HttpRequest::get("/ws").header(header::UPGRADE, "websocket");
    let mut request = request
        .header(header::HOST, "a")
        .body(Full::default())
        .unwrap();
    request.extensions_mut().insert(ClientAddr::Unix);
    request
}

#[tokio::test(start_paused = true)]
async fn a_timeout_layer_answers_around_the_gate() {
    let limit = Duration::from_secs(1);
    let layer = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limit);
    let service = layer.layer(service("late"));
    let late = service.clone().oneshot(get("/")).await.unwrap();
    assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
    let early = service.clone().oneshot(get("/early")).await.unwrap();
    let body = early.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "late");
    let gate = service.oneshot(refused()).await.unwrap();
    assert_eq!(gate.status(), StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn a_compression_layer_compresses_around_the_gate() {
    let text = concat!(
        "compress me, compress me, compress me, compress me, ",
        "again"
    );
    let service = CompressionLayer::new().layer(service(text));
    let mut request = get("/page");
    let gzip = header::HeaderValue::from_static("gzip");
    request.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body[..2], [0x1f, 0x8b]);
}

#[tokio::test]
async fn an_authorization_layer_answers_around_the_gate_with_a_body_of_its_own() {
    let authorize = |request: HttpRequest<Full<Bytes>>| async move {
        match request.headers().contains_key(header::AUTHORIZATION) {
            true => Ok(request),
            false => {
                let body = ResponseBody::from(Full::from("who are you?"));
                let answer = Response::builder()
                    .status(StatusCode::UNAUTHORIZED)
                    .body(body);
                Err(answer.unwrap())
            }
        }
    };
    let service = AsyncRequireAuthorizationLayer::new(authorize).layer(service("in"));
    let answer = service.clone().oneshot(get("/page")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "who are you?");
    let mut request = get("/page");
    let anybody = header::HeaderValue::from_static("Bearer anybody");
    request.headers_mut().insert(header::AUTHORIZATION, anybody);
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

/// What a host knows of a client.
struct Account {
    number: u16,
}

fn account(info: &SessionInfo) -> Option<u16> {
    let account = info.context.as_ref()?.get::<Account>()?;
    Some(account.number)
}

#[tokio::test]
async fn what_the_host_puts_beside_a_request_stays_with_the_session() {
    let upstream = Upstream::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (filtered, observed) = (Arc::clone(&seen), Arc::clone(&seen));
    let bench = setup([upstream.url()])
        .route("compression = \"off\"")
        .says(|peer, extensions| {
            extensions.insert(ClientAddr::from(peer));
            let number = peer.port();
            extensions.insert(SessionContext::new(Account { number }));
        })
        .build(|builder| {
            builder
                .filter("test", move |info| {
                    filtered.lock().unwrap().push(account(info));
                    |message: Message| Verdict::Forward(message)
                })
                .observe(move |event: &Event| {
                    if let Event::Opened(opened) = event {
                        observed.lock().unwrap().push(account(&opened.session));
                    }
                })
        })
        .start()
        .await;
    let (mut stays, mut stays_up) = bench.session(&upstream).await;
    let (mut leaves, _leaves_up) = bench.session(&upstream).await;
    let accounts = bench
        .handle
        .sessions()
        .iter()
        .map(account)
        .collect::<Vec<_>>();
    let [Some(first), Some(second)] = accounts[..] else {
        panic!("{accounts:?}");
    };
    assert_ne!(first, second);
    let expected = [first, first, second, second].map(Some);
    assert_eq!(*seen.lock().unwrap(), expected);
    let is_second = |info: &SessionInfo| account(info) == Some(second);
    let code = CloseCode::new(4000).unwrap();
    assert_eq!(bench.handle.close_where(is_second, code, "bye"), 1);
    leaves.expect_close(4000).await;
    stays.send_frame(&Frame::text("here")).await;
    stays_up.expect(Frame::text("here")).await;
}

#[tokio::test]
async fn a_filter_answers_the_sender_and_adds_messages() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("compression = \"off\"")
        .build(|builder| {
            builder.filter("test", |_| {
                |message: Message| {
                    let text = message.text().unwrap_or_default();
                    let answer = Message {
                        from: message.from.other(),
                        body: Body::from(format!("got {text}")),
                    };
                    let copy = Message {
                        body: Body::from(Bytes::from_static(b"copy")),
                        ..message.clone()
                    };
                    match text {
                        "both" => Verdict::Send(vec![message, answer, copy]),
                        "none" => Verdict::Send(Vec::new()),
                        _ => Verdict::Send(vec![answer]),
                    }
                }
            })
        })
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    client.send_frame(&Frame::text("only me")).await;
    client.expect(Frame::text("got only me")).await;
    client.send_frame(&Frame::text("none")).await;
    client.send_frame(&Frame::text("both")).await;
    client.expect(Frame::text("got both")).await;
    server.expect(Frame::text("both")).await;
    server.expect(Frame::binary("copy")).await;
    server.send_frame(&Frame::text("me too")).await;
    server.expect(Frame::text("got me too")).await;
}
