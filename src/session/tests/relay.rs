//! What passes, and that all of it does.

use std::pin::pin;

use tokio::io::ReadBuf;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_is_idle_from_its_last_data_frame_on() {
    let mut setup = setup();
    setup.route.keepalive.upstream.interval = None;
    let mut bench = setup.begin();
    let idle = |bench: &Bench| bench.entry.idle_at(bench.entry.age()).as_secs();
    advance(7 * SECOND).await;
    assert_eq!(idle(&bench), 7);
    let hello = masked(0x81, b"hello");
    bench.client.write_all(&hello).await.unwrap();
    expect(&mut bench.upstream, &hello).await;
    assert_eq!(idle(&bench), 0);
    advance(5 * SECOND).await;
    assert_eq!(idle(&bench), 5);
    // Control frames are no activity, of whomever.
    let ping = masked(0x89, b"ping");
    bench.client.write_all(&ping).await.unwrap();
    expect(&mut bench.upstream, &ping).await;
    assert_eq!(idle(&bench), 5);
    let news = server(0x82, b"news");
    bench.upstream.write_all(&news).await.unwrap();
    expect(&mut bench.client, &news).await;
    assert_eq!((idle(&bench), bench.entry.age().as_secs()), (0, 12));
}

#[tokio::test(start_paused = true)]
async fn frames_pass_as_they_came_in_both_directions() {
    let mut bench = setup().begin();
    let up = [
        masked(0x01, b"he"),
        masked(0x89, b"?"),
        masked(0x80, b"llo"),
    ]
    .concat();
    bench.client.write_all(&up).await.unwrap();
    expect(&mut bench.upstream, &up).await;
    let down = [server(0x82, &[7; 70_000]), server(0x8A, b"?")].concat();
    bench.upstream.write_all(&down).await.unwrap();
    expect(&mut bench.client, &down).await;
    let traffic = &bench.entry.traffic;
    assert_eq!(traffic.messages_from_client.load(Ordering::Relaxed), 1);
    assert_eq!(
        traffic.bytes_from_client.load(Ordering::Relaxed),
        up.len() as u64
    );
    assert_eq!(traffic.messages_from_upstream.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_session_is_delivered_first_and_once() {
    let mut setup = setup();
    setup.early = (&[0x81, 0x81, 0, 0, 0, 0, b'a', 0x81], &[0x81, 1, b'z']);
    let mut bench = setup.begin();
    expect(&mut bench.client, &server(0x81, b"z")).await;
    bench
        .client
        .write_all(&masked(0x81, b"b")[1..])
        .await
        .unwrap();
    expect(
        &mut bench.upstream,
        &[masked(0x81, b"a"), masked(0x81, b"b")].concat(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn back_pressure_delivers_every_byte_in_order() {
    let mut setup = setup();
    setup.pipes = (64, 64);
    let bench = setup.begin();
    let frames: Vec<u8> = (0..200u8)
        .flat_map(|n| server(0x82, &vec![n; 300]))
        .collect();
    let (mut from, mut to) = (bench.upstream, bench.client);
    let (sent, ()) = tokio::join!(from.write_all(&frames), async {
        expect(&mut to, &frames).await
    });
    sent.unwrap();
}

#[tokio::test]
async fn a_registry_that_is_full_or_stopped_gives_no_place() {
    let metadata = || SessionMetadata::for_tests("r", "u", "s");
    let registry = Arc::new(Registry::for_tests(1, WallClock::default()));
    let permit = registry.acquire().unwrap();
    assert_eq!(registry.acquire().unwrap_err(), PermitError::Full);
    let guard = permit
        .register(metadata(), Expiry::never(), Instant::now())
        .unwrap();
    assert_eq!(registry.acquire().unwrap_err(), PermitError::Full);
    drop(guard);
    let permit = registry.acquire().unwrap();
    registry.stop();
    assert_eq!(
        permit
            .register(metadata(), Expiry::never(), Instant::now())
            .unwrap_err(),
        PermitError::Draining
    );
    assert_eq!(registry.acquire().unwrap_err(), PermitError::Draining);
    assert_eq!(registry.list().len(), 0);
}

/// A peer that always has something to say and takes everything, and a transport that never asks
/// for a pause.
struct Flood {
    reads: usize,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.reads += 1;
        assert!(self.reads < 10_000, "nobody else gets a turn");
        buffer.put_slice(&masked(0x82, b"x"));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_with_endless_work_lets_others_have_their_turn() {
    let (mut upstream, gate_upstream) = duplex(1 << 20);
    let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
    let session = session(&registry, Flood { reads: 0 }, gate_upstream, setup());
    let mut session = pin!(session);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let polled = tokio::task::unconstrained(std::future::poll_fn(|_| {
        Poll::Ready(session.as_mut().poll(&mut Context::from_waker(&waker)))
    }))
    .await;
    assert!(polled.is_pending());
    assert!(!woken.0.load(Ordering::Relaxed), "others are first");
    tokio::task::yield_now().await;
    assert!(woken.0.load(Ordering::Relaxed));
    expect(&mut upstream, &masked(0x82, b"x")).await;
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
