//! Pings, and what silence means.

use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_ping_of_ours_goes_between_frames_and_its_pong_is_ours() {
    let mut bench = setup().begin();
    // An upstream that talks, in a frame that is not over.
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..100]).await.unwrap();
    expect(&mut bench.client, &frame[..100]).await;
    advance(31 * SECOND).await;
    tokio::task::yield_now().await;
    bench.upstream.write_all(&frame[100..]).await.unwrap();
    expect(&mut bench.client, &frame[100..]).await;
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping[..2], &[0x89, 8]);
    // The upstream was silent as long, and is pinged too.
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x89);
    let ours = masked(0x8A, &ping[2..]);
    let foreign = masked(0x8A, b"foreign");
    bench
        .client
        .write_all(&[ours, foreign.clone()].concat())
        .await
        .unwrap();
    expect(&mut bench.upstream, &foreign).await;
    // Counted with its answer, though it went out when no timer had fired.
    assert_eq!(bench.totals().moved.pings_to_client, 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_is_woken_for_its_pings_and_their_answers_alone() {
    let mut setup = setup();
    setup.route.keepalive.client.interval = Some(30 * SECOND);
    setup.route.keepalive.upstream.interval = Some(30 * SECOND);
    let (mut client, gate_client) = duplex(setup.pipes.0);
    let (mut upstream, gate_upstream) = duplex(setup.pipes.1);
    let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
    let mut session = Box::pin(session(&registry, gate_client, gate_upstream, setup));
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    registry.tasks.spawn(poll_fn(move |cx| {
        counted.fetch_add(1, Ordering::Relaxed);
        session.as_mut().poll(cx)
    }));
    let start = Instant::now();
    for round in 1..=3 {
        let mut ping = [0; 10];
        client.read_exact(&mut ping).await.unwrap();
        let (_, asked) = expect_masked(&mut upstream).await;
        assert_eq!(start.elapsed().as_secs(), 30 * round);
        // As late as the next two pings still go out together.
        tokio::time::sleep(SECOND / 100).await;
        upstream.write_all(&server(0x8A, &asked)).await.unwrap();
        tokio::time::sleep(SECOND / 100).await;
        client.write_all(&masked(0x8A, &ping[2..])).await.unwrap();
        tokio::time::sleep(SECOND).await;
        // Its beginning; then, in each round, both pings and each of their answers.
        assert_eq!(polls.load(Ordering::Relaxed), 1 + 3 * round as usize);
    }
}

/// A peer may answer only the last of two pings (RFC 6455 §5.5.3).
#[tokio::test(start_paused = true)]
async fn a_ping_that_waits_for_its_pong_is_followed_by_none_of_ours() {
    let mut setup = setup();
    setup.route.keepalive.upstream.interval = None;
    let mut bench = setup.begin();
    let start = Instant::now();
    // Ours is due in the middle of a frame, and the upstream's ping comes with the rest of it.
    let (frame, ping) = (server(0x82, &[9; 200]), server(0x89, b"upstream's"));
    for round in 0..2 {
        bench.upstream.write_all(&frame[..100]).await.unwrap();
        expect(&mut bench.client, &frame[..100]).await;
        if round == 1 {
            tokio::time::sleep(31 * SECOND).await;
        }
        let rest = [&frame[100..], &ping].concat();
        bench.upstream.write_all(&rest).await.unwrap();
        expect(&mut bench.client, &rest).await;
        if round == 0 {
            // Ours is due while the upstream's waits for its pong.
            tokio::time::sleep(35 * SECOND).await;
        }
        let pong = masked(0x8A, b"upstream's");
        bench.client.write_all(&pong).await.unwrap();
        expect(&mut bench.upstream, &pong).await;
    }
    let mut ours = [0; 10];
    bench.client.read_exact(&mut ours).await.unwrap();
    assert_eq!(&ours[..2], &[0x89, 8]);
    assert_eq!(start.elapsed().as_secs(), 35 + 31 + 30);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_then_let_go() {
    let mut setup = setup();
    setup.route.keepalive.upstream.interval = None;
    let mut bench = setup.begin();
    let start = Instant::now();
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping[0], start.elapsed().as_secs()), (0x89, 30));
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "ping timeout")),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 45);
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x88, close(1001, ""))
    );
    bench.ended().await;
    let moved = bench.totals().moved;
    assert_eq!(
        (moved.pings_to_client, moved.ping_timeouts_of_client),
        (1, 1)
    );
    let of_upstream = (moved.pings_to_upstream, moved.ping_timeouts_of_upstream);
    assert_eq!(of_upstream, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn pings_of_each_leg_are_counted_while_the_session_lives_and_stay_when_it_ends() {
    let mut setup = setup();
    setup.route.keepalive.client.interval = Some(10 * SECOND);
    setup.route.keepalive.upstream.interval = Some(25 * SECOND);
    let mut bench = setup.begin();
    let start = Instant::now();
    let mut asked = [0, 0];
    for seconds in [10, 20, 25, 30] {
        let mut ping = [0; 10];
        let (leg, payload) = tokio::select! {
            read = bench.client.read_exact(&mut ping) => {
                read.unwrap();
                (0, ping[2..].to_vec())
            }
            (_, payload) = expect_masked(&mut bench.upstream) => (1, payload),
        };
        assert_eq!(start.elapsed().as_secs(), seconds);
        asked[leg] += 1;
        match leg {
            0 => bench.client.write_all(&masked(0x8A, &payload)).await,
            _ => bench.upstream.write_all(&server(0x8A, &payload)).await,
        }
        .unwrap();
        let moved = bench.totals().moved;
        assert_eq!([moved.pings_to_client, moved.pings_to_upstream], asked);
    }
    assert_eq!(asked, [3, 1]);
    let before = bench.totals().moved;
    drop((bench.client, bench.upstream));
    timeout(60 * SECOND, bench.registry.tasks.wait())
        .await
        .unwrap();
    assert_eq!(bench.registry.totals().routes["test"].moved, before);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_but_never_pongs_is_alive() {
    let mut bench = setup().begin();
    let hello = masked(0x81, b"hello");
    for _ in 0..20 {
        advance(20 * SECOND).await;
        bench.client.write_all(&hello).await.unwrap();
        bench.upstream.write_all(&server(0x81, b"x")).await.unwrap();
        expect(&mut bench.upstream, &hello).await;
        expect(&mut bench.client, &server(0x81, b"x")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn idle_and_lifetime_end_a_session_with_a_reason_that_says_which() {
    let start = Instant::now();
    let mut idle = setup();
    idle.route.keepalive = config::Keepalive {
        client: config::Ping {
            interval: None,
            timeout: SECOND,
        },
        upstream: config::Ping {
            interval: None,
            timeout: SECOND,
        },
    };
    idle.route.timeouts.idle = Some(10 * SECOND);
    let mut bench = idle.begin();
    advance(9 * SECOND).await;
    bench.client.write_all(&masked(0x81, b"x")).await.unwrap();
    expect(&mut bench.upstream, &masked(0x81, b"x")).await;
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "idle timeout")),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 19);

    let mut lifetime = setup();
    lifetime.route.timeouts.lifetime = Some(7 * SECOND);
    let mut bench = lifetime.begin();
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "lifetime over")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_told_and_cut_and_holds_its_source() {
    let mut setup = setup();
    setup.pipes = (1000, 1000);
    setup.route.timeouts.write = 10 * SECOND;
    let mut bench = setup.begin();
    let frame = server(0x82, &[5; 10_000]);
    // The pipe, one read of the relay and no more: then the upstream has to wait.
    let sent = timeout(
        SECOND,
        bench.upstream.write_all(&[frame.clone(), frame].concat()),
    )
    .await;
    assert!(sent.is_err());
    let start = Instant::now();
    bench.ended().await;
    assert!(start.elapsed() >= 14 * SECOND && start.elapsed() < 17 * SECOND);
    let totals = bench.totals();
    assert_eq!((totals.slow_clients, totals.slow_upstreams), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_not_gone_before_the_ping_could_be_sent() {
    let mut bench = setup().begin();
    // A big frame over a slow line: nothing of ours may go in between.
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..10]).await.unwrap();
    expect(&mut bench.client, &frame[..10]).await;
    for byte in &frame[10..199] {
        bench.upstream.write_all(&[*byte]).await.unwrap();
        expect(&mut bench.client, &[*byte]).await;
        advance(SECOND).await;
    }
    bench.upstream.write_all(&frame[199..]).await.unwrap();
    expect(&mut bench.client, &frame[199..]).await;
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping[..2], &[0x89, 8]);
    let start = Instant::now();
    // Only one, and the time for the answer begins with it.
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "ping timeout")),
    )
    .await;
    assert!(start.elapsed() <= 15 * SECOND && start.elapsed() > 13 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_could_not_be_asked_is_not_let_go() {
    let mut bench = setup().begin();
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..100]).await.unwrap();
    expect(&mut bench.client, &frame[..100]).await;
    // The frame takes its time, and no ping can stand in it.
    for _ in 0..10 {
        advance(14 * SECOND).await;
        bench.upstream.write_all(&frame[100..101]).await.unwrap();
        expect(&mut bench.client, &frame[100..101]).await;
    }
    bench.upstream.write_all(&frame[110..]).await.unwrap();
    expect(&mut bench.client, &frame[110..]).await;
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping[..2], &[0x89, 8]);
    let start = Instant::now();
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "ping timeout")),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_is_asked_again_after_the_interval() {
    let mut setup = setup();
    setup.route.keepalive.upstream.interval = None;
    setup.route.keepalive.client = config::Ping {
        interval: Some(10 * SECOND),
        timeout: 60 * SECOND,
    };
    let mut bench = setup.begin();
    let start = Instant::now();
    for turn in 1..10 {
        let mut ping = [0; 10];
        bench.client.read_exact(&mut ping).await.unwrap();
        assert_eq!((ping[0], start.elapsed().as_secs()), (0x89, 10 * turn));
        bench
            .client
            .write_all(&masked(0x8A, &ping[2..]))
            .await
            .unwrap();
    }
}

