//! Several gates that share an engine: a real one, where it is installed.

use rustix::process::Signal;
use tokio_tungstenite::tungstenite::Message;

use crate::kit::{
    Echo, EngineServer, Head, Program, Response, Socket, Wire, settings, soon, websocket,
};

/// A gate whose limits are those of all that share the engine.
async fn gate(engine: &EngineServer, echo: &Echo, limits: &str, more: &str) -> Program {
    let shared = format!("[shared]\nurl = \"{}\"\n{more}\n", engine.url());
    let gate = Program::run(&settings(echo.url(), &format!("{limits}\n{shared}"))).await;
    gate.event("the engine is connected").await;
    gate
}

async fn answer(gate: &Program) -> Head {
    let mut wire = Wire::connect(&gate.address).await;
    wire.send(websocket("/ws/", "gate.test", "")).await;
    wire.head().await
}

#[tokio::test]
async fn gates_count_the_sessions_of_an_address_together() {
    let Some(engine) = EngineServer::with(&["--notify-keyspace-events", "Kz"]) else {
        return;
    };
    let echo = Echo::start().await;
    let limits = "limits.per_ip.connections = 3";
    let (a, b) = tokio::join!(
        gate(&engine, &echo, limits, ""),
        gate(&engine, &echo, limits, "")
    );
    let first = Socket::open(&a.address, "/ws/").await;
    let _others = (
        Socket::open(&b.address, "/ws/").await,
        Socket::open(&a.address, "/ws/").await,
    );
    for gate in [&a, &b] {
        let refused = answer(gate).await;
        assert_eq!(refused.status(), 429);
    }
    // The engine says when the place is free.
    let mut watch = Wire::connect(("127.0.0.1", engine.port)).await;
    watch.send("PSUBSCRIBE __key*__:*\r\n").await;
    watch.until(b"psubscribe").await;
    first.close().await;
    watch.until(b"zrem\r\n").await;
    let mut fourth = Socket::open(&b.address, "/ws/").await;
    fourth.echoes("through").await;
    assert_eq!(answer(&a).await.status(), 429);
}

#[tokio::test]
async fn gates_count_handshakes_together_and_say_when_the_next_may_come() {
    let Some(engine) = EngineServer::any() else {
        return;
    };
    let echo = Echo::start().await;
    let limits = "limits.per_ip.handshakes = { rate = \"60/h\", burst = 4 }";
    let (a, b) = tokio::join!(
        gate(&engine, &echo, limits, ""),
        gate(&engine, &echo, limits, "")
    );
    let mut statuses = Vec::new();
    for gate in [&a, &b, &b, &a, &b, &a] {
        let answer = answer(gate).await;
        if answer.status() == 429 {
            let wait: u64 = answer.one("retry-after").parse().unwrap();
            assert!((50..=60).contains(&wait), "{wait}");
        }
        statuses.push(answer.status());
    }
    assert_eq!(statuses, [101, 101, 101, 101, 429, 429]);
}

#[tokio::test]
async fn gates_count_messages_together_up_to_a_slice() {
    let Some(engine) = EngineServer::any() else {
        return;
    };
    let echo = Echo::start().await;
    let limits = "limits.on_exceed = \"close\"\n\
                  limits.per_ip.messages = { rate = \"1/h\", burst = 40 }";
    let (a, b) = tokio::join!(
        gate(&engine, &echo, limits, ""),
        gate(&engine, &echo, limits, "")
    );
    let mut passed = 0;
    for gate in [&a, &b] {
        let mut socket = Socket::open(&gate.address, "/ws/").await;
        let closed = loop {
            socket.try_send(Message::text("x")).await;
            match socket.next().await {
                Message::Text(_) => passed += 1,
                Message::Close(frame) => break frame.unwrap(),
                _ => {}
            }
        };
        assert_eq!(u16::from(closed.code), 1008);
    }
    assert_eq!(passed, 40);
}

