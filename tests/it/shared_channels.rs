//! Channels of several gates that share an engine.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use wsgate::config::ChannelName;
use wsgate::{Audience, ChannelError, CloseCode, Publication, Revocation, SessionName};

use crate::kit::{
    Bench, Echo, EngineServer, Frame, Request, Wire, by_headers, known_as, setup, until,
};

/// Gates with the same settings, each with a session of its own in every channel of `channels`.
struct Gates {
    engine: EngineServer,
    gates: Vec<Bench>,
    _echo: Echo,
}

impl Gates {
    /// So many; `None` if no engine is installed.
    async fn start(count: usize, channels: &str) -> Option<Self> {
        let engine = EngineServer::any()?;
        let echo = Echo::start().await;
        let mut gates = Vec::new();
        for _ in 0..count {
            let gate = setup([echo.url()])
                .build(|builder| builder.policy(by_headers))
                .top(&format!("[shared]\nurl = \"{}\"\n", engine.url()))
                .route(channels)
                .start()
                .await;
            gate.handle.connect_engine();
            gates.push(gate);
        }
        let gates = Self {
            engine,
            gates,
            _echo: echo,
        };
        gates.are_up(true).await;
        Some(gates)
    }

    async fn are_up(&self, up: bool) {
        for gate in &self.gates {
            let is_up = || gate.handle.metrics().shared.unwrap().up;
            until("the engine", || is_up() == up).await;
        }
    }

    /// Opens a session on a gate, and waits until what others publish to the channel reaches it.
    async fn open(&self, gate: usize, request: &Request) -> Wire {
        let mut wire = self.gates[gate].ask(request).await;
        assert_eq!(wire.head().await.status(), 101);
        let other = (gate + 1) % self.gates.len();
        let probe = async {
            loop {
                self.publish(other, channel(), "probe").await;
            }
        };
        tokio::select! {
            never = probe => never,
            () = wire.expect(Frame::text("probe")) => {}
        }
        self.publish(other, channel(), "end of the probes").await;
        read_until(&mut wire, "end of the probes").await;
        wire
    }

    fn newest(&self, gate: usize) -> SessionName {
        self.gates[gate].handle.sessions().pop().unwrap().name
    }

    async fn publish(&self, gate: usize, audience: Audience, text: &str) -> wsgate::Published {
        let publication = Publication::new(audience, text);
        self.gates[gate].handle.publish(publication).await.unwrap()
    }
}

