//! Silence, and what is made of it.

use std::time::{Duration, Instant};

use crate::kit::{Bench, Frame, Logs, Upstream, Wire, bits, setup, until};

const PING: u8 = bits::FIN | bits::PING;

async fn ended(bench: &Bench, logs: &Logs, reason: &str, closed_by: &str) {
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.field("closed_by")),
        (reason, closed_by)
    );
}

/// Answers the next ping, which has to be the gate's, and tells its payload.
async fn answer_ping(wire: &mut Wire) -> Vec<u8> {
    let ping = wire.frame().await;
    assert_eq!((ping.first, ping.payload.len()), (PING, 8), "{ping:?}");
    wire.send_frames(&[Frame::pong(&*ping.payload)]).await;
    ping.payload
}

/// Keepalive towards one side, and none towards the other.
fn keepalive(side: &str, interval: &str, timeout: &str) -> String {
    let other = if side == "client" {
        "upstream"
    } else {
        "client"
    };
    format!(
        "keepalive.{side} = {{ interval = {interval:?}, timeout = {timeout:?} }}\n\
         keepalive.{other} = {{ interval = \"0s\" }}"
    )
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_its_pong_goes_no_further() {
    let upstream = Upstream::start().await;
    for side in ["client", "upstream"] {
        let bench = setup([upstream.url()])
            .route(&keepalive(side, "20ms", "1h"))
            .start()
            .await;
        let (mut client, mut server) = bench.session(&upstream).await;
        let (silent, other) = match side {
            "client" => (&mut client, &mut server),
            _ => (&mut server, &mut client),
        };
        let first = answer_ping(silent).await;
        let second = answer_ping(silent).await;
        assert_ne!(first, second);
        // A third is out, and a pong that does not answer it is the other side's business, as is
        // one that answers what was answered before.
        let third = silent.frame().await;
        assert_eq!(third.first, PING);
        let (mine, old) = (Frame::pong("mine"), Frame::pong(first));
        let ours = Frame::pong(third.payload);
        let sent = [mine.clone(), old.clone(), ours, Frame::text("hello")];
        silent.send_frames(&sent).await;
        other.expect(mine).await;
        other.expect(old).await;
        other.expect(Frame::text("hello")).await;
    }
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_gone() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    for (side, to_client, to_upstream) in [
        ("client", "ping timeout", ""),
        ("upstream", "upstream ping timeout", "ping timeout"),
    ] {
        let route = keepalive(side, "20ms", "20ms");
        let bench = setup([upstream.url()]).route(&route).start().await;
        let (mut client, mut server) = bench.session(&upstream).await;
        let silent = if side == "client" {
            &mut client
        } else {
            &mut server
        };
        assert_eq!(silent.frame().await.first, PING);
        assert_eq!(
            client.close_frame().await,
            (Some(1001), to_client.to_owned())
        );
        assert_eq!(
            server.close_frame().await,
            (Some(1001), to_upstream.to_owned())
        );
        drop((client, server));
        ended(&bench, &logs, "ping_timeout", side).await;
    }
}

#[tokio::test]
async fn a_ping_stands_between_frames_and_not_in_one() {
    let upstream = Upstream::start().await;
    let route = keepalive("client", "10ms", "1h");
    let bench = setup([upstream.url()]).route(&route).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let big = Frame::binary(vec![7; 1000]).plain();
    server.send(&big[..500]).await;
    let mut head = client.take(2).await;
    while head == [PING, 8] {
        // As long as there is no frame, it may come.
        let payload = client.take(8).await;
        client.send_frame(&Frame::pong(payload)).await;
        head = client.take(2).await;
    }
    assert_eq!(head, big[..2]);
    assert_eq!(client.take(498).await, big[2..500]);
    // The next is due while the frame waits for its second half, and so it comes behind it: another
    // session has had several since.
    let (mut other, _other) = bench.session(&upstream).await;
    for _ in 0..5 {
        answer_ping(&mut other).await;
    }
    assert_eq!(client.there(), b"");
    server.send(&big[500..]).await;
    assert_eq!(client.take(504).await, big[500..]);
    answer_ping(&mut client).await;
    // Between the fragments of a message it may stand.
    server.send_frame(&Frame::new(bits::TEXT, "a")).await;
    let mut frame = client.frame().await;
    while frame.first == PING {
        client.send_frame(&Frame::pong(frame.payload)).await;
        frame = client.frame().await;
    }
    assert_eq!(frame, Frame::new(bits::TEXT, "a"));
    answer_ping(&mut client).await;
}

#[tokio::test]
async fn a_session_without_data_ends_however_many_pings_it_sees() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("timeouts.idle = \"100ms\"")
        .start()
        .await;
    let start = Instant::now();
    let (mut client, mut server) = bench.session(&upstream).await;
    loop {
        client.send_frame(&Frame::ping("alive")).await;
        let frame = server.frame().await;
        if frame == Frame::close(1001, "") {
            break;
        }
        assert_eq!(frame, Frame::ping("alive"));
    }
    assert!(
        start.elapsed() >= Duration::from_millis(100),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        client.close_frame().await,
        (Some(1001), "idle timeout".to_owned())
    );
    drop((client, server));
    ended(&bench, &logs, "idle", "gate").await;
}

#[tokio::test]
async fn a_session_has_a_lifetime() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("timeouts.lifetime = \"100ms\"")
        .start()
        .await;
    let start = Instant::now();
    let (mut client, mut server) = bench.session(&upstream).await;
    loop {
        server.send_frames(&[Frame::text("busy")]).await;
        let frame = client.frame().await;
        if frame == Frame::close(1001, "lifetime over") {
            break;
        }
        assert_eq!(frame, Frame::text("busy"));
    }
    assert!(start.elapsed() >= Duration::from_millis(100));
    server.expect_close(1001).await;
    drop((client, server));
    ended(&bench, &logs, "lifetime", "gate").await;
}
