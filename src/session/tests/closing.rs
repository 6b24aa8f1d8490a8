//! How sessions end.

use super::*;
use crate::session::leg::MOST_DISCARDED;
use crate::session::scratch::BULK_READ;

#[tokio::test(start_paused = true)]
async fn a_close_handshake_is_relayed_to_the_letter() {
    let mut bench = setup().begin();
    let bye = masked(0x88, &close(4001, "bye"));
    bench.client.write_all(&bye).await.unwrap();
    expect(&mut bench.upstream, &bye).await;
    let answer = [
        server(0x81, b"last words"),
        server(0x88, &close(4002, "so long")),
    ]
    .concat();
    bench.upstream.write_all(&answer).await.unwrap();
    bench.upstream.shutdown().await.unwrap();
    expect(&mut bench.client, &answer).await;
    // The server ends the connection first.
    expect_end(&mut bench.client).await;
    drop(bench.client);
    bench.registry.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_upstream_never_answers_its_close_gets_its_own_code_back() {
    let mut bench = setup().begin();
    bench
        .client
        .write_all(&masked(0x88, &close(1000, "")))
        .await
        .unwrap();
    expect(&mut bench.client, &server(0x88, &close(1000, ""))).await;
    bench.ended().await;
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_vanishes_is_told_with_the_routes_code() {
    let mut bench = setup().begin();
    bench
        .upstream
        .write_all(&server(0x81, b"hi"))
        .await
        .unwrap();
    drop(bench.upstream);
    expect(&mut bench.client, &server(0x81, b"hi")).await;
    expect(
        &mut bench.client,
        &server(0x88, &close(1011, "upstream lost")),
    )
    .await;
    bench
        .client
        .write_all(&masked(0x88, &close(1011, "")))
        .await
        .unwrap();
    expect_end(&mut bench.client).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_the_upstream_left_half_is_not_followed_by_a_close_frame() {
    let mut bench = setup().begin();
    let frame = server(0x82, &[1; 100]);
    bench.upstream.write_all(&frame[..50]).await.unwrap();
    drop(bench.upstream);
    expect(&mut bench.client, &frame[..50]).await;
    expect_end(&mut bench.client).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_is_a_1001_for_the_upstream() {
    let mut bench = setup().begin();
    bench
        .client
        .write_all(&masked(0x81, b"last"))
        .await
        .unwrap();
    drop(bench.client);
    expect(&mut bench.upstream, &masked(0x81, b"last")).await;
    let (first, payload) = expect_masked(&mut bench.upstream).await;
    assert_eq!((first, payload), (0x88, close(1001, "client lost")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_its_half_still_gets_what_the_upstream_says() {
    let mut bench = setup().begin();
    bench.client.shutdown().await.unwrap();
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let answer = [server(0x81, b"the rest"), server(0x88, &close(1001, ""))].concat();
    bench.upstream.write_all(&answer).await.unwrap();
    expect(&mut bench.client, &answer).await;
    drop(bench.upstream);
    expect_end(&mut bench.client).await;
    timeout(SECOND, bench.registry.tasks.wait()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broken_rule_ends_the_session_before_the_frame_is_passed() {
    expect_refusal(setup(), &server(0x81, b"unmasked"), 1002).await;
    expect_refusal(setup(), &masked(0xC1, b"rsv"), 1002).await;
    expect_refusal(setup(), &masked(0x88, &close(1005, "")), 1002).await;
    expect_refusal(setup(), &masked(0x88, b"\x03\xE8\xFF"), 1007).await;
    let mut small = setup();
    small.route.limits.message_size = 10;
    expect_refusal(small, &masked(0x82, &[0; 11]), 1009).await;
}

#[tokio::test(start_paused = true)]
async fn the_frames_before_a_broken_one_are_passed_and_counted() {
    let mut bench = setup().begin();
    let good = masked(0x81, b"good");
    bench
        .client
        .write_all(&[good.clone(), masked(0x83, b"")].concat())
        .await
        .unwrap();
    expect(&mut bench.upstream, &good).await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    expect(
        &mut bench.client,
        &server(0x88, &close(1002, "protocol error")),
    )
    .await;
    // Our half is shut though the client says nothing.
    expect_end(&mut bench.client).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_of_ours_waits_for_the_end_of_the_frame_before_it() {
    let mut bench = setup().begin();
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..100]).await.unwrap();
    expect(&mut bench.client, &frame[..100]).await;
    let code = CloseCode::new(4000).unwrap();
    bench.entry.request_close(CloseReason::Kicked {
        code,
        reason: "out".into(),
    });
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let rest = [&frame[100..], &server(0x81, b"too late")].concat();
    bench.upstream.write_all(&rest).await.unwrap();
    expect(&mut bench.client, &frame[100..]).await;
    expect(&mut bench.client, &server(0x88, &close(4000, "out"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_session_ends_and_a_cut_one_ends_at_once() {
    let mut bench = setup().begin();
    bench
        .entry
        .request_close(CloseReason::Drain(CloseCode::new(1012).unwrap()));
    expect(
        &mut bench.client,
        &server(0x88, &close(1012, "server is shutting down")),
    )
    .await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let start = Instant::now();
    bench.entry.request_close(CloseReason::Cut);
    bench.ended().await;
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_behind_what_a_slow_peer_had_not_taken_arrives() {
    let mut setup = setup();
    setup.pipes.0 = 100;
    let mut bench = setup.begin();
    let last = [server(0x82, &[7; 500]), server(0x88, &close(4000, "done"))].concat();
    bench.upstream.write_all(&last).await.unwrap();
    advance(SECOND).await;
    expect(&mut bench.client, &last).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_of_ours_behind_what_a_slow_peer_had_not_taken_arrives() {
    let mut setup = setup();
    setup.pipes.0 = 100;
    let mut bench = setup.begin();
    let frame = server(0x82, &[7; 500]);
    bench.upstream.write_all(&frame).await.unwrap();
    tokio::task::yield_now().await;
    let order = CloseReason::Drain(CloseCode::GOING_AWAY);
    bench.entry.request_close(order);
    advance(SECOND).await;
    expect(&mut bench.client, &frame).await;
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "server is shutting down")),
    )
    .await;
}

/// Plays a peer that sends its frames for as long as somebody reads them; how much that is.
async fn pour(peer: &mut DuplexStream, frames: &[u8]) -> usize {
    let mut poured = 0;
    while poured < 4 * MOST_DISCARDED
        && let Ok(Ok(length)) = timeout(120 * SECOND, peer.write(frames)).await
    {
        poured += length;
    }
    poured
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_pours_behind_the_end_of_its_client_is_cut() {
    let mut setup = setup();
    setup.route.timeouts.close = Duration::from_secs(3600);
    setup.pipes.0 = 100;
    let mut bench = setup.begin();
    let frame = server(0x82, &[7; 50_000]);
    bench.upstream.write_all(&frame).await.unwrap();
    // The client takes nothing until it is too slow.
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let poured = pour(&mut bench.upstream, &frame).await;
    let most = MOST_DISCARDED + 4 * BULK_READ;
    assert!((MOST_DISCARDED..most).contains(&poured), "{poured}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pours_behind_its_end_is_cut() {
    for bad in [masked(0x83, b""), masked(0x88, &close(1000, ""))] {
        let mut setup = setup();
        setup.route.timeouts.close = Duration::from_secs(3600);
        let mut bench = setup.begin();
        bench.client.write_all(&bad).await.unwrap();
        assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
        let poured = pour(&mut bench.client, &masked(0x82, &[7; 50_000])).await;
        let most = MOST_DISCARDED + 4 * BULK_READ;
        assert!((MOST_DISCARDED..most).contains(&poured), "{poured}");
        // The other leg still has its close handshake.
        bench.upstream.shutdown().await.unwrap();
        bench.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_does_not_keep_a_close_frame_from_arriving() {
    let mut bench = setup().begin();
    let code = CloseCode::new(4000).unwrap();
    let kicked = CloseReason::Kicked {
        code,
        reason: "out".into(),
    };
    bench.entry.request_close(kicked);
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let on_its_way = server(0x82, &[7; 1 << 20]);
    for _ in 0..12 {
        bench.upstream.write_all(&on_its_way).await.unwrap();
    }
    let answer = server(0x88, &close(1001, ""));
    bench.upstream.write_all(&answer).await.unwrap();
    bench.upstream.shutdown().await.unwrap();
    expect_end(&mut bench.upstream).await;
    expect(&mut bench.client, &server(0x88, &close(4000, "out"))).await;
    let answer = masked(0x88, &close(4000, ""));
    bench.client.write_all(&answer).await.unwrap();
    drop(bench.client);
    timeout(SECOND, bench.registry.tasks.wait()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_order_is_heard_as_well() {
    let mut bench = setup().begin();
    let order = CloseReason::Drain(CloseCode::GOING_AWAY);
    tokio::task::yield_now().await;
    bench.entry.request_close(order);
    let mut head = [0; 2];
    bench.client.read_exact(&mut head).await.unwrap();
    let start = Instant::now();
    bench.entry.request_close(CloseReason::Cut);
    bench.ended().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_that_goes_on_reading_gets_the_last_message_and_the_close_frame() {
    let mut setup = setup();
    setup.pipes.0 = 100;
    let mut bench = setup.begin();
    let last = [
        server(0x82, &[7; 10_000]),
        server(0x88, &close(4001, "bye")),
    ]
    .concat();
    bench.upstream.write_all(&last).await.unwrap();
    // Longer in all than a peer may take to answer a close frame.
    for part in last.chunks(1000) {
        tokio::time::sleep(2 * SECOND).await;
        expect(&mut bench.client, part).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_hardly_reads_does_not_hold_its_session_for_ever() {
    let mut setup = setup();
    setup.pipes.0 = 100;
    let mut bench = setup.begin();
    let last = [server(0x82, &[7; 60_000]), server(0x88, &close(1000, ""))].concat();
    bench.upstream.write_all(&last).await.unwrap();
    let start = Instant::now();
    while bench.client.read(&mut [0]).await.unwrap() > 0 && !bench.registry.list().is_empty() {
        tokio::time::sleep(SECOND).await;
    }
    let seconds = start.elapsed().as_secs();
    // The time-out, and twelve more while it reads at all.
    assert!((65..=66).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn what_the_client_sent_reaches_an_upstream_that_has_ended_its_half() {
    let mut bench = setup().begin();
    let early = masked(0x81, b"before");
    bench.client.write_all(&early).await.unwrap();
    let last = server(0x81, b"last words");
    bench.upstream.write_all(&last).await.unwrap();
    bench.upstream.shutdown().await.unwrap();
    expect(&mut bench.upstream, &early).await;
    let farewell = server(0x88, &close(1011, "upstream lost"));
    expect(&mut bench.client, &[last, farewell].concat()).await;
    let bye = masked(0x88, &close(1011, ""));
    bench.client.write_all(&bye).await.unwrap();
    expect_end(&mut bench.client).await;
    bench.ended().await;
}
