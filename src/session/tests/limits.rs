//! Rates and sizes.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_client_over_its_rate_is_closed() {
    let mut bench = metered(OnExceed::Close, per_second(2), None).begin();
    let message = masked(0x81, b"x");
    bench.client.write_all(&message.repeat(3)).await.unwrap();
    expect(&mut bench.upstream, &message.repeat(2)).await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    expect(
        &mut bench.client,
        &server(0x88, &close(1008, "message rate exceeded")),
    )
    .await;
    bench
        .client
        .write_all(&masked(0x88, &close(1008, "")))
        .await
        .unwrap();
    expect_end(&mut bench.client).await;
    let mut bench = metered(OnExceed::Close, None, per_second(100)).begin();
    bench
        .client
        .write_all(&masked(0x82, &[0; 101]))
        .await
        .unwrap();
    expect(
        &mut bench.client,
        &server(0x88, &close(1008, "byte rate exceeded")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_rate_is_delayed_and_loses_nothing() {
    let mut bench = metered(OnExceed::Delay, per_second(2), None).begin();
    let start = Instant::now();
    let message = masked(0x81, b"x");
    bench.client.write_all(&message.repeat(10)).await.unwrap();
    expect(&mut bench.upstream, &message.repeat(10)).await;
    assert_eq!(start.elapsed().as_secs(), 4);
    assert_eq!(
        (bench.limit_counts.dropped(), bench.limit_counts.delayed()),
        (0, 8)
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_bigger_than_the_burst_is_only_slowed_down() {
    let mut bench = metered(OnExceed::Delay, None, per_second(100)).begin();
    let start = Instant::now();
    let message = masked(0x82, &[3; 992]);
    bench.client.write_all(&message).await.unwrap();
    expect(&mut bench.upstream, &message).await;
    assert!(
        (8..=11).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_rate_is_dropped_whole() {
    let mut bench = metered(OnExceed::Drop, per_second(1), None).begin();
    let first = masked(0x81, b"first");
    let (ping, late) = (masked(0x89, b"ping"), masked(0x8A, b"pong"));
    let dropped = [masked(0x01, b"a"), ping.clone(), masked(0x80, b"b"), late].concat();
    bench
        .client
        .write_all(&[first.clone(), dropped].concat())
        .await
        .unwrap();
    // A control frame is counted for itself: the first passes, inside a message that does not.
    expect(&mut bench.upstream, &[first, ping].concat()).await;
    assert_eq!(
        (bench.limit_counts.dropped(), bench.limit_counts.delayed()),
        (2, 0)
    );
    advance(SECOND).await;
    bench
        .client
        .write_all(&masked(0x81, b"next"))
        .await
        .unwrap();
    expect(&mut bench.upstream, &masked(0x81, b"next")).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_right_behind_what_was_refused_is_seen() {
    let mut bench = metered(OnExceed::Close, per_second(1), None).begin();
    let start = Instant::now();
    let message = masked(0x81, b"x");
    let sent = [message.clone(), message.clone(), masked(0x88, b"")].concat();
    bench.client.write_all(&sent).await.unwrap();
    expect(&mut bench.upstream, &message).await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    bench.upstream.write_all(&server(0x88, b"")).await.unwrap();
    bench.upstream.shutdown().await.unwrap();
    expect(
        &mut bench.client,
        &server(0x88, &close(1008, "message rate exceeded")),
    )
    .await;
    // Both have closed, so that our half of the client's leg ends without a wait.
    expect_end(&mut bench.client).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_written_to_while_its_client_has_to_wait() {
    let slow = Some(Rate {
        count: 1,
        per: 20 * SECOND,
        burst: 1,
    });
    let mut setup = metered(OnExceed::Delay, slow, None);
    setup.pipes.1 = 100;
    let mut bench = setup.begin();
    let message = masked(0x82, &[1; 110]);
    let start = Instant::now();
    let sent = [message.clone(), message.clone()].concat();
    let (written, ()) = tokio::join!(bench.client.write_all(&sent), async {
        tokio::task::yield_now().await;
        expect(&mut bench.upstream, &message).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        expect(&mut bench.upstream, &message).await;
    });
    written.unwrap();
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn control_frames_have_the_rate_of_messages_and_leave_messages_theirs() {
    for control in [masked(0x89, b"ping"), masked(0x8A, b"pong")] {
        let mut bench = metered(OnExceed::Close, per_second(2), None).begin();
        let messages = masked(0x81, b"x").repeat(2);
        let sent = [messages.clone(), control.repeat(3)].concat();
        bench.client.write_all(&sent).await.unwrap();
        expect(&mut bench.upstream, &messages).await;
        expect(&mut bench.upstream, &control.repeat(2)).await;
        assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
        expect(
            &mut bench.client,
            &server(0x88, &close(1008, "message rate exceeded")),
        )
        .await;

        let mut bench = metered(OnExceed::Delay, per_second(2), per_second(10)).begin();
        let start = Instant::now();
        bench.client.write_all(&control.repeat(4)).await.unwrap();
        expect(&mut bench.upstream, &control.repeat(4)).await;
        // Ten bytes each: what the byte rate gives in a second, the first one at once.
        assert_eq!(start.elapsed().as_secs(), 3);
    }
    // Longer than the burst of the byte rate: slowed down, as a message would be.
    let mut bench = metered(OnExceed::Delay, None, per_second(20)).begin();
    let long = masked(0x89, &[b'x'; 125]);
    bench.client.write_all(&long).await.unwrap();
    expect(&mut bench.upstream, &long).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_is_free_and_so_is_the_answer_to_our_ping() {
    for on_exceed in [OnExceed::Close, OnExceed::Delay, OnExceed::Drop] {
        let slow = Some(Rate {
            count: 1,
            per: 3600 * SECOND,
            burst: 1,
        });
        let mut setup = metered(on_exceed, slow, None);
        setup.route.keepalive.upstream.interval = None;
        let mut bench = setup.begin();
        let message = masked(0x81, b"x");
        bench.client.write_all(&message).await.unwrap();
        expect(&mut bench.upstream, &message).await;
        let mut ping = [0; 10];
        bench.client.read_exact(&mut ping).await.unwrap();
        let bye = masked(0x88, &close(1000, ""));
        let sent = [masked(0x8A, &ping[2..]), bye.clone()].concat();
        bench.client.write_all(&sent).await.unwrap();
        expect(&mut bench.upstream, &bye).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_fragment_in_the_middle_counts_as_a_message() {
    let begun = masked(0x01, b"");
    let ended = masked(0x80, b"");
    for (fragment, is_free) in [
        (masked(0x00, b""), false),
        (masked(0x00, &[b'x'; 125]), false),
        (masked(0x00, &[b'x'; 126]), true),
    ] {
        for on_exceed in [OnExceed::Close, OnExceed::Drop] {
            let mut bench = metered(on_exceed, per_second(3), None).begin();
            // The last fragment of a message is free, whatever its size.
            let message = [&begun[..], &fragment, &ended, &begun].concat();
            let sent = [&message[..], &fragment].concat();
            bench.client.write_all(&sent).await.unwrap();
            match is_free {
                true => expect(&mut bench.upstream, &sent).await,
                false => {
                    expect(&mut bench.upstream, &message).await;
                    let farewell = server(0x88, &close(1008, "message rate exceeded"));
                    expect(&mut bench.client, &farewell).await;
                }
            }
        }
        let mut bench = metered(OnExceed::Delay, per_second(3), None).begin();
        let start = Instant::now();
        let message = [&begun[..], &fragment.repeat(8), &ended].concat();
        bench.client.write_all(&message).await.unwrap();
        expect(&mut bench.upstream, &message).await;
        assert_eq!(start.elapsed().as_secs(), if is_free { 0 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_in_endless_fragments_is_refused() {
    for payload in [&b""[..], b"x"] {
        let mut setup = setup();
        setup.route.validate_utf8 = true;
        let mut sent = masked(0x01, b"");
        for _ in 0..65_536 {
            sent.extend_from_slice(&masked(0x00, payload));
        }
        let bench = expect_refusal(setup, &sent, 1008).await;
        drop(bench.client);
        timeout(SECOND * 10, bench.registry.tasks.wait())
            .await
            .unwrap();
    }
    let mut bench = setup().begin();
    let sent = [server(0x02, b""), server(0x00, b"").repeat(1 << 16)].concat();
    bench.upstream.write_all(&sent).await.unwrap();
    let (first, payload) = expect_masked(&mut bench.upstream).await;
    assert_eq!(
        (first, payload),
        (0x88, close(1008, "message in too many fragments"))
    );
    drop(bench.upstream);
    let mut got = Vec::new();
    bench.client.read_to_end(&mut got).await.unwrap();
    let farewell = close(1011, "upstream message in too many fragments");
    assert!(got.ends_with(&server(0x88, &farewell)));
}
