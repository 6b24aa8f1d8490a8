//! Plain requests that a host forwards itself: each is told and counted, whatever the host does.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use wsgate::{ClientAddr, Config, Event, Gate, PlainRequest, Rejection, Undelivered};

const SETTINGS: &str = "
    [upstream.back]
    servers = [\"http://127.0.0.1:1\"]

    [[route]]
    name = \"app\"
    path = \"/app/*\"
    upstream = \"back\"
    http = \"forward\"
";

/// Reasons, statuses and bytes of what was forwarded or refused.
type Told = Arc<Mutex<Vec<(&'static str, Option<u16>, [u64; 2])>>>;

fn gate() -> (Gate, Told) {
    let told = Told::default();
    let heard = Arc::clone(&told);
    let config = Config::from_toml("gate.toml", SETTINGS).unwrap();
    let observer = move |event: &Event| {
        let (reason, status, bytes) = match event {
            Event::Forwarded(forwarded) => {
                let bytes = [forwarded.bytes_from_client, forwarded.bytes_from_upstream];
                (forwarded.reason, forwarded.status, bytes)
            }
            Event::Refused(refused) => (refused.reason, refused.status, [0; 2]),
            _ => return,
        };
        let status = status.map(|status| status.as_u16());
        heard.lock().unwrap().push((reason, status, bytes));
    };
    let gate = Gate::builder(config).observe(observer).build().unwrap();
    (gate, told)
}

fn head() -> Parts {
    let request = Request::post("/app/list?token=secret").header("host", "gate.test");
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    head.extensions.insert(ClientAddr::Unix);
    head
}

fn body(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

async fn admitted(gate: &Gate) -> PlainRequest {
    gate.admit(head()).await.unwrap()
}

#[tokio::test]
async fn what_becomes_of_a_request_is_told_once_whatever_its_host_does() {
    let (gate, told) = gate();
    let last = || told.lock().unwrap().pop();

    let request = admitted(&gate).await;
    let sent = request.request(body("hello")).unwrap();
    assert_eq!(sent.uri(), "/app/list?token=secret");
    assert_eq!(
        sent.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
    let mut answer = Response::new(body("no way"));
    *answer.status_mut() = http::StatusCode::FORBIDDEN;
    let answer = request.respond(answer).unwrap();
    assert_eq!(last(), None, "it is not over");
    let passed = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(passed, "no way");
    assert_eq!(last(), Some(("forwarded", Some(403), [5, 6])));

    let answer = admitted(&gate).await.respond(Response::new(body("hello")));
    drop(answer.unwrap());
    assert_eq!(last(), Some(("client_lost", Some(200), [0, 0])));

    let answer = admitted(&gate).await.respond(Response::new(body("hello")));
    let answer = answer
        .unwrap()
        .map(|body| body.with_cause(|| Undelivered::Cut));
    drop(answer);
    assert_eq!(last(), Some(("cut", Some(200), [0, 0])));

    for (kind, reason) in [
        (io::ErrorKind::TimedOut, "upstream_idle"),
        (io::ErrorKind::ConnectionReset, "upstream_lost"),
    ] {
        let parts = [
            Ok(Frame::data(Bytes::from_static(b"hello"))),
            Err(io::Error::from(kind)),
        ];
        let broken = StreamBody::new(futures_util::stream::iter(parts));
        let answer = admitted(&gate).await.respond(Response::new(broken));
        answer.unwrap().into_body().collect().await.unwrap_err();
        assert_eq!(last(), Some((reason, Some(200), [0, 5])));
    }

    drop(admitted(&gate).await);
    assert_eq!(last(), Some(("abandoned", None, [0, 0])));

    let request = admitted(&gate).await;
    for _ in 0..2 {
        request.fail(Rejection::UpstreamReset, None);
    }
    drop(request);
    assert_eq!(last(), Some(("upstream_reset", Some(502), [0, 0])));
    assert_eq!(last(), None);

    let metrics = gate.handle().metrics();
    let counted = metrics.plain_requests.iter().filter(|one| one.count > 0);
    let counted: Vec<_> = counted
        .map(|one| (&*one.route, one.outcome, one.status, one.count))
        .collect();
    let expected = [
        ("app", "abandoned", "", 1),
        ("app", "client_lost", "2xx", 1),
        ("app", "cut", "2xx", 1),
        ("app", "forwarded", "4xx", 1),
        ("app", "upstream_idle", "2xx", 1),
        ("app", "upstream_lost", "2xx", 1),
        ("app", "upstream_reset", "5xx", 1),
    ];
    assert_eq!(counted, expected);
    assert!(metrics.handshakes.iter().all(|one| one.count == 0));
    let [route] = &metrics.plain_routes[..] else {
        panic!("{metrics:?}");
    };
    assert_eq!((route.open, route.duration.count), (0, 6));
    assert_eq!(route.response_head.count, 5);
    assert_eq!(
        (route.bytes_from_client, route.bytes_from_upstream),
        (5, 16)
    );
}

#[tokio::test]
async fn a_request_that_is_running_is_open() {
    let (gate, _) = gate();
    let open = || gate.handle().metrics().plain_routes[0].open;
    assert_eq!(open(), 0);
    let request = admitted(&gate).await;
    assert_eq!(open(), 1);
    let answer = request.respond(Response::new(body("hello"))).unwrap();
    assert_eq!(open(), 1);
    drop(answer);
    assert_eq!(open(), 0);
}
