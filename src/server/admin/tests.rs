use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Gate;
use crate::config::{Config, ListenAddress};
use crate::server::api::definition::Api;
use crate::server::api::guard::WRITE_TIMEOUT;
use crate::server::listener::descriptors::Budget;

/// The interface at one address.
type Admin = ApiService<Access>;

const ADDRESS: &str = "127.0.0.1:9900";

const LIFETIME: Duration = Access::LIFETIME.unwrap();

const HEAD_TIMEOUT: Duration = Access::HEAD_TIMEOUT;

fn admin(token: Option<&str>) -> Admin {
    admin_of(gate(), token)
}

pub(super) fn gate() -> Gate {
    let config = Config::to("ws://127.0.0.1:9001", None).unwrap();
    Gate::builder(config).build().unwrap()
}

pub(super) fn admin_of(gate: Gate, token: Option<&str>) -> Admin {
    let (handle, tasks) = (gate.handle(), TaskTracker::new());
    let limiter = ConnectionLimiter::new(gate, Budget::new(None, 0, 1, false));
    let counts = Arc::new(ReloadCounts::since(SystemTime::now()));
    let context = AdminContext {
        handle,
        reloads: None,
        reload_counts: counts,
        log: None,
        tasks: tasks.clone(),
        connections: tasks,
        limiter,
    };
    let admin = AdminService::new(context, Arc::default());
    admin.require_token(token.map(|token| Secret::new(token.to_owned())));
    let address = ListenAddress::Tcp(ADDRESS.parse().unwrap());
    admin.service().at(&address, CancellationToken::new())
}

