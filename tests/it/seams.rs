//! What an embedder puts into the gate: policies, observers, connectors, and where clients are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use wsgate::{
    ClientAddr, CloseCode, Connect, ConnectError, Denial, Event, EventFilter, EventKind, Grant,
    Handshake, Identity, Policy, Rejection, Selection, ServerTarget, SessionId, SessionInfo,
    TargetAddress, UpstreamStream, Verdict,
};

use crate::kit::{Frame, Request, Upstream, Wire, setup, soon, switching, until};

/// Lets in by the `x-token` of a request, which it hands to somebody else to look up.
struct Desk {
    questions: mpsc::Sender<(String, oneshot::Sender<Result<Grant, Rejection>>)>,
}

impl Policy for Desk {
    async fn check(&self, handshake: &Handshake) -> Result<Grant, Rejection> {
        let token = handshake.headers().get("x-token");
        let token = token.and_then(|token| token.to_str().ok());
        let token = token.ok_or_else(|| Denial::unauthorized("token_missing"))?;
        let (answer, answered) = oneshot::channel();
        let question = (token.to_owned(), answer);
        self.questions.send(question).await.expect("a desk");
        answered.await.expect("an answer")
    }
}

type Questions = mpsc::Receiver<(String, oneshot::Sender<Result<Grant, Rejection>>)>;

fn desk() -> (Desk, Questions) {
    let (questions, asked) = mpsc::channel(8);
    (Desk { questions }, asked)
}

fn showing(token: &str) -> Request {
    Request::websocket("/").header("x-token", token)
}

#[tokio::test]
async fn a_policy_may_wait_before_it_lets_a_client_in() {
    let upstream = Upstream::start().await;
    let (desk, mut questions) = desk();
    let bench = setup([upstream.url()]).build(|builder| builder.policy(desk));
    let bench = bench.start().await;
    let asked = bench.ask(&showing("alice")).await;
    let (token, answer) = soon("a question", questions.recv()).await.unwrap();
    assert_eq!(token, "alice");
    assert!(upstream.untouched(), "nobody is let in yet");
    answer.send(Ok(Grant::new())).unwrap();
    let mut server = upstream.session().await;
    let mut client = asked;
    assert_eq!(client.head().await.status(), 101);
    client.send_frames(&[Frame::text("in")]).await;
    server.expect(Frame::text("in")).await;
}

#[tokio::test]
async fn a_grant_says_who_the_client_is_and_a_client_cannot() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .build(|builder| {
            builder.policy(|_: &Handshake| {
                let identity = Identity::new("alice").with_claim("team", "blue");
                Ok(Grant::new()
                    .with_identity(identity)
                    .with_header("x-user".parse().unwrap(), "alice".parse().unwrap())
                    .with_header("x-original-url".parse().unwrap(), "/a".parse().unwrap())
                    .with_header("upgrade".parse().unwrap(), "h2c".parse().unwrap()))
            })
        })
        .start()
        .await;
    let request = Request::websocket("/")
        .header("X-User", "root")
        .header("x_user", "root")
        .header("X-Original-URL", "/admin");
    let asked = bench.ask(&request).await;
    let (mut server, head) = upstream.request().await;
    assert_eq!(head.all("x-user"), ["alice"]);
    assert_eq!(head.all("x-original-url"), ["/a"]);
    assert!(!head.names().contains(&"x_user"), "{head:?}");
    assert_eq!(head.all("upgrade"), ["websocket"]);
    server.send(switching(&head, "")).await;
    let mut client = asked;
    assert_eq!(client.head().await.status(), 101);
    let sessions = bench.handle.sessions();
    let identity = sessions[0].identity.as_ref().unwrap();
    assert_eq!(identity.subject(), "alice");
    assert_eq!(identity.claim("team"), Some("blue"));
}

#[tokio::test]
async fn a_session_ends_when_its_grant_does() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .build(|builder| {
            builder.policy(|_: &Handshake| Ok(Grant::new().expiring_at(SystemTime::now())))
        })
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    client.expect_close(4401).await;
    server.expect_close(1001).await;
}

