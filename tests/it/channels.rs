//! Channels, as an embedder and the peers see them.

use std::time::Duration;

use wsgate::config::ChannelName;
use wsgate::{Audience, ChannelError, CloseCode, Publication, SessionName};

use crate::kit::{
    Bench, Echo, Frame, Logs, Request, Setup, Upstream, Wire, by_headers, known_as, setup,
    switching, until,
};

fn name(text: &str) -> ChannelName {
    text.parse().unwrap()
}

fn channel(text: &str) -> Audience {
    Audience::Channel(name(text))
}

fn subject(subject: &str, issuer: Option<&str>) -> Audience {
    Audience::Subject {
        subject: subject.to_owned(),
        issuer: issuer.map(str::to_owned),
    }
}

/// Publishes a text, and returns how many sessions it reached.
async fn publish(bench: &Bench, audience: Audience, text: &str) -> usize {
    let publication = Publication::new(audience, text);
    bench.handle.publish(publication).await.unwrap().reached
}

/// A gate that knows users by their headers, before an upstream that never sends anything by itself.
fn known(url: &str) -> Setup {
    setup([url]).build(|builder| builder.policy(by_headers))
}

async fn open(bench: &Bench, request: &Request) -> Wire {
    let mut wire = bench.ask(request).await;
    assert_eq!(wire.head().await.status(), 101);
    wire
}

/// The name of the session that was opened last.
fn newest(bench: &Bench) -> SessionName {
    bench.handle.sessions().pop().unwrap().name
}

#[tokio::test]
async fn a_session_is_in_the_channels_that_its_route_names() {
    let echo = Echo::start().await;
    let bench = known(echo.url())
        .route("path = \"/rooms/{room}\"")
        .route("channels.join = [\"room.{path.room}\", \"user.{subject}\", \"all\"]")
        .start()
        .await;
    let request = Request::websocket("/rooms/a%2Eb").header("x-subject", "alice@example.com");
    let mut alice = open(&bench, &request).await;
    // Who is nobody has no channel of a user, and no client names one.
    let request = Request::websocket("/rooms/7").header("Wsgate-Channels", "user.bob");
    let mut nobody = open(&bench, &request).await;
    let channels = bench.handle.channels(|_| true);
    let channels: Vec<_> = channels
        .iter()
        .map(|channel| (&*channel.name, channel.sessions))
        .collect();
    let expected = [
        ("all", 2),
        ("room.7", 1),
        ("room.a=2Eb", 1),
        ("user.alice@example=2Ecom", 1),
    ];
    assert_eq!(channels, expected);
    assert_eq!(publish(&bench, channel("all"), "to all").await, 2);
    assert_eq!(
        publish(&bench, channel("user.alice@example=2Ecom"), "to alice").await,
        1
    );
    assert_eq!(publish(&bench, channel("room.8"), "to nobody").await, 0);
    let bytes = Publication::new(
        channel("room.7"),
        wsgate::Body::Binary(vec![0xFF; 200].into()),
    );
    assert_eq!(bench.handle.publish(bytes).await.unwrap().reached, 1);
    alice.expect(Frame::text("to all")).await;
    alice.expect(Frame::text("to alice")).await;
    nobody.expect(Frame::text("to all")).await;
    nobody.expect(Frame::binary([0xFF; 200])).await;
    // What they say to the upstream has nothing to do with it.
    nobody.send_frame(&Frame::text("hello")).await;
    nobody.expect(Frame::text("hello")).await;
    drop((alice, nobody));
    until("the ends", || bench.handle.channels(|_| true).is_empty()).await;
    let metrics = bench.handle.metrics().channels;
    assert_eq!((metrics.open, metrics.members), (0, 0));
    let route = &metrics.deliveries[0];
    assert_eq!((route.messages, route.slow, route.unsent), (4, 0, 0));
    let published: Vec<_> = metrics.publications.iter().map(|each| each.count).collect();
    assert_eq!(published, [4, 0, 0]);
}

#[tokio::test]
async fn an_upstream_names_channels_only_where_its_route_lets_it() {
    for (is_let, expected) in [(true, vec!["news", "room.1"]), (false, vec![])] {
        let upstream = Upstream::start().await;
        let bench = setup([upstream.url()])
            .route(&format!("channels.upstream_header = {is_let}"))
            .start()
            .await;
        // A server that repeats what it gets would have the client name channels.
        let named = Request::websocket("/").header("Wsgate-Channels", "user.bob");
        let named = named.header("Wsgate_Channels", "user.bob");
        let mut wire = bench.ask(&named).await;
        let (mut server, request) = upstream.request().await;
        let passed_on = ["wsgate-channels", "wsgate_channels"].map(|name| request.all(name).len());
        assert_eq!(passed_on, [usize::from(!is_let); 2], "{request:?}");
        let lines = "Wsgate-Channels: room.1, news,,room.1\r\nX-Other: kept\r\n\
                     wsgate-channels: no channel\r\n";
        server.send(switching(&request, lines)).await;
        let head = wire.head().await;
        assert_eq!((head.status(), head.one("x-other")), (101, "kept"));
        assert!(head.all("wsgate-channels").is_empty(), "{head:?}");
        let channels = bench.handle.channels(|_| true);
        let channels: Vec<_> = channels
            .iter()
            .map(|channel| channel.name.to_string())
            .collect();
        assert_eq!(channels, expected);
        let refused = bench.handle.metrics().channels.deliveries[0].joins_refused;
        assert_eq!(refused, u64::from(is_let));
        // It may publish at once: the session is a member from its 101 on.
        let reached = publish(&bench, channel("news"), "at once").await;
        assert_eq!(reached, usize::from(is_let));
    }
}