#[tokio::test]
async fn without_the_engine_a_gate_counts_for_itself_or_denies() {
    let Some(engine) = EngineServer::any() else {
        return;
    };
    let echo = Echo::start().await;
    let limits = "limits.per_ip.connections = 2";
    let (local, deny) = tokio::join!(
        gate(&engine, &echo, limits, ""),
        gate(&engine, &echo, limits, "on_failure = \"deny\"")
    );
    let mut session = Socket::open(&deny.address, "/ws/").await;
    engine.kill();
    local
        .event(
            "the engine is away: this gate counts for itself, and its publications go no further",
        )
        .await;
    deny.event("the engine is away: what shared limits would have to allow is refused")
        .await;
    session.echoes("a session goes on").await;
    let refused = answer(&deny).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.one("retry-after"), "5");
    let line = deny.event("handshake rejected").await;
    assert_eq!(line["reason"], "limits_unavailable");
    let _held = [
        Socket::open(&local.address, "/ws/").await,
        Socket::open(&local.address, "/ws/").await,
    ];
    assert_eq!(answer(&local).await.status(), 429);

    engine.start_again();
    for gate in [&local, &deny] {
        let back = gate.event("the engine is back").await;
        assert_eq!(back["reason"], "shared_up");
        assert!(back["seconds"].as_f64().unwrap() > 0.0);
    }
    soon("what was lost is there again", async {
        // Two sessions of one gate and one of the other are more than the limit.
        while answer(&deny).await.status() != 429 {}
    })
    .await;
    session.echoes("and still").await;
}

#[tokio::test]
async fn a_reload_changes_the_engine_and_takes_the_sessions_along() {
    let (Some(first), Some(second)) = (EngineServer::any(), EngineServer::any()) else {
        return;
    };
    let echo = Echo::start().await;
    let shared = |engine: &EngineServer| {
        let more = format!(
            "limits.per_ip.connections = 2\n[shared]\nurl = \"{}\"\n",
            engine.url()
        );
        settings(echo.url(), &more)
    };
    let alone = settings(echo.url(), "limits.per_ip.connections = 2\n");
    let sharing = shared(&second);
    let (a, b) = tokio::join!(Program::run(&alone), Program::run(&sharing));
    b.event("the engine is connected").await;
    let session = Socket::open(&a.address, "/ws/").await;
    for (engine, times) in [(&first, 1), (&second, 2)] {
        a.rewrite(&shared(engine));
        a.signal(Signal::HUP);
        let reloaded = a.nth_event(times - 1, "settings reloaded").await;
        assert_eq!(reloaded["keys"], "shared");
        a.nth_event(times - 1, "the engine is connected").await;
    }
    // One here, one there; the first of them was counted before there was an engine.
    let other = Socket::open(&a.address, "/ws/").await;
    let _third = Socket::open(&b.address, "/ws/").await;
    assert_eq!(answer(&b).await.status(), 429);
    drop((session, other));
    a.rewrite(&alone);
    a.signal(Signal::HUP);
    a.nth_event(2, "settings reloaded").await;
    let _back = Socket::open(&a.address, "/ws/").await;
}

const TICKETS: &str = "[route.auth]\nfrom = [\"query:ticket\"]\n[route.auth.tickets]\n\
                       [admin]\naddress = \"127.0.0.1:0\"";

/// The answer to a request for a ticket.
async fn issue(gate: &Program) -> Response {
    let admin = gate.admin().await;
    let mut operator = Wire::connect(&admin).await;
    let body = r#"{"route": "chat", "subject": "bob"}"#;
    let length = body.len();
    let head =
        format!("POST /tickets HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {length}\r\n\r\n");
    operator.send(head + body).await;
    operator.response().await
}

async fn ticket(gate: &Program) -> String {
    let issued = issue(gate).await;
    assert_eq!(issued.status(), 201, "{issued:?}");
    format!("/ws/?ticket={}", issued.json()["ticket"].as_str().unwrap())
}

async fn shown(gate: &Program, path: &str) -> u16 {
    let mut wire = Wire::connect(&gate.address).await;
    wire.send(websocket(path, "gate.test", "")).await;
    wire.head().await.status()
}

#[tokio::test]
async fn a_ticket_of_one_gate_is_good_at_another_once() {
    for engine in EngineServer::each() {
        let echo = Echo::start().await;
        let (a, b) = tokio::join!(
            gate(&engine, &echo, TICKETS, ""),
            gate(&engine, &echo, TICKETS, "")
        );
        let first = ticket(&a).await;
        let mut session = Socket::open(&b.address, &first).await;
        session.echoes("with a ticket of the other gate").await;
        for gate in [&a, &b] {
            assert_eq!(shown(gate, &first).await, 401);
        }

        let lost = ticket(&a).await;
        engine.kill();
        a.event(
            "the engine is away: this gate counts for itself, and its publications go no further",
        )
        .await;
        assert_eq!(issue(&a).await.status(), 503);
        // Nobody knows whether it was used.
        assert_eq!(shown(&a, &lost).await, 503);
        let line = a.nth_event(1, "handshake rejected").await;
        assert_eq!(line["reason"], "auth_unavailable");
        session.echoes("and still").await;
        for log in [a.stop().await, b.stop().await] {
            assert!(
                !log.contains(first.trim_start_matches("/ws/?ticket=")),
                "{log}"
            );
        }
    }
}