/// Keepalive towards one side, and none towards the other.
fn asking(side: Side) -> Setup {
    let mut setup = setup();
    let keepalive = &mut setup.route.keepalive;
    match side {
        Side::Client => keepalive.upstream.interval = None,
        Side::Upstream => keepalive.client.interval = None,
    }
    setup
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_inside_a_frame_is_told_so() {
    let frame = masked(0x82, &[7; 200]);
    // In the middle of the payload, of the header, and of a control frame.
    let ping = masked(0x89, b"ping");
    for begun in [&frame[..20], &frame[..3], &ping[..8]] {
        let mut bench = asking(Side::Client).begin();
        bench.client.write_all(begun).await.unwrap();
        let start = Instant::now();
        let mut asked = [0; 10];
        bench.client.read_exact(&mut asked).await.unwrap();
        let farewell = server(0x88, &close(1001, "frame timeout"));
        expect(&mut bench.client, &farewell).await;
        assert_eq!(start.elapsed().as_secs(), 45);
        bench.ended().await;
    }
    let frame = server(0x82, &[7; 200]);
    for begun in [&frame[..20], &frame[..3]] {
        let mut bench = asking(Side::Upstream).begin();
        bench.upstream.write_all(begun).await.unwrap();
        assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x89);
        assert_eq!(
            expect_masked(&mut bench.upstream).await,
            (0x88, close(1001, "frame timeout"))
        );
        bench.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_between_fragments_could_have_answered() {
    let mut bench = asking(Side::Client).begin();
    let fragment = masked(0x01, b"and then");
    bench.client.write_all(&fragment).await.unwrap();
    expect(&mut bench.upstream, &fragment).await;
    let mut asked = [0; 10];
    bench.client.read_exact(&mut asked).await.unwrap();
    let farewell = server(0x88, &close(1001, "ping timeout"));
    expect(&mut bench.client, &farewell).await;
}

/// No keepalive, and this idle time.
fn unasked(idle: Duration) -> Setup {
    let mut setup = setup();
    setup.route.keepalive.client.interval = None;
    setup.route.keepalive.upstream.interval = None;
    setup.route.timeouts.idle = Some(idle);
    setup
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_only_drips_keeps_no_idle_session_alive() {
    let frame = masked(0x82, &[7; 4096]);
    for (begun, drips) in [(20, 0), (3, 0), (20, 1000), (2, 5)] {
        let mut bench = unasked(60 * SECOND).begin();
        let start = Instant::now();
        bench.client.write_all(&frame[..begun]).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(bench.client);
        let dripping = async {
            for byte in &frame[begun..begun + drips] {
                tokio::time::sleep(7 * SECOND).await;
                if writer.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
            std::future::pending().await
        };
        let mut farewell = vec![0; 16];
        tokio::select! {
            () = dripping => {}
            read = reader.read_exact(&mut farewell) => drop(read.unwrap()),
        }
        assert_eq!(farewell, server(0x88, &close(1001, "idle timeout")));
        assert!(start.elapsed() <= 68 * SECOND, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_big_frame_over_a_slow_line_is_not_idle() {
    let mut bench = unasked(60 * SECOND).begin();
    let frame = masked(0x82, &[7; 20 * 1024]);
    for piece in frame.chunks(1024) {
        advance(50 * SECOND).await;
        bench.client.write_all(piece).await.unwrap();
        expect(&mut bench.upstream, piece).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_pong_is_life_and_the_other_sides_business() {
    let mut bench = asking(Side::Client).begin();
    let wrong = masked(0x8A, b"wrong");
    for _ in 0..5 {
        let mut ping = [0; 10];
        bench.client.read_exact(&mut ping).await.unwrap();
        assert_eq!(&ping[..2], &[0x89, 8]);
        bench.client.write_all(&wrong).await.unwrap();
        expect(&mut bench.upstream, &wrong).await;
    }
}
