//! The end of a session's right, by a wall clock that is set.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A wall clock that goes with the test's time, until it is set.
#[derive(Clone)]
struct TestClock {
    began: Instant,
    offset: Arc<Mutex<Duration>>,
}

impl TestClock {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            offset: Arc::new(Mutex::new(1_000_000 * SECOND)),
        }
    }

    fn wall(&self) -> WallClock {
        let clock = self.clone();
        WallClock::new(move || clock.now())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + *self.offset.lock().unwrap() + self.began.elapsed()
    }

    fn forward(&self, by: Duration) {
        *self.offset.lock().unwrap() += by;
    }

    fn back(&self, by: Duration) {
        *self.offset.lock().unwrap() -= by;
    }

    fn setup(&self) -> Setup {
        let mut setup = setup();
        setup.clock = self.wall();
        // Nothing else wakes the session.
        let silent = config::Ping {
            interval: None,
            timeout: SECOND,
        };
        setup.route.keepalive = config::Keepalive {
            client: silent,
            upstream: silent,
        };
        setup
    }

    fn expiring_in(&self, left: Duration) -> Setup {
        Setup {
            expiry: Expiry::new(Some(self.now() + left), CloseCode::EXPIRED),
            ..self.setup()
        }
    }
}

/// Waits for the close frame, for years if it takes those.
async fn expect_expired(bench: &mut Bench, code: u16) {
    let closed = server(0x88, &close(code, "login expired"));
    let mut found = vec![0; closed.len()];
    let read = bench.client.read_exact(&mut found);
    timeout(YEARS, read).await.unwrap().unwrap();
    assert_eq!(found, closed);
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_at_its_expiry_with_the_code_of_its_grant() {
    let (clock, start) = (TestClock::new(), Instant::now());
    for (code, seconds) in [(4401, 5), (4000, 10)] {
        let mut setup = clock.expiring_in(5 * SECOND);
        let code = CloseCode::new(code).unwrap();
        setup.expiry = Expiry::new(setup.expiry.moment(), code);
        // The first cause counts.
        setup.route.timeouts.lifetime = Some(7 * SECOND);
        let mut bench = setup.begin();
        expect_expired(&mut bench, code.get()).await;
        assert_eq!(start.elapsed(), seconds * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_far_expiry_is_not_forgotten() {
    let (clock, start) = (TestClock::new(), Instant::now());
    let mut bench = clock.expiring_in(YEARS / 2).begin();
    let endless = clock.expiring_in(Duration::from_secs(1 << 43)).begin();
    expect_expired(&mut bench, 4401).await;
    assert_eq!(start.elapsed(), YEARS / 2);
    assert_eq!(endless.registry.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_back_gives_a_session_the_time_until_its_moment() {
    let (clock, start) = (TestClock::new(), Instant::now());
    let mut bench = clock.expiring_in(60 * SECOND).begin();
    advance(30 * SECOND).await;
    clock.back(3600 * SECOND);
    // Nobody tells the session: it finds out when it would end.
    expect_expired(&mut bench, 4401).await;
    assert_eq!(start.elapsed(), 3660 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_forward_ends_what_has_expired_and_nothing_else() {
    let clock = TestClock::new();
    let registry = Arc::new(Registry::for_tests(0, clock.wall()));
    let mut peers = Vec::new();
    for left in [Some(3600), Some(10_800), None] {
        let (client, gate_client) = duplex(1 << 10);
        let (upstream, gate_upstream) = duplex(1 << 10);
        let mut setup = clock.setup();
        let moment = left.map(|left| clock.now() + left * SECOND);
        setup.expiry = Expiry::new(moment, CloseCode::EXPIRED);
        let session = session(&registry, gate_client, gate_upstream, setup);
        registry.tasks.spawn(session);
        peers.push((client, upstream));
    }
    advance(10 * SECOND).await;
    registry.follow_wall_clock();
    clock.forward(7200 * SECOND);
    registry.follow_wall_clock();
    let closed = server(0x88, &close(4401, "login expired"));
    expect(&mut peers[0].0, &closed).await;
    drop(peers.remove(0));
    advance(SECOND).await;
    registry.follow_wall_clock();
    for (client, upstream) in &mut peers {
        client.write_all(&masked(0x81, b"x")).await.unwrap();
        expect(upstream, &masked(0x81, b"x")).await;
    }
    assert_eq!(registry.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_changed_in_either_direction_and_taken_away() {
    let (clock, start) = (TestClock::new(), Instant::now());
    let mut bench = clock.expiring_in(60 * SECOND).begin();
    let (registry, id) = (Arc::clone(&bench.registry), bench.entry.id);
    let set = |left: Option<u32>| {
        let moment = left.map(|left| clock.now() + left * SECOND);
        assert!(registry.set_expiry(id, moment));
        assert_eq!(registry.find(id).unwrap().info().expires, moment);
    };
    set(Some(600));
    advance(500 * SECOND).await;
    set(None);
    advance(500 * SECOND).await;
    bench.client.write_all(&masked(0x81, b"x")).await.unwrap();
    expect(&mut bench.upstream, &masked(0x81, b"x")).await;
    set(Some(90));
    tokio::task::yield_now().await;
    set(Some(20));
    expect_expired(&mut bench, 4401).await;
    assert_eq!(start.elapsed(), 1020 * SECOND);
    drop((bench.client, bench.upstream));
    registry.tasks.wait().await;
    assert!(!registry.set_expiry(id, None));
}

#[tokio::test(start_paused = true)]
async fn a_passed_moment_ends_a_session_that_had_no_expiry_at_once() {
    let (clock, start) = (TestClock::new(), Instant::now());
    let mut bench = clock.setup().begin();
    advance(SECOND).await;
    let id = bench.entry.id;
    assert!(bench.registry.set_expiry(id, Some(clock.now() - SECOND)));
    expect_expired(&mut bench, 4401).await;
    assert_eq!(start.elapsed(), SECOND);
}