#[tokio::test]
async fn one_session_is_published_to_by_the_name_that_its_upstream_got() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("headers.set = { x-session = \"{session}\" }")
        .start()
        .await;
    let mut wire = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    let session: SessionName = request.one("x-session").parse().unwrap();
    let audience = || Audience::Session(session);
    let early = bench
        .handle
        .publish(Publication::new(audience(), "too early"))
        .await;
    assert_eq!(early, Err(ChannelError::SessionGone));
    server.send(switching(&request, "")).await;
    assert_eq!(wire.head().await.status(), 101);
    assert_eq!(session, newest(&bench));
    assert_eq!(publish(&bench, audience(), "hello").await, 1);
    wire.expect(Frame::text("hello")).await;
    let publication = Publication::new(audience(), "not to itself").excluding(session);
    assert_eq!(bench.handle.publish(publication).await.unwrap().reached, 0);
    drop((wire, server));
    until("the end", || bench.handle.open_sessions() == 0).await;
    let late = bench
        .handle
        .publish(Publication::new(audience(), "too late"))
        .await;
    assert_eq!(late, Err(ChannelError::SessionGone));
    for unknown in ["000000000000-1", &format!("{}-999999", session.node())] {
        let audience = Audience::Session(unknown.parse().unwrap());
        let unknown = bench.handle.publish(Publication::new(audience, "")).await;
        assert_eq!(unknown, Err(ChannelError::UnknownSession));
    }
}

#[tokio::test]
async fn every_session_of_a_user_is_published_to() {
    let echo = Echo::start().await;
    let bench = known(echo.url()).start().await;
    let mut first = open(&bench, &known_as("alice")).await;
    let excluded = newest(&bench);
    let mut second = open(&bench, &known_as("alice").header("x-issuer", "main")).await;
    let _bob = open(&bench, &known_as("bob")).await;
    let _nobody = open(&bench, &Request::websocket("/")).await;
    assert_eq!(publish(&bench, subject("alice", None), "both").await, 2);
    assert_eq!(
        publish(&bench, subject("alice", Some("main")), "second").await,
        1
    );
    assert_eq!(
        publish(&bench, subject("alice", Some("other")), "none").await,
        0
    );
    assert_eq!(publish(&bench, subject("", None), "none").await, 0);
    let publication = Publication::new(subject("alice", None), "others").excluding(excluded);
    assert_eq!(bench.handle.publish(publication).await.unwrap().reached, 1);
    first.expect(Frame::text("both")).await;
    for text in ["both", "second", "others"] {
        second.expect(Frame::text(text)).await;
    }
    first.send_frame(&Frame::text("hello")).await;
    first.expect(Frame::text("hello")).await;
}

#[tokio::test]
async fn a_publication_leaves_out_255_sessions_at_most() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .route("channels.join = [\"a\"]")
        .start()
        .await;
    let mut wire = open(&bench, &Request::websocket("/")).await;
    let session = newest(&bench);
    let left_out = |count: u64| {
        // Each one twice, which counts once.
        let others = (1..=count).chain(1..=count);
        let others = others.map(|number| SessionName::new(session.node(), (1000 + number).into()));
        let publication = Publication::new(channel("a"), count.to_string());
        let publication = publication.with_idempotency_key("one", "7");
        others.fold(publication, Publication::excluding)
    };
    for too_many in [256, 300] {
        let refused = bench.handle.publish(left_out(too_many)).await;
        assert_eq!(refused, Err(ChannelError::TooManyExcluded));
    }
    let published = bench.handle.publish(left_out(255)).await.unwrap();
    assert_eq!((published.reached, published.repeated), (1, false));
    wire.expect(Frame::text("255")).await;
}