/// Has the engine do something.
fn command(engine: &EngineServer, line: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", engine.port)).unwrap();
    connection
        .write_all(format!("{line}\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    answer
}

/// Reads until this text.
async fn read_until(wire: &mut Wire, text: &str) {
    while wire.frame().await != Frame::text(text) {}
}

fn room() -> ChannelName {
    "room".parse().unwrap()
}

fn channel() -> Audience {
    Audience::Channel(room())
}

const JOIN: &str = "channels.join = [\"room\"]";

#[tokio::test]
async fn a_publication_with_a_key_is_made_once_whoever_waits_for_the_other_gates() {
    let Some(gates) = Gates::start(1, JOIN).await else {
        return;
    };
    let mut wire = gates.gates[0].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    let publish = |text: &str, key: &str| {
        let publication = Publication::new(channel(), text).with_idempotency_key("one", key);
        Box::pin(gates.gates[0].handle.publish(publication))
    };
    // Whoever publishes goes while the engine is waited for.
    gates.engine.freeze();
    let mut gone = publish("first", "1");
    assert!((&mut gone).now_or_never().is_none());
    wire.expect(Frame::text("first")).await;
    drop(gone);
    gates.engine.thaw();
    let again = publish("again", "1").await.unwrap();
    assert_eq!((again.reached, again.repeated), (1, true));

    // A repetition that comes meanwhile gets the answer of the first.
    let mut first = publish("second", "2");
    assert!((&mut first).now_or_never().is_none());
    let (again, first) = tokio::join!(publish("again", "2"), first);
    let (again, first) = (again.unwrap(), first.unwrap());
    assert_eq!((first.reached, first.repeated), (1, false));
    assert_eq!((again.reached, again.repeated), (1, true));
    gates.publish(0, channel(), "end").await;
    wire.expect(Frame::text("second")).await;
    wire.expect(Frame::text("end")).await;
}

#[tokio::test]
async fn a_publication_with_a_key_is_made_once_whichever_gates_it_comes_to() {
    let Some(gates) = Gates::start(2, JOIN).await else {
        return;
    };
    let mut wire = gates.gates[0].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    let publish = |gate: usize, audience: Audience, text: &str, key: &str| {
        let publication = Publication::new(audience, text).with_idempotency_key("one", key);
        gates.gates[gate].handle.publish(publication)
    };
    let first = publish(0, channel(), "first", "1").await.unwrap();
    assert_eq!((first.reached, first.repeated), (1, false));
    // Its second repetition needs no engine.
    for _ in 0..2 {
        let again = publish(1, channel(), "again", "1").await.unwrap();
        assert_eq!((again.reached, again.repeated), (1, true));
    }
    // Both at once: one of them is the first, and the other one waits for it.
    let both = tokio::join!(
        publish(0, channel(), "second", "2"),
        publish(1, channel(), "second", "2")
    );
    assert_ne!(both.0.unwrap().repeated, both.1.unwrap().repeated);

    // What was not made may be made, also at the other gate.
    let gone = Audience::Session(SessionName::new(gates.newest(0).node(), 999_999.into()));
    for gate in [0, 1] {
        let refused = publish(gate, gone.clone(), "to nobody", "3").await;
        assert_eq!(refused, Err(ChannelError::UnknownSession));
    }
    let third = publish(1, channel(), "third", "3").await.unwrap();
    assert!(!third.repeated);
    for text in ["first", "second", "third"] {
        wire.expect(Frame::text(text)).await;
    }
}

#[tokio::test]
async fn what_is_published_on_any_gate_reaches_the_members_on_all() {
    let Some(gates) = Gates::start(3, JOIN).await else {
        return;
    };
    let request = Request::websocket("/");
    let mut first = gates.open(0, &request).await;
    let excluded = gates.newest(0);
    let mut second = gates.open(1, &request).await;
    // It has heard the probes of the second.
    read_until(&mut first, "end of the probes").await;
    for number in 0..100 {
        gates.publish(2, channel(), &number.to_string()).await;
    }
    for wire in [&mut first, &mut second] {
        for number in 0..100 {
            wire.expect(Frame::text(&number.to_string())).await;
        }
    }
    let publication = Publication::new(channel(), "not to the first").excluding(excluded);
    gates.gates[2].handle.publish(publication).await.unwrap();
    second.expect(Frame::text("not to the first")).await;
    // The counts of others come with the next second.
    let mut published = gates.publish(2, channel(), "counted").await;
    while published.reached < 2 {
        published = gates.publish(2, channel(), "counted").await;
    }
    assert_eq!((published.reached, published.gates), (2, 2));
    read_until(&mut first, "counted").await;
}

#[tokio::test]
async fn sessions_and_users_are_published_to_wherever_they_are() {
    let Some(gates) = Gates::start(2, JOIN).await else {
        return;
    };
    let mut alice = gates.open(0, &known_as("alice")).await;
    let name = gates.newest(0);
    let published = gates
        .publish(1, Audience::Session(name), "to the session")
        .await;
    assert_eq!((published.reached, published.gates), (1, 1));
    alice.expect(Frame::text("to the session")).await;
    let subject = Audience::Subject {
        subject: "alice".to_owned(),
        issuer: None,
    };
    assert_eq!(gates.publish(1, subject, "to the user").await.reached, 1);
    alice.expect(Frame::text("to the user")).await;
    let handle = &gates.gates[1].handle;
    let other: ChannelName = "other".parse().unwrap();
    assert_eq!(handle.join(name, &other).await, Ok(true));
    assert_eq!(handle.join(name, &other).await, Ok(false));
    let page = handle.members(&other, None, 10).await;
    assert_eq!((page.total, page.missing_gates), (1, 0));
    assert_eq!(page.members[0].session, name);
    assert_eq!(page.members[0].subject.as_deref(), Some("alice"));
    assert_eq!(handle.leave(name, &other).await, Ok(true));
    let unknown = "000000000000-1".parse().unwrap();
    assert_eq!(
        handle.join(unknown, &other).await,
        Err(ChannelError::UnknownSession)
    );
    // Its gate has given no session this name.
    let never = SessionName::new(name.node(), 999_999.into());
    assert_eq!(
        handle.join(never, &other).await,
        Err(ChannelError::UnknownSession)
    );
    let publication = Publication::new(Audience::Session(never), "to nobody");
    assert_eq!(
        handle.publish(publication).await,
        Err(ChannelError::UnknownSession)
    );
    let closed = handle
        .close_channel(&room(), CloseCode::new(4000).unwrap(), "closed")
        .await;
    assert_eq!((closed.count, closed.missing_gates), (1, 0));
    assert_eq!(alice.close_frame().await, (Some(4000), "closed".to_owned()));
}

#[tokio::test]
async fn a_revocation_counts_on_all_gates() {
    let Some(gates) = Gates::start(2, JOIN).await else {
        return;
    };
    let mut alice = gates.open(0, &known_as("alice")).await;
    gates.gates[1]
        .handle
        .revoke(&Revocation::of_subject("alice"));
    assert_eq!(alice.close_frame().await.0, Some(4403));
    let mut again = gates.gates[0].ask(&known_as("alice")).await;
    assert_eq!(again.head().await.status(), 401);
}

#[tokio::test]
async fn who_joins_gets_what_was_published_on_other_gates_before() {
    let join = "channels = { join = [\"room\"], retain = 2 }";
    let Some(gates) = Gates::start(2, join).await else {
        return;
    };
    for text in ["one", "two", "three"] {
        gates.publish(0, channel(), text).await;
    }
    let mut wire = gates.gates[1].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    for text in ["two", "three"] {
        wire.expect(Frame::text(text)).await;
    }
    assert_eq!(gates.gates[0].handle.forget_retained(&room()).await, 2);
    let mut wire = gates.gates[1].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    gates.publish(1, channel(), "four").await;
    wire.expect(Frame::text("four")).await;
}

#[tokio::test]
async fn an_engine_that_is_away_harms_nobody_and_what_was_missed_comes_later() {
    let join = "channels = { join = [\"room\"], retain = 9 }";
    let Some(gates) = Gates::start(2, join).await else {
        return;
    };
    let request = Request::websocket("/");
    let mut wire = gates.open(0, &request).await;
    gates.engine.kill();
    gates.are_up(false).await;
    gates.publish(0, channel(), "here").await;
    wire.expect(Frame::text("here")).await;
    let lost = gates.publish(1, channel(), "nowhere").await;
    assert_eq!((lost.reached, lost.gates), (0, 0));
    // Nobody knows what the other gate has.
    let (handle, empty) = (&gates.gates[1].handle, "empty".parse().unwrap());
    let closed = handle.close_channel(&empty, CloseCode::NORMAL, "").await;
    assert_eq!((closed.count, closed.missing_gates), (0, 1));
    assert_eq!(handle.members(&empty, None, 1).await.missing_gates, 1);
    gates.engine.start_again();
    gates.are_up(true).await;
    let interruptions = gates.gates[0]
        .handle
        .metrics()
        .shared
        .unwrap()
        .interruptions;
    assert_eq!(interruptions, 1);
    gates.publish(1, channel(), "back").await;
    wire.expect(Frame::text("back")).await;
}

#[tokio::test]
async fn what_cannot_be_loaded_yet_comes_later() {
    let join = "channels = { join = [\"room\"], retain = 9 }";
    let Some(gates) = Gates::start(2, join).await else {
        return;
    };
    gates.publish(0, channel(), "before").await;
    assert_eq!(
        command(&gates.engine, "ACL SETUSER default -lrange"),
        "+OK\r\n"
    );
    let mut wire = gates.gates[1].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    gates.publish(1, channel(), "now").await;
    wire.expect(Frame::text("now")).await;
    command(&gates.engine, "ACL SETUSER default +lrange");
    wire.expect(Frame::text("before")).await;
}

#[tokio::test]
async fn a_frozen_engine_delays_no_publication_of_the_same_gate() {
    let join = "channels = { join = [\"room\"], retain = 9 }";
    let Some(gates) = Gates::start(1, join).await else {
        return;
    };
    gates.engine.freeze();
    let mut wire = gates.gates[0].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    let now = Frame::text("now");
    let published = async { tokio::join!(gates.publish(0, channel(), "now"), wire.expect(now)) };
    // The engine has two seconds to take a subscription.
    let published = timeout(Duration::from_secs(1), published).await;
    assert!(published.is_ok());
    gates.engine.thaw();
}

#[tokio::test]
async fn an_outage_brings_nothing_back_that_was_there_before() {
    let join = "channels = { join = [\"room\"], retain = 1 }";
    let Some(gates) = Gates::start(2, join).await else {
        return;
    };
    let request = Request::websocket("/");
    let mut wire = gates.open(0, &request).await;
    gates.publish(0, channel(), "one").await;
    gates.engine.freeze();
    for text in ["two", "three"] {
        // It is late for the engine, and may get there yet: the next ones do not even try.
        gates.publish(0, channel(), text).await;
    }
    gates.are_up(false).await;
    gates.publish(0, channel(), "four").await;
    gates.engine.thaw();
    gates.are_up(true).await;
    let mut newcomer = gates.gates[0].ask(&request).await;
    assert_eq!(newcomer.head().await.status(), 101);
    gates.publish(0, channel(), "five").await;
    for text in ["one", "two", "three", "four", "five"] {
        wire.expect(Frame::text(text)).await;
    }
    for text in ["four", "five"] {
        newcomer.expect(Frame::text(text)).await;
    }
}

#[tokio::test]
async fn what_is_to_be_forgotten_while_the_engine_is_away_does_not_come_back() {
    let join = "channels = { join = [\"room\"], retain = 9 }";
    let Some(gates) = Gates::start(1, join).await else {
        return;
    };
    gates.publish(0, channel(), "one").await;
    gates.engine.freeze();
    let other = || Audience::Channel("other".parse().unwrap());
    while gates.gates[0].handle.metrics().shared.unwrap().up {
        gates.publish(0, other(), "late").await;
    }
    assert_eq!(gates.gates[0].handle.forget_retained(&room()).await, 1);
    gates.engine.thaw();
    gates.are_up(true).await;
    let mut wire = gates.gates[0].ask(&Request::websocket("/")).await;
    assert_eq!(wire.head().await.status(), 101);
    gates.publish(0, channel(), "two").await;
    wire.expect(Frame::text("two")).await;
}

#[tokio::test]
async fn a_gate_that_has_drained_counts_no_more() {
    let Some(gates) = Gates::start(2, JOIN).await else {
        return;
    };
    let _wire = gates.open(1, &Request::websocket("/")).await;
    while gates.publish(0, channel(), "counted").await.reached < 1 {}
    gates.gates[1].handle.drain(Duration::ZERO).await;
    let published = gates.publish(0, channel(), "to nobody").await;
    assert_eq!((published.reached, published.gates), (0, 0));
}
