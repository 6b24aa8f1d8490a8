//! The list of sessions, and how one of them is closed.

use std::time::Duration;

use wsgate::{CloseCode, SessionId};

use crate::kit::{Echo, Frame, Logs, Request, Upstream, answer, setup, switching, until};

#[tokio::test]
async fn a_session_is_listed_with_what_it_moved() {
    let upstream = Upstream::start().await;
    let trusted = "[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let bench = setup([upstream.url()]).top(trusted).start().await;
    let request = Request::websocket("/").header("X-Forwarded-For", "192.0.2.7");
    let (mut client, mut server) = bench.session_by(&request, &upstream).await;
    let up = [
        Frame::text("one"),
        Frame::new(2, "t"),
        Frame::ping("between"),
        Frame::new(128, "wo"),
        Frame::binary(vec![0; 70_000]),
    ];
    let down = [Frame::text("only")];
    client.send_frames(&up).await;
    server.send_frames(&down).await;
    for frame in &up {
        server.expect(frame.clone()).await;
    }
    client.expect(down[0].clone()).await;
    let [session] = &bench.handle.sessions()[..] else {
        panic!("{:?}", bench.handle.sessions());
    };
    assert_eq!((&*session.route, &*session.upstream), ("test", "back"));
    assert_eq!(&*session.server, upstream.url());
    assert_eq!(session.client.to_string(), "192.0.2.7");
    let minute = Duration::from_secs(60);
    assert!(session.age < minute && session.idle <= session.age);
    assert!(session.opened.elapsed().unwrap() < minute);
    assert_eq!(session.peer.ip().to_string(), "127.0.0.1");
    assert_eq!(
        (session.messages_from_client, session.messages_from_upstream),
        (3, 1)
    );
    let bytes: usize = up.iter().map(|frame| frame.masked().len()).sum();
    assert_eq!(session.bytes_from_client, bytes as u64);
    assert_eq!(session.bytes_from_upstream, down[0].plain().len() as u64);
}

#[tokio::test]
async fn sessions_are_listed_oldest_first_until_they_end() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(bench.open().await);
    }
    let ids = || -> Vec<_> {
        let sessions = bench.handle.sessions();
        sessions.iter().map(|session| session.id).collect()
    };
    let all = ids();
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted());
    sockets.remove(2).close_with(1000, "").await;
    until("the session to end", || ids().len() == 4).await;
    assert_eq!(ids(), [all[0], all[1], all[3], all[4]]);
}

#[tokio::test]
async fn a_session_is_closed_with_the_callers_code_and_reason() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let (mut other, mut other_up) = bench.session(&upstream).await;
    let id = bench.handle.sessions()[0].id;
    let code = CloseCode::new(4003).unwrap();
    assert!(bench.handle.close(id, code, "not you"));
    assert_eq!(
        client.close_frame().await,
        (Some(4003), "not you".to_owned())
    );
    assert_eq!(server.close_frame().await, (Some(1001), String::new()));
    // The first order stands.
    assert!(bench.handle.close(id, CloseCode::NORMAL, "again"));
    client.send_frames(&[Frame::close(4003, "")]).await;
    client.expect_end().await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().len() == 1).await;
    assert!(!bench.handle.close(id, code, "gone already"));
    assert!(!bench.handle.close(SessionId::from(0), code, "never there"));
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.field("closed_by")),
        ("kicked", "gate")
    );
    assert_eq!(line.number("code"), 4003);
    other.send_frames(&[Frame::text("still here")]).await;
    other_up.expect(Frame::text("still here")).await;
}

#[tokio::test]
async fn a_reason_that_does_not_fit_is_cut_between_characters() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    let mut socket = bench.open().await;
    let id = bench.handle.sessions()[0].id;
    assert!(
        bench
            .handle
            .close(id, CloseCode::POLICY, &"\u{e9}".repeat(100))
    );
    assert_eq!(socket.farewell().await, Some((1008, "\u{e9}".repeat(61))));
}

#[tokio::test]
async fn there_are_only_so_many_sessions() {
    let logs = Logs::capture();
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .build(|builder| builder.max_sessions(2))
        .start()
        .await;
    let first = bench.open().await;
    let _second = bench.open().await;
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!((head.status(), &*body), (503, "the server is full\n"));
    assert!(head.one("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(
        logs.of("wsgate::rejection").pop().unwrap().field("reason"),
        "overload"
    );
    assert_eq!(echo.taken(), 2);
    first.close_with(1000, "").await;
    until("the session to end", || bench.handle.sessions().len() == 1).await;
    bench.open().await.echoes("room again").await;
}

#[tokio::test]
async fn a_handshake_in_flight_takes_a_session_of_the_limit() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .build(|builder| builder.max_sessions(1))
        .start()
        .await;
    // The upstream takes its time; meanwhile nobody else is let in to wait for it.
    let mut one = bench.ask(&Request::websocket("/")).await;
    let (mut one_up, request) = upstream.request().await;
    for _ in 0..3 {
        let (head, body) = bench.refused(&Request::websocket("/")).await;
        assert_eq!((head.status(), &*body), (503, "the server is full\n"));
        let line = logs.of("wsgate::rejection").pop().unwrap();
        assert_eq!(line.field("reason"), "overload");
    }
    one_up.send(switching(&request, "")).await;
    assert_eq!(one.head().await.status(), 101);
    assert_eq!(bench.handle.sessions().len(), 1);
    assert!(upstream.untouched());
}

#[tokio::test]
async fn a_failed_handshake_returns_its_session_to_the_limit() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .build(|builder| builder.max_sessions(1))
        .start()
        .await;
    // The upstream refuses one, and one is gone before it was answered.
    let mut refused = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    server.send(answer("403 Forbidden", "", "no")).await;
    assert_eq!(refused.response().await.status(), 403);
    let gone = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    drop(gone);
    server.end().await;
    let _session = bench.session(&upstream).await;
}