#[tokio::test]
async fn a_publication_with_a_known_key_is_not_made_again() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .route("channels.join = [\"a\"]")
        .start()
        .await;
    let mut wire = open(&bench, &Request::websocket("/")).await;
    let with_key = |publisher: &str, text: &str| {
        let publication = Publication::new(channel("a"), text);
        bench
            .handle
            .publish(publication.with_idempotency_key(publisher, "7"))
    };
    let first = with_key("one", "first").await.unwrap();
    assert_eq!((first.reached, first.repeated), (1, false));
    let again = with_key("one", "again").await.unwrap();
    assert_eq!((again.reached, again.repeated), (1, true));
    assert!(!with_key("two", "other").await.unwrap().repeated);
    wire.expect(Frame::text("first")).await;
    wire.expect(Frame::text("other")).await;
    // One that fails may come again.
    let session = newest(&bench);
    let unknown = Audience::Session(SessionName::new(session.node(), 999_999.into()));
    for _ in 0..2 {
        let publication = Publication::new(unknown.clone(), "").with_idempotency_key("one", "8");
        let failed = bench.handle.publish(publication).await;
        assert_eq!(failed, Err(ChannelError::UnknownSession));
    }
    let metrics = bench.handle.metrics().channels;
    let published = metrics.publications.iter().map(|each| each.count);
    assert_eq!(Vec::from_iter(published), [2, 0, 0]);
}

#[tokio::test]
async fn who_joins_gets_the_last_publications_of_the_channel() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .route("path = \"/rooms/{room}\"\nchannels = { join = [\"room.{path.room}\"], retain = 2 }")
        .start()
        .await;
    for text in ["one", "two", "three"] {
        assert_eq!(publish(&bench, channel("room.1"), text).await, 0);
    }
    // No session comes to be in these by the settings, so that nothing is kept for one.
    for other in ["room.1.2", "rooms.1", "room"] {
        publish(&bench, channel(other), "lost").await;
    }
    assert_eq!(bench.handle.channels(|_| true).len(), 1);
    let mut wire = open(&bench, &Request::websocket("/rooms/1")).await;
    wire.expect(Frame::text("two")).await;
    wire.expect(Frame::text("three")).await;
    assert_eq!(bench.handle.forget_retained(&name("room.1")).await, 2);
    let mut wire = open(&bench, &Request::websocket("/rooms/1")).await;
    publish(&bench, channel("room.1"), "four").await;
    wire.expect(Frame::text("four")).await;
}

#[tokio::test]
async fn a_backend_decides_who_is_in_a_channel_and_who_leaves_it() {
    let echo = Echo::start().await;
    let bench = known(echo.url()).start().await;
    let mut one = open(&bench, &known_as("alice")).await;
    let first = newest(&bench);
    let mut two = open(&bench, &Request::websocket("/")).await;
    let second = newest(&bench);
    let (handle, room) = (&bench.handle, name("room.1"));
    assert_eq!(handle.join(first, &room).await, Ok(true));
    assert_eq!(handle.join(first, &room).await, Ok(false));
    assert_eq!(handle.join(second, &room).await, Ok(true));
    let unknown = SessionName::new(first.node(), 999_999.into());
    assert_eq!(
        handle.join(unknown, &room).await,
        Err(ChannelError::UnknownSession)
    );
    let members = handle.members(&room, None, 10).await.members;
    let members: Vec<_> = (members.iter())
        .map(|member| (member.session, member.subject.as_deref(), &*member.route))
        .collect();
    assert_eq!(
        members,
        [(first, Some("alice"), "test"), (second, None, "test")]
    );
    assert_eq!(publish(&bench, channel("room.1"), "both").await, 2);
    one.expect(Frame::text("both")).await;
    two.expect(Frame::text("both")).await;
    assert_eq!(handle.leave(second, &room).await, Ok(true));
    assert_eq!(handle.leave(second, &room).await, Ok(false));
    for number in 1..128 {
        assert_eq!(
            handle.join(first, &name(&format!("a.{number}"))).await,
            Ok(true)
        );
    }
    let one_more = handle.join(first, &name("b")).await;
    assert_eq!(one_more, Err(ChannelError::TooManyChannels));
    let code = CloseCode::new(4000).unwrap();
    let closed = handle
        .close_channel(&room, code, "the room is closed")
        .await;
    assert_eq!(closed.count, 1);
    assert_eq!(
        one.close_frame().await,
        (Some(4000), "the room is closed".to_owned())
    );
    two.send_frame(&Frame::text("still here")).await;
    two.expect(Frame::text("still here")).await;
}

#[tokio::test]
async fn a_slow_session_ends_and_the_others_get_everything() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .route("channels = { join = [\"a\"], queue = \"16KiB\" }")
        .start()
        .await;
    let mut slow = Wire::connect_small(bench.address).await;
    slow.send(Request::websocket("/").text()).await;
    assert_eq!(slow.head().await.status(), 101);
    let mut quick = open(&bench, &Request::websocket("/")).await;
    let logs = Logs::capture();
    let text = "x".repeat(8000);
    let mut published = 0;
    while bench.handle.open_sessions() == 2 {
        publish(&bench, channel("a"), &text).await;
        published += 1;
        quick.expect(Frame::text(&text)).await;
    }
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.field("code")),
        ("channel_slow", "1008")
    );
    let route = &bench.handle.metrics().channels.deliveries[0];
    assert!(route.slow > 0 && route.messages >= published, "{route:?}");
    drop(slow);
    tokio::time::timeout(Duration::from_secs(5), async {
        quick.send_frame(&Frame::text("hello")).await;
        quick.expect(Frame::text("hello")).await;
    })
    .await
    .unwrap();
}
