use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::*;
use crate::Gate;
use crate::config::Config;
use crate::server::http::limiter::{ConnectionLimiter, ConnectionPermit};
use crate::server::listener::descriptors::Budget;

const HANDSHAKE: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(75);

/// A guarded socket, and the client at its other end.
async fn pair() -> (Guard, ConnectionPermit, TcpStream) {
    let text = "[[listen]]\naddress = \"127.0.0.1:0\"\n\
                [upstream.a]\nservers = [\"ws://127.0.0.1:9\"]\n\
                [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n";
    let config = Config::from_toml("test.toml", text).unwrap();
    let gate = Gate::builder(config).build().unwrap();
    let limiter = ConnectionLimiter::new(gate, Budget::new(None, 0, 1, false));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let permit = limiter.admit().unwrap();
    let socket = Transport::Tcp(accepted.unwrap().0);
    let limits = HeadLimits {
        handshake_timeout: HANDSHAKE,
        keepalive_timeout: KEEPALIVE,
    };
    let socket = EarlySocket::new(Vec::new(), socket);
    let guard = Guard::new(socket, permit.state().clone(), Arc::default(), limits);
    (guard, permit, client.unwrap())
}

#[tokio::test]
async fn a_session_has_the_bare_socket() {
    let (guard, permit, mut client) = pair().await;
    let (tell, mut told) = mpsc::channel(1);
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    let answer = service_fn(|mut request: Request<Incoming>| {
        tell.try_send(hyper::upgrade::on(&mut request)).unwrap();
        let _permit = limiter.begin_request(&state).unwrap();
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        async { Ok::<_, Infallible>(response) }
    });
    let guard: Box<dyn WrappedSocket> = Box::new(guard);
    let serve = http1::Builder::new()
        .serve_connection(TokioIo::new(guard), answer)
        .with_upgrades();
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nearly";
    client.write_all(request).await.unwrap();
    serve.await.unwrap();
    let upgraded = told.recv().await.unwrap().await.unwrap();
    let (transport, early) = Transport::from_upgraded(upgraded);
    assert!(matches!(transport, Transport::Tcp(_)), "{transport:?}");
    assert_eq!(early, "early");
}

#[tokio::test]
async fn who_takes_nothing_is_cut_off_and_is_read_no_further() {
    let (mut guard, permit, mut client) = pair().await;
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    state.client().set_write_limit(Duration::from_millis(50));
    let request = limiter.begin_request(&state).unwrap();
    let chunk = vec![0; 1 << 20];
    let error = loop {
        if let Err(error) = guard.write_all(&chunk).await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(state.client().peer(), PeerState::Slow);

    drop(request);
    state.response_written();
    client.write_all(b"GET").await.unwrap();
    let read = std::future::poll_fn(|cx| {
        let mut bytes = [0; 16];
        let read = Pin::new(&mut guard).poll_read(cx, &mut ReadBuf::new(&mut bytes));
        Poll::Ready(read.is_ready())
    });
    assert!(!read.await, "the answer has not been taken");
    guard.flush().await.unwrap();
    assert!(state.is_idle());
    let mut bytes = [0; 3];
    guard.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"GET");
}

#[tokio::test]
async fn what_hyper_answers_before_a_request_is_held_back() {
    let (mut guard, permit, mut client) = pair().await;
    guard.write_all(b"HTTP/1.1 400").await.unwrap();
    guard.shutdown().await.unwrap();
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    let _permit = limiter.begin_request(&state).unwrap();
    guard.write_all(b"ours").await.unwrap();
    let mut bytes = [0; 4];
    client.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ours");
}

#[tokio::test]
async fn an_interim_answer_stands_only_where_hyper_has_nothing_left_to_write() {
    let (mut guard, permit, mut client) = pair().await;
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    let hints = || {
        let headers = [(http::header::LINK, http::HeaderValue::from_static("</a>"))];
        let headers: http::HeaderMap = headers.into_iter().collect();
        state
            .client()
            .interim()
            .add(StatusCode::EARLY_HINTS, headers);
    };
    let text = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let mut expected = String::new();

    let _request = limiter.begin_request(&state).unwrap();
    hints();
    guard.flush().await.unwrap();
    expected += text;
    // Behind the rest of what stands before it, and ahead of a response that is not written yet.
    guard.write_all(b"one").await.unwrap();
    hints();
    guard.write_all(b"two").await.unwrap();
    guard.flush().await.unwrap();
    expected += &["onetwo", text].concat();
    hints();
    state.response_began();
    guard.write_all(b"three").await.unwrap();
    guard.flush().await.unwrap();
    expected += &[text, "three"].concat();
    // None of a request whose response has begun.
    hints();
    guard.flush().await.unwrap();

    let _request = limiter.begin_request(&state).unwrap();
    guard.write_all(b"rest").await.unwrap();
    hints();
    state.response_began();
    guard.write_all(b"four").await.unwrap();
    guard.flush().await.unwrap();
    expected += "restfour";
    drop(guard);
    let mut read = String::new();
    client.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, expected);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_body_behind_its_answer_is_no_wait_for_a_request() {
    let (mut guard, permit, mut client) = pair().await;
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    let head = b"POST / HTTP/1.1\r\n\r\n";
    client.write_all(head).await.unwrap();
    guard.read_exact(&mut [0; 19]).await.unwrap();
    guard
        .lines
        .begin_request(&Full::new(Bytes::from_static(b"body")));
    drop(limiter.begin_request(&state).unwrap());
    state.response_written();
    guard.flush().await.unwrap();
    assert!(state.is_idle());

    for part in [b"b", b"o", b"d", b"y"] {
        let mut bytes = [0; 1];
        let silence = timeout(KEEPALIVE * 2, guard.read_exact(&mut bytes)).await;
        assert!(silence.is_err(), "{silence:?}");
        client.write_all(part).await.unwrap();
        guard.read_exact(&mut bytes).await.unwrap();
    }
    let began = Instant::now();
    let late = guard.read_exact(&mut [0; 1]).await.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed(), KEEPALIVE);
}
