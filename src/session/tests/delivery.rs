//! What is published to a session, between what its upstream sends.

use super::*;
use crate::channels::{Delivery, Subscriber};
use crate::config::OnSlow;
use crate::types::Body;

fn publish(bench: &Bench, text: &str) -> bool {
    let delivery = Delivery::new(None, &Body::from(text));
    bench.registry.channels.send(&*bench.entry, &delivery)
}

/// The messages of a stream of server frames, control frames left out; panics where a message is in another.
fn messages(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut whole, mut begun) = (Vec::new(), None::<Vec<u8>>);
    while let [first, length, rest @ ..] = stream {
        let (length, rest) = match length {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            length => (usize::from(*length), rest),
        };
        let payload = &rest[..length];
        stream = &rest[length..];
        let message = match first & 0x0F {
            0 => {
                let mut message = begun.take().expect("a continuation follows a beginning");
                message.extend_from_slice(payload);
                message
            }
            1 | 2 => {
                assert!(begun.is_none(), "a message begins in another");
                payload.to_vec()
            }
            _ => continue,
        };
        match first & 0x80 {
            0 => begun = Some(message),
            _ => whole.push(message),
        }
    }
    assert!(begun.is_none(), "a message has no end");
    whole
}

async fn read(io: &mut DuplexStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let read = timeout(Duration::from_secs(600), io.read_exact(&mut bytes));
    read.await.unwrap().unwrap();
    bytes
}