/// Serves a connection with a place of its own.
pub(super) async fn serve(admin: Admin, socket: DuplexStream) {
    let place = admin.place();
    admin.serve_on(socket, place).await;
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |&(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

async fn status(admin: &Admin, method: Method, path: &str, pairs: &[(&'static str, &str)]) -> u16 {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    *request.headers_mut() = headers(pairs);
    admin.respond(request).await.status().as_u16()
}

#[tokio::test]
async fn each_resource_has_its_methods() {
    let admin = admin(None);
    for (method, path, expected) in [
        (Method::GET, "/healthz", 200),
        (Method::HEAD, "/healthz", 200),
        (Method::POST, "/healthz", 405),
        (Method::GET, "/readyz", 200),
        (Method::GET, "/metrics", 200),
        (Method::POST, "/metrics", 405),
        (Method::GET, "/sessions", 200),
        (Method::DELETE, "/sessions", 400),
        (Method::DELETE, "/sessions/1", 404),
        (Method::DELETE, "/sessions/x", 404),
        (Method::PATCH, "/sessions/1", 400),
        (Method::PATCH, "/sessions", 405),
        (Method::GET, "/sessions/1", 405),
        (Method::GET, "/drain", 405),
        (Method::GET, "/reload", 405),
        (Method::POST, "/reload", 409),
        (Method::GET, "/", 404),
    ] {
        let got = status(&admin, method.clone(), path, &[("host", ADDRESS)]).await;
        assert_eq!(got, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_draining_gate_is_alive_but_not_ready() {
    let admin = admin(None);
    let host = [("host", ADDRESS)];
    for _ in 0..2 {
        assert_eq!(status(&admin, Method::POST, "/drain", &host).await, 202);
    }
    assert_eq!(status(&admin, Method::GET, "/healthz", &host).await, 200);
    assert_eq!(status(&admin, Method::GET, "/readyz", &host).await, 503);
}

#[tokio::test]
async fn only_the_whole_token_lets_in() {
    let admin = admin(Some("s3cret"));
    for (authorization, expected) in [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer s3cre", 401),
        ("Bearer s3cret!", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
    ] {
        let headers = [("host", "any.example"), ("authorization", authorization)];
        for path in ["/sessions", "/metrics"] {
            let got = status(&admin, Method::GET, path, &headers).await;
            assert_eq!(got, expected, "{path}: {authorization}");
        }
    }
    let host = [("host", "any.example")];
    assert_eq!(status(&admin, Method::POST, "/drain", &host).await, 401);
    assert_eq!(status(&admin, Method::GET, "/readyz", &host).await, 200);
}

#[tokio::test]
async fn a_page_of_another_site_is_not_answered() {
    let admin = admin(Some("s3cret"));
    for (name, value, expected) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:9900", 200),
        ("origin", "http://127.0.0.1:9901", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
    ] {
        let headers = [
            ("host", ADDRESS),
            ("authorization", "Bearer s3cret"),
            (name, value),
        ];
        for path in ["/sessions", "/metrics"] {
            let got = status(&admin, Method::GET, path, &headers).await;
            assert_eq!(got, expected, "{path}, {name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_name_pointed_at_this_machine_does_not_reach_an_open_admin_interface() {
    let admin = admin(None);
    for (host, expected) in [
        ("127.0.0.1:9900", 200),
        ("localhost:9900", 200),
        ("[::1]:9900", 200),
        ("rebound.example:9900", 421),
        ("127.0.0.1.rebound.example", 421),
    ] {
        for path in ["/sessions", "/metrics"] {
            let got = status(&admin, Method::GET, path, &[("host", host)]).await;
            assert_eq!(got, expected, "{path}: {host}");
        }
    }
    assert_eq!(status(&admin, Method::GET, "/sessions", &[]).await, 421);
}

#[tokio::test]
async fn another_token_holds_everywhere_at_once_and_an_address_that_was_left_answers_nobody() {
    let admin = admin(Some("0ld"));
    let closing = CancellationToken::new();
    let elsewhere = ListenAddress::Unix("/run/admin.sock".into());
    let elsewhere = admin.at(&elsewhere, closing.clone());
    admin.own().require(Some(Secret::new("n3w".to_owned())));
    for (token, expected) in [("0ld", 401), ("n3w", 200)] {
        let bearer = format!("Bearer {token}");
        for admin in [&admin, &elsewhere] {
            let headers = [("host", ADDRESS), ("authorization", bearer.as_str())];
            assert_eq!(
                status(admin, Method::GET, "/sessions", &headers).await,
                expected
            );
        }
    }
    closing.cancel();
    let headers = [("host", ADDRESS), ("authorization", "Bearer n3w")];
    assert_eq!(
        status(&elsewhere, Method::GET, "/sessions", &headers).await,
        503
    );
    assert_eq!(
        status(&admin, Method::GET, "/sessions", &headers).await,
        200
    );
}

const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

const PROBE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// How long a connection lasts whose client does this, and what the client got.
async fn lasts<C, F>(capacity: usize, client: C) -> (Duration, String)
where
    C: FnOnce(DuplexStream) -> F,
    F: Future<Output = Vec<u8>>,
{
    let (socket, peer) = duplex(capacity);
    let began = Instant::now();
    let serve = async {
        serve(admin(None), socket).await;
        began.elapsed()
    };
    let both = async { tokio::join!(serve, client(peer)) };
    let (lasted, got) = timeout(10 * LIFETIME, both).await.expect("an end");
    (lasted, String::from_utf8(got).unwrap())
}

#[tokio::test(start_paused = true)]
async fn who_asks_without_end_and_reads_nothing_is_cut_off() {
    let (lasted, _) = lasts(1024, |mut peer| async move {
        while peer.write_all(METRICS).await.is_ok() {}
        Vec::new()
    })
    .await;
    assert_eq!(lasted, WRITE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_gets_the_whole_answer() {
    let (lasted, got) = lasts(1024, |mut peer| async move {
        let (mut got, mut piece) = (Vec::new(), [0; 64]);
        peer.write_all(METRICS).await.unwrap();
        let mut pace = interval(Duration::from_secs(1));
        loop {
            pace.tick().await;
            match peer.read(&mut piece).await {
                Ok(0) | Err(_) => return got,
                Ok(length) => got.extend_from_slice(&piece[..length]),
            }
        }
    })
    .await;
    assert!(lasted > 2 * HEAD_TIMEOUT, "{lasted:?}");
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    let length = format!("content-length: {}", body.len());
    assert!(head.contains(&length), "{length} and not in {head}");
}

#[tokio::test(start_paused = true)]
async fn a_client_with_request_after_request_is_closed_after_a_minute() {
    let (lasted, got) = lasts(64 * 1024, |mut peer| async move {
        let mut got = Vec::new();
        let mut pace = interval(Duration::from_secs(5));
        loop {
            pace.tick().await;
            let before = got.len();
            if peer.write_all(PROBE).await.is_err() || peer.read_buf(&mut got).await.is_err() {
                return got;
            }
            if got.len() == before {
                return got;
            }
        }
    })
    .await;
    assert!(
        lasted >= LIFETIME && lasted < LIFETIME + HEAD_TIMEOUT,
        "{lasted:?}"
    );
    assert_eq!(
        got.matches("HTTP/1.1 200 OK").count() as u64,
        LIFETIME.as_secs() / 5
    );
}

#[tokio::test(start_paused = true)]
async fn behind_a_body_no_other_request_is_read() {
    let (_, got) = lasts(64 * 1024, |mut peer| async move {
        let mut got = Vec::new();
        for framing in [
            "Content-Length: 1\r\n\r\nx",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{framing}");
            peer.write_all(request.as_bytes()).await.unwrap();
        }
        peer.read_to_end(&mut got).await.unwrap();
        got
    })
    .await;
    assert_eq!(got.matches("HTTP/1.1 ").count(), 1, "{got}");
    assert!(got.contains("\r\nconnection: close\r\n"), "{got}");
}

#[tokio::test]
async fn other_tasks_of_the_worker_run_between_two_answers() {
    const ASKING: usize = 64;
    let admin = admin(None);
    let made = Arc::new(AtomicUsize::new(0));
    let mut asking = JoinSet::new();
    for _ in 0..ASKING {
        let (admin, made) = (admin.clone(), Arc::clone(&made));
        asking.spawn(async move {
            let request = Request::get("/metrics").header("host", ADDRESS);
            let request = request.body(Body::empty()).unwrap();
            assert_eq!(admin.respond(request).await.status(), StatusCode::OK);
            made.fetch_add(1, Ordering::Relaxed);
        });
    }
    let mut before = 0;
    while before < ASKING {
        yield_now().await;
        let now = made.load(Ordering::Relaxed);
        assert!(now - before <= 1, "{before}, then {now}");
        before = now;
    }
}