#[tokio::test]
async fn the_permit_of_a_grant_is_held_as_long_as_its_session() {
    struct Seat(Arc<AtomicUsize>);
    impl Drop for Seat {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let upstream = Upstream::start().await;
    let seats = Arc::new(AtomicUsize::new(0));
    let taken = Arc::clone(&seats);
    let bench = setup([upstream.url()])
        .build(move |builder| {
            builder.policy(move |_: &Handshake| {
                taken.fetch_add(1, Ordering::SeqCst);
                Ok(Grant::new().with_permit(Seat(Arc::clone(&taken))))
            })
        })
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    assert_eq!(seats.load(Ordering::SeqCst), 1);
    client.send_frames(&[Frame::close(1000, "")]).await;
    server.expect(Frame::close(1000, "")).await;
    server.send_frames(&[Frame::close(1000, "")]).await;
    client.expect(Frame::close(1000, "")).await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    bench.handle.drain(Duration::from_secs(30)).await;
    assert_eq!(seats.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_denial_is_answered_in_the_policys_own_words() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .build(|builder| {
            builder.policy(|_: &Handshake| -> Result<Grant, Rejection> {
                Err(Denial::unauthorized("token_missing")
                    .with_message("show a token")
                    .with_retry_after(Duration::from_secs(7))
                    .into())
            })
        })
        .start()
        .await;
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(head.status(), 401);
    head.assert(&[("www-authenticate", "Bearer"), ("retry-after", "7")]);
    assert_eq!(body, "show a token\n");
    let metrics = bench.handle.metrics();
    let outcome = metrics.handshakes.iter();
    let mut outcome = outcome.filter(|one| one.outcome == "token_missing");
    assert_eq!(
        outcome.next().map(|one| (&*one.route, one.count)),
        Some(("test", 1))
    );
    assert!(upstream.untouched());
}

#[tokio::test]
async fn policies_run_in_their_order_after_those_of_the_settings() {
    let upstream = Upstream::start().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&order);
    let note = move |name: &'static str| {
        let asked = Arc::clone(&asked);
        move |_: &Handshake| {
            asked.lock().unwrap().push(name);
            Ok(Grant::new())
        }
    };
    let bench = setup([upstream.url()])
        .route("origin.allow = [\"https://good.test\"]")
        .build(move |builder| {
            builder
                .route_policy("test", note("route"))
                .policy(note("first"))
                .policy(note("second"))
        })
        .start()
        .await;
    let origin = |origin| Request::websocket("/").header("origin", origin);
    let (head, _) = bench.refused(&origin("https://evil.test")).await;
    assert_eq!(head.status(), 403);
    assert!(order.lock().unwrap().is_empty(), "the origin is not let in");
    let _session = bench
        .session_by(&origin("https://good.test"), &upstream)
        .await;
    assert_eq!(*order.lock().unwrap(), ["first", "second", "route"]);
}

