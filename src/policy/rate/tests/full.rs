//! More addresses than are tracked.

use super::*;

#[tokio::test(start_paused = true)]
async fn beyond_the_cap_all_newcomers_share_one_entry_and_the_others_keep_theirs() {
    let (table, route) = (table(100), route("a", sessions(2)));
    let known: Vec<_> = strangers(100)
        .map(|ip| table.admit(&route, ip).unwrap())
        .collect();
    assert_eq!((table.len(), table.take_new_overflows()), (100, 0));

    let first = table.admit(&route, ip("192.0.2.1")).unwrap();
    let _second = table.admit(&route, ip("192.0.2.2")).unwrap();
    let refused = table.admit(&route, ip("192.0.2.3")).unwrap_err();
    assert_eq!(refused, Rejection::TooManySessions);
    assert_eq!((table.len(), table.take_new_overflows()), (100, 3));
    drop(first);
    let shared = table.admit(&route, ip("192.0.2.3")).unwrap();

    let again: Vec<_> = strangers(100)
        .map(|ip| table.admit(&route, ip).unwrap())
        .collect();
    assert!(strangers(100).all(|ip| table.admit(&route, ip).is_err()));

    drop((known, again));
    let own = table.admit(&route, ip("192.0.2.4")).unwrap();
    assert_eq!(
        table.take_new_overflows(),
        1,
        "the one before, and not this"
    );
    assert!(table.len() <= 100);
    drop((own, shared));
}

#[tokio::test(start_paused = true)]
async fn rates_are_shared_beyond_the_cap_too() {
    let per_ip = PerIp {
        messages: rate(1, 1),
        ..handshakes(1, 3)
    };
    let (table, route) = (table(0), route("a", per_ip));
    let admissions: Vec<_> = strangers(3)
        .map(|ip| table.admit(&route, ip).unwrap())
        .collect();
    assert_eq!(wait(table.admit(&route, ip("192.0.2.1"))), SECOND);
    assert_eq!(
        admissions[0].messages().unwrap().take(1, Instant::now()),
        Ok(())
    );
    assert!(
        admissions[1]
            .messages()
            .unwrap()
            .take(1, Instant::now())
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_to_a_full_table_takes_the_place_of_an_idle_address() {
    let (table, route) = (table(3), route("a", handshakes(1, 1)));
    for ip in strangers(3) {
        assert!(table.admit(&route, ip).is_ok());
    }
    assert!(table.admit(&route, ip("192.0.2.1")).is_ok());
    assert_eq!(table.take_new_overflows(), 1);
    tokio::time::advance(SECOND).await;
    assert!(table.admit(&route, ip("192.0.2.2")).is_ok());
    assert_eq!((table.take_new_overflows(), table.overflowed()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_to_a_table_that_has_a_successor_is_counted_there_too() {
    let (before, route) = (table(0), route("a", handshakes(100, 100)));
    assert!(before.admit(&route, ip("192.0.2.1")).is_ok());
    let table = before.rebuilt(&ClientIp::default());
    // A handshake that began before the reload.
    assert!(before.admit(&route, ip("192.0.2.1")).is_ok());
    assert_eq!((before.overflowed(), table.overflowed()), (2, 2));
    assert_eq!(
        (before.take_new_overflows(), table.take_new_overflows()),
        (2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_that_nobody_sweeps_holds_little_more_than_what_is_in_use() {
    let (table, route) = (table(1_000_000), route("a", handshakes(100, 1)));
    let mut most = 0;
    for ip in strangers(50_000) {
        assert!(table.admit(&route, ip).is_ok());
        most = most.max(table.len());
        tokio::time::advance(Duration::from_micros(100)).await;
    }
    // A hundred of them are not idle yet at any time.
    assert!(most < 1000, "{most}");
}

/// So many IPv6 clients, each in a /64 of its own.
fn networks(count: u64) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|n| IpAddr::V6((u128::from(n | 0x2001 << 48) << 64).into()))
}

/// A client that rotates through networks fills the table and no more: those who have an entry keep
/// it, and the rotating one shares a single bucket from then on.
async fn rotate(tracked: usize, through: u64) -> RateTable {
    let per_ip = PerIp {
        connections: Some(5),
        messages: rate(10, 10),
        bytes: rate(1000, 1000),
        ..handshakes(1, 3)
    };
    let (table, route) = (table(tracked), route("a", per_ip));
    let known = ip("192.0.2.1");
    assert!(table.admit(&route, known).is_ok());
    let admitted = networks(through).filter(|ip| table.admit(&route, *ip).is_ok());
    // All that got an entry of their own, and one burst of the shared bucket.
    assert_eq!(admitted.count(), tracked - 1 + 3);
    assert_eq!(table.len(), tracked);
    let shared = through - (tracked as u64 - 1);
    assert_eq!(table.take_new_overflows(), shared);
    // The one that was there before is neither locked out nor let off its limit.
    assert!(table.admit(&route, known).is_ok());
    assert!(table.admit(&route, known).is_ok());
    assert_eq!(wait(table.admit(&route, known)), SECOND);
    table
}

#[tokio::test(start_paused = true)]
async fn a_rotation_through_networks_harms_only_newcomers() {
    rotate(1000, 20_000).await;
}

/// The figure that docs/security.md gives: `cargo test --release --lib -- --ignored --nocapture full_table`.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
#[ignore = "takes minutes, and wants the process for itself"]
async fn the_memory_of_a_full_table_is_what_the_docs_say() {
    const TRACKED: usize = 1_000_000;
    const DOCUMENTED: usize = 450;
    let resident = || -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages = statm.split_whitespace().nth(1).unwrap();
        pages.parse::<usize>().unwrap() * 4096
    };
    let before = resident();
    let table = rotate(TRACKED, 10_000_000).await;
    let each = (resident() - before) / TRACKED;
    println!("{each} bytes an entry");
    assert!(each <= DOCUMENTED, "{each}");
    drop(table);
}
