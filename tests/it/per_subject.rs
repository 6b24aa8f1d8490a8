//! How much one user may do.

use wsgate::{Config, Grant, Handshake};

use crate::kit::{
    Bench, Echo, Frame, Logs, Request, Setup, Upstream, by_headers, known_as, setup, until,
};

fn counting(url: &str, limits: &str) -> Setup {
    let setup = setup([url]).build(|builder| {
        // The identity is that of the last policy which gives one.
        let builder = builder.policy(|_: &Handshake| Ok(Grant::new()));
        builder.policy(by_headers)
    });
    setup.route(limits)
}

async fn statuses(bench: &Bench, requests: Vec<Request>) -> Vec<u16> {
    let mut wires = Vec::new();
    for request in &requests {
        wires.push(bench.ask(request).await);
    }
    let mut statuses = Vec::new();
    for wire in &mut wires {
        statuses.push(wire.head().await.status());
    }
    statuses
}

#[tokio::test]
async fn of_fifty_handshakes_at_once_a_user_gets_as_many_sessions_as_one_may_have() {
    let echo = Echo::start().await;
    let limits = "limits.per_subject.connections = 5";
    let bench = counting(echo.url(), limits).start().await;
    let logs = Logs::capture();
    let mut wires = Vec::new();
    for _ in 0..50 {
        wires.push(bench.ask(&known_as("alice")).await);
    }
    let mut statuses = Vec::new();
    for wire in &mut wires {
        let head = wire.head().await;
        if head.status() == 429 {
            assert_eq!(head.one("retry-after"), "5");
        }
        statuses.push(head.status());
    }
    let open = statuses.iter().filter(|status| **status == 101).count();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((open, refused), (5, 45));
    assert_eq!(bench.handle.open_sessions(), 5);
    let lines = logs.of("wsgate::rejection");
    assert_eq!(lines.len(), 45);
    let line = &lines[0];
    assert_eq!(line.field("reason"), "subject_sessions");
    assert_eq!(line.field("rule"), "limits.per_subject.connections");
    // Another user, and who is nobody, have nothing to do with it.
    let (_bob, _nobody) = (
        bench.ask(&known_as("bob")).await,
        bench.ask(&Request::websocket("/")).await,
    );
    until("their sessions", || bench.handle.open_sessions() == 7).await;
    assert_eq!(bench.handle.metrics().subjects_tracked, 2);
    // A place is free again when its session is over.
    drop(wires);
    until("the ends", || bench.handle.open_sessions() == 2).await;
    let mut again = bench.ask(&known_as("alice")).await;
    assert_eq!(again.head().await.status(), 101);
}

#[tokio::test]
async fn handshakes_of_a_user_over_the_rate_are_refused_from_any_address() {
    let echo = Echo::start().await;
    let limits = "limits.per_subject.handshakes = { rate = \"1/h\", burst = 2 }";
    let bench = counting(echo.url(), limits)
        .top("[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\n")
        .start()
        .await;
    let from = |address: &str| known_as("alice").header("X-Forwarded-For", address);
    let requests = vec![from("192.0.2.1"), from("192.0.2.2"), from("192.0.2.3")];
    assert_eq!(statuses(&bench, requests).await, [101, 101, 429]);
    let logs = Logs::capture();
    let (head, _) = bench.refused(&from("192.0.2.4")).await;
    let wait: u64 = head.one("retry-after").parse().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    let refused = logs.of("wsgate::rejection").pop().unwrap();
    assert_eq!(refused.field("reason"), "subject_handshakes");
    assert_eq!(refused.field("rule"), "limits.per_subject.handshakes");
    // The count goes on after a reload.
    let same =
        counting(echo.url(), limits).top("[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    bench
        .handle
        .reload(Config::from_toml("test", &same.toml()).unwrap())
        .unwrap();
    assert_eq!(
        statuses(&bench, vec![from("192.0.2.5"), known_as("bob")]).await,
        [429, 101]
    );
}

#[tokio::test]
async fn the_sessions_of_a_user_share_their_message_and_byte_rates() {
    let upstream = Upstream::start().await;
    for (limits, reason) in [
        (
            "limits.per_subject.messages = { rate = \"1/h\", burst = 3 }",
            "message rate exceeded",
        ),
        (
            "limits.message_size = \"12B\"\n\
             limits.per_subject.bytes = { rate = \"1B/h\", burst = \"24B\" }",
            "byte rate exceeded",
        ),
    ] {
        let bench = counting(upstream.url(), limits).start().await;
        let alice = known_as("alice");
        let (mut one, mut one_up) = bench.session_by(&alice, &upstream).await;
        let (mut two, mut two_up) = bench.session_by(&alice, &upstream).await;
        let (mut nobody, mut nobody_up) = bench.session(&upstream).await;
        // A message of one byte has seven on the wire.
        one.send_frames(&[Frame::text("1"), Frame::text("2")]).await;
        one_up.expect(Frame::text("1")).await;
        one_up.expect(Frame::text("2")).await;
        two.send_frames(&[Frame::text("3"), Frame::text("4")]).await;
        two_up.expect(Frame::text("3")).await;
        two_up.expect_close(1001).await;
        assert_eq!(two.close_frame().await, (Some(1008), reason.to_owned()));
        one_up.send_frames(&[Frame::text("still here")]).await;
        one.expect(Frame::text("still here")).await;
        for text in ["1", "2", "3", "4", "5"] {
            nobody.send_frames(&[Frame::text(text)]).await;
            nobody_up.expect(Frame::text(text)).await;
        }
    }
}