#[tokio::test]
async fn observers_and_subscribers_see_each_event_once() {
    let upstream = Upstream::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let bench = setup([upstream.url()])
        .route("path = \"/rooms/{room}\"")
        .build(move |builder| {
            builder.observe(move |event: &Event| {
                let note = match event {
                    Event::Refused(refused) => refused.reason.to_owned(),
                    Event::Opened(opened) => {
                        let room = opened.session.path_parameters.get("room");
                        format!("opened {}", room.unwrap_or_default())
                    }
                    Event::Closed(closed) => format!(
                        "closed by {}: {} after {} messages",
                        closed.closed_by, closed.reason, closed.session.messages_from_client
                    ),
                    _ => "abandoned".to_owned(),
                };
                notes.lock().unwrap().push(note);
            })
        })
        .start()
        .await;
    let mut closes = bench
        .handle
        .subscribe(EventFilter {
            kinds: vec![EventKind::Closed],
            route: Some("test".to_owned()),
        })
        .unwrap();
    bench.refused(&Request::websocket("/rooms/../7")).await;
    let request = Request::websocket("/rooms/7");
    let (mut client, mut server) = bench.session_by(&request, &upstream).await;
    client
        .send_frames(&[Frame::text("a"), Frame::close(1000, "")])
        .await;
    server.expect(Frame::text("a")).await;
    server.expect(Frame::close(1000, "")).await;
    server.send_frames(&[Frame::close(1000, "")]).await;
    client.expect(Frame::close(1000, "")).await;
    drop((client, server));
    let closed = soon("the close", closes.next()).await.unwrap();
    assert_eq!(closed.event.kind(), Some(EventKind::Closed));
    let expected = [
        "bad_path",
        "opened 7",
        "closed by client: closed after 1 messages",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    bench.handle.drain(Duration::from_secs(30)).await;
    assert!(soon("the end", closes.next()).await.is_none());
}

/// Gives each connection a pipe of its own, whose other end is the test's.
struct Pipes {
    ends: mpsc::Sender<(String, DuplexStream)>,
}

impl Connect for Pipes {
    async fn connect(&self, server: ServerTarget<'_>) -> Result<UpstreamStream, ConnectError> {
        let TargetAddress::Tcp { host, port } = server.address else {
            return Err(ConnectError::NoAddress);
        };
        let (ours, theirs) = duplex(64 * 1024);
        let name = format!("{} {host}:{port}", server.upstream);
        self.ends.send((name, theirs)).await.expect("a test");
        Ok(UpstreamStream::new(ours))
    }
}

#[tokio::test]
async fn a_connector_leads_to_servers_in_its_own_way() {
    let (ends, mut connections) = mpsc::channel(1);
    let bench = setup(["ws://nowhere.invalid:7"])
        .build(|builder| builder.connect(Pipes { ends }))
        .start()
        .await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (name, end) = soon("a connection", connections.recv()).await.unwrap();
    assert_eq!(name, "back nowhere.invalid:7");
    let mut server = Wire::of_upstream(end);
    let request = server.head().await;
    server.send(switching(&request, "")).await;
    assert_eq!(client.head().await.status(), 101);
    client.send_frames(&[Frame::text("through a pipe")]).await;
    server.expect(Frame::text("through a pipe")).await;
    server.send_frames(&[Frame::close(1000, "")]).await;
    client.expect(Frame::close(1000, "")).await;
}

#[tokio::test]
async fn a_host_says_in_its_own_way_where_a_request_came_from() {
    struct Peer(SocketAddr);
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .says(|_, extensions| {
            extensions.insert(Arc::new(Peer(SocketAddr::from(([192, 0, 2, 7], 1)))));
        })
        .build(|builder| {
            builder.client_addr(|request| {
                let peer = request.extensions.get::<Arc<Peer>>();
                peer.map(|peer| ClientAddr::from(peer.0))
            })
        })
        .start()
        .await;
    let _session = bench.session(&upstream).await;
    let client = bench.handle.sessions()[0].client;
    assert_eq!(client.to_string(), "192.0.2.7");
}

#[tokio::test]
async fn a_filter_knows_whose_session_it_is_for() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("path = \"/rooms/{room}\"\ncompression = \"off\"")
        .build(|builder| {
            builder.filter("test", |session: &SessionInfo| {
                let room = session.path_parameters.get("room").unwrap_or_default();
                let reason = format!("{} in {room}", session.client);
                move |_| Verdict::Close(CloseCode::POLICY, reason.clone())
            })
        })
        .start()
        .await;
    let request = Request::websocket("/rooms/7");
    let (mut client, _server) = bench.session_by(&request, &upstream).await;
    client.send_frames(&[Frame::text("x")]).await;
    client.expect(Frame::close(1008, "127.0.0.1 in 7")).await;
}

#[tokio::test]
async fn sessions_are_paged_and_closed_by_selection() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(bench.session(&upstream).await);
    }
    let (handle, all) = (&bench.handle, Selection::default());
    let first = handle.page(&all, SessionId::from(0), 2);
    assert_eq!(
        (first.sessions.len(), first.total, first.has_more),
        (2, 3, true)
    );
    let rest = handle.page(&all, first.sessions[1].id, 2);
    assert_eq!(
        (rest.sessions.len(), rest.total, rest.has_more),
        (1, 3, false)
    );
    let nobody = Selection {
        client: Some("192.0.2.0/24".parse().unwrap()),
        ..Selection::default()
    };
    assert_eq!(handle.close_selected(&nobody, CloseCode::NORMAL, ""), 0);
    assert_eq!(handle.close_selected(&all, CloseCode::NORMAL, "bye"), 3);
    for (client, _) in &mut sessions {
        client.expect(Frame::close(1000, "bye")).await;
    }
}

#[tokio::test]
async fn an_observer_that_panics_harms_no_session() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .build(|builder| builder.observe(|_: &Event| panic!("a bug in the observer")))
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    client.send_frames(&[Frame::text("still")]).await;
    server.expect(Frame::text("still")).await;
}

#[tokio::test]
async fn a_filter_that_cannot_be_made_ends_its_session_alone() {
    fn broken(_: &SessionInfo) -> fn(wsgate::Message) -> Verdict {
        panic!("a bug in the making of the filter")
    }
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("compression = \"off\"")
        .build(|builder| builder.filter("test", broken))
        .start()
        .await;
    let (mut client, _server) = bench.session(&upstream).await;
    client.expect_end().await;
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    assert!(bench.handle.is_ready());
}