/// Lets the session do what it can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[rstest::rstest]
#[case::as_they_come(false, false)]
#[case::compressed(true, false)]
#[case::validated(false, true)]
#[tokio::test(start_paused = true)]
async fn a_publication_stands_between_two_messages_wherever_the_stream_is_cut(
    #[case] deflate: bool,
    #[case] validate_utf8: bool,
) {
    let first = if deflate { 0x41 } else { 0x01 };
    let upstream = [
        server(first, b"he"),
        server(0x89, b"ping"),
        server(0x00, b"ll"),
        server(0x80, &[b'o'; 300]),
        server(0x82, b"next"),
        server(0x81, b""),
    ]
    .concat();
    let expected = messages(&upstream);
    for cut in 0..=upstream.len() {
        let mut setup = setup();
        setup.route.validate_utf8 = validate_utf8;
        setup.deflate = deflate;
        let mut bench = setup.begin();
        bench.upstream.write_all(&upstream[..cut]).await.unwrap();
        settle().await;
        assert!(publish(&bench, "published"));
        settle().await;
        // All at once, so that what follows ends in the middle of nothing.
        bench.upstream.write_all(&upstream[cut..]).await.unwrap();
        let length = upstream.len() + server(0x81, b"published").len();
        let mut passed = messages(&read(&mut bench.client, length).await);
        let at = passed.iter().position(|message| message == b"published");
        passed.remove(at.expect("it is delivered"));
        assert_eq!(passed, expected, "{cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_publication_does_not_wait_for_a_pause_of_the_upstream() {
    let mut bench = setup().begin();
    // Whatever is read ends in the middle of a message.
    let message = [server(0x02, b"be"), server(0x80, b"gun")].concat();
    let cut = server(0x02, b"be").len();
    bench.upstream.write_all(&message[..cut]).await.unwrap();
    settle().await;
    publish(&bench, "published");
    settle().await;
    bench
        .upstream
        .write_all(&[&message[cut..], &message[..cut]].concat())
        .await
        .unwrap();
    let published = server(0x81, b"published");
    let expected = [&message, &*published, &message[..cut]].concat();
    expect(&mut bench.client, &expected).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_published_before_the_session_listens_comes_first() {
    let bench = setup();
    let mut bench = bench.begin();
    publish(&bench, "one");
    publish(&bench, "two");
    let expected = [server(0x81, b"one"), server(0x81, b"two")].concat();
    expect(&mut bench.client, &expected).await;
    let counts = &bench.entry.metadata.mail.counts;
    assert_eq!(
        (counts.messages(), counts.bytes()),
        (2, expected.len() as u64)
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_arrives_whole_and_in_order_through_a_small_pipe() {
    let mut setup = setup();
    setup.pipes = (64, 64);
    setup.route.channels.queue = 1 << 20;
    let mut bench = setup.begin();
    let texts: Vec<_> = (0..500).map(|number| "x".repeat(number)).collect();
    for text in &texts {
        publish(&bench, text);
    }
    let frames: Vec<_> = texts
        .iter()
        .map(|text| server(0x81, text.as_bytes()))
        .collect();
    expect(&mut bench.client, &frames.concat()).await;
}

#[rstest::rstest]
#[case(OnSlow::Close)]
#[case(OnSlow::DropOldest)]
#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_read_holds_no_more_than_its_queue(#[case] on_slow: OnSlow) {
    let mut setup = setup();
    setup.pipes = (64, 64);
    setup.route.channels.queue = 1000;
    setup.route.channels.on_slow = on_slow;
    let mut bench = setup.begin();
    let mut reached = 0;
    for number in 0..1000 {
        reached += u32::from(publish(&bench, &format!("{number:0100}")));
        settle().await;
    }
    match on_slow {
        OnSlow::Close => {
            assert!(reached < 10, "{reached}");
            // The rest of the frame that the pipe has begun to take, and then the close frame.
            let frame = server(0x81, &[b'0'; 100]);
            read(&mut bench.client, frame.len()).await;
            expect(
                &mut bench.client,
                &server(0x88, &close(1008, "slow reader of channels")),
            )
            .await;
            drop(bench.client);
            let (first, payload) = expect_masked(&mut bench.upstream).await;
            assert_eq!((first, &payload[..]), (0x88, &close(1001, "")[..]));
        }
        _ => {
            assert_eq!(reached, 1000);
            let frame = server(0x81, &[b'0'; 100]);
            read(&mut bench.client, frame.len()).await;
            let last = server(0x81, format!("{:0100}", 999).as_bytes());
            let mut frames = 1;
            while read(&mut bench.client, frame.len()).await != last {
                frames += 1;
            }
            assert!(frames < 10, "{frames}");
            let counts = &bench.entry.metadata.mail.counts;
            assert!(counts.slow() > 980, "{}", counts.slow());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_publication_counts_as_data_and_no_pong_is_needed_for_it() {
    let mut setup = setup();
    setup.route.timeouts.idle = Some(10 * SECOND);
    setup.route.keepalive.client.interval = None;
    setup.route.keepalive.upstream.interval = None;
    let mut bench = setup.begin();
    for _ in 0..3 {
        advance(9 * SECOND).await;
        publish(&bench, "a");
        expect(&mut bench.client, &server(0x81, b"a")).await;
    }
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "idle timeout")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_a_close_frame() {
    let mut bench = setup().begin();
    let closing = server(0x88, &close(1000, ""));
    bench.upstream.write_all(&closing).await.unwrap();
    expect(&mut bench.client, &closing).await;
    publish(&bench, "late");
    settle().await;
    let answer = masked(0x88, &close(1000, ""));
    bench.client.write_all(&answer).await.unwrap();
    expect(&mut bench.upstream, &answer).await;
    drop(bench.upstream);
    expect_end(&mut bench.client).await;
    let ended = timeout(60 * SECOND, bench.registry.tasks.wait());
    ended.await.unwrap();
    let counts = &bench.entry.metadata.mail.counts;
    assert_eq!((counts.messages(), counts.unsent()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_leaves_its_channels() {
    let bench = setup().begin();
    let channels = Arc::clone(&bench.registry.channels);
    let member: Arc<dyn Subscriber> = Arc::clone(&bench.entry) as _;
    let name = "room.1".parse().unwrap();
    assert_eq!(
        channels.join(&member, bench.entry.membership(), &name, 0),
        Ok(true)
    );
    assert_eq!((channels.count(), channels.members()), (1, 1));
    drop(bench.client);
    drop(bench.upstream);
    timeout(60 * SECOND, bench.registry.tasks.wait())
        .await
        .unwrap();
    assert_eq!((channels.count(), channels.members()), (0, 0));
}
