mod model;

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::config::Rate;
use crate::limit::Exceeded;

const SECOND: Duration = Duration::from_secs(1);

fn rate(count: u64, burst: u64) -> Option<Rate> {
    let per = SECOND;
    Some(Rate { count, per, burst })
}

fn route(name: &str, per_ip: PerIp) -> Route {
    let mut route = Route::for_tests(name, "/*");
    route.limits.per_ip = per_ip;
    route
}

fn sessions(connections: u32) -> PerIp {
    PerIp {
        connections: Some(connections),
        ..PerIp::default()
    }
}

fn handshakes(count: u64, burst: u64) -> PerIp {
    PerIp {
        handshakes: rate(count, burst),
        ..PerIp::default()
    }
}

fn table(tracked: usize) -> Table {
    Table::new(&ClientIp {
        tracked,
        ..ClientIp::default()
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// So many addresses, none of which shares a key with another or with those written out in tests.
fn strangers(count: u32) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|n| IpAddr::V4((0x0a00_0000 + n).into()))
}

fn wait(admitted: Result<Admission, Rejection>) -> Duration {
    match admitted {
        Err(Rejection::HandshakeRate { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn handshakes_come_in_a_burst_and_then_at_their_rate() {
    let (table, route) = (table(10), route("a", handshakes(2, 3)));
    for _ in 0..3 {
        assert!(table.admit(&route, ip("192.0.2.1")).is_ok());
    }
    assert_eq!(wait(table.admit(&route, ip("192.0.2.1"))), SECOND / 2);
    assert!(table.admit(&route, ip("192.0.2.2")).is_ok());
    tokio::time::advance(SECOND / 2).await;
    assert!(table.admit(&route, ip("192.0.2.1")).is_ok());
    assert!(table.admit(&route, ip("192.0.2.1")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_place_is_given_back_when_its_admission_is_dropped() {
    let (table, route) = (table(10), route("a", sessions(2)));
    let first = table.admit(&route, ip("192.0.2.1")).unwrap();
    let _second = table.admit(&route, ip("192.0.2.1")).unwrap();
    let refused = table.admit(&route, ip("192.0.2.1")).unwrap_err();
    assert_eq!(refused, Rejection::TooManySessions);
    let _other = table.admit(&route, ip("192.0.2.2")).unwrap();
    drop(first);
    let _third = table.admit(&route, ip("192.0.2.1")).unwrap();
    assert!(table.admit(&route, ip("192.0.2.1")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_refused_session_counts_as_a_handshake() {
    let per_ip = PerIp {
        connections: Some(1),
        ..handshakes(1, 2)
    };
    let (table, route) = (table(10), route("a", per_ip));
    let _place = table.admit(&route, ip("192.0.2.1")).unwrap();
    let refused = table.admit(&route, ip("192.0.2.1")).unwrap_err();
    assert_eq!(refused, Rejection::TooManySessions);
    assert_eq!(wait(table.admit(&route, ip("192.0.2.1"))), SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_sessions_of_an_address_share_its_message_and_byte_rates() {
    let per_ip = PerIp {
        messages: rate(1, 3),
        bytes: rate(100, 1000),
        ..PerIp::default()
    };
    let (table, route) = (table(10), route("a", per_ip));
    let first = table.admit(&route, ip("192.0.2.1")).unwrap();
    let second = table.admit(&route, ip("192.0.2.1")).unwrap();
    let other = table.admit(&route, ip("192.0.2.2")).unwrap();

    assert_eq!(first.messages().unwrap().take(2), Ok(()));
    assert_eq!(second.messages().unwrap().take(1), Ok(()));
    let exceeded = second.messages().unwrap().take(1);
    assert_eq!(exceeded, Err(Exceeded::For(SECOND)));
    assert_eq!(other.messages().unwrap().take(3), Ok(()));

    assert_eq!(first.bytes().unwrap().take(1000), Ok(()));
    assert!(second.bytes().unwrap().take(1).is_err());
    assert!(other.bytes().unwrap().take(1).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_route_without_limits_per_address_touches_no_table() {
    let (table, route) = (table(0), route("a", PerIp::default()));
    let admission = table.admit(&route, ip("192.0.2.1")).unwrap();
    assert!(admission.messages().is_none() && admission.bytes().is_none());
    assert_eq!((table.len(), table.take_overflowed()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_route_counts_for_itself() {
    let table = table(10);
    let (a, b) = (route("a", sessions(1)), route("b", sessions(1)));
    let _a = table.admit(&a, ip("192.0.2.1")).unwrap();
    let _b = table.admit(&b, ip("192.0.2.1")).unwrap();
    assert!(table.admit(&a, ip("192.0.2.1")).is_err());
    assert_eq!(table.len(), 2);
}

#[rstest]
#[case::in_a_64(64, "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true)]
#[case::across_64s(64, "2001:db8::1", "2001:db8:0:1::1", false)]
#[case::in_a_48(48, "2001:db8::1", "2001:db8:0:1::1", true)]
#[case::single_addresses(128, "2001:db8::1", "2001:db8::2", false)]
#[case::half_a_group(57, "2001:db8:0:7f::", "2001:db8:0:80::", false)]
#[case::ipv4_is_whole(64, "192.0.2.1", "192.0.2.2", false)]
#[case::mapped(64, "192.0.2.1", "::ffff:192.0.2.1", true)]
#[case::mapped_is_whole(64, "::ffff:192.0.2.1", "::ffff:192.0.2.2", false)]
#[tokio::test(start_paused = true)]
async fn an_ipv6_address_is_its_prefix(
    #[case] ipv6_prefix: u8,
    #[case] first: &str,
    #[case] second: &str,
    #[case] shared: bool,
) {
    let table = Table::new(&ClientIp {
        ipv6_prefix,
        ..ClientIp::default()
    });
    let route = route("a", sessions(1));
    let _place = table.admit(&route, ip(first)).unwrap();
    assert_eq!(table.admit(&route, ip(second)).is_err(), shared);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_rotates_inside_its_64_has_one_bucket_and_one_entry() {
    let (table, route) = (table(1000), route("a", handshakes(1, 5)));
    let network = ip("2001:db8::");
    let IpAddr::V6(network) = network else {
        panic!()
    };
    let rotated = |n: u128| IpAddr::V6((network.to_bits() + n * 0x1_0000_0001).into());
    let admitted = (0..500).filter(|&n| table.admit(&route, rotated(n)).is_ok());
    assert_eq!(admitted.count(), 5);
    assert_eq!(table.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_cap_all_newcomers_share_one_entry_and_the_others_keep_theirs() {
    let (table, route) = (table(100), route("a", sessions(2)));
    let known: Vec<_> = strangers(100)
        .map(|ip| table.admit(&route, ip).unwrap())
        .collect();
    assert_eq!((table.len(), table.take_overflowed()), (100, 0));

    let first = table.admit(&route, ip("192.0.2.1")).unwrap();
    let _second = table.admit(&route, ip("192.0.2.2")).unwrap();
    let refused = table.admit(&route, ip("192.0.2.3")).unwrap_err();
    assert_eq!(refused, Rejection::TooManySessions);
    assert_eq!((table.len(), table.take_overflowed()), (100, 3));
    drop(first);
    let shared = table.admit(&route, ip("192.0.2.3")).unwrap();

    let again: Vec<_> = strangers(100)
        .map(|ip| table.admit(&route, ip).unwrap())
        .collect();
    assert!(strangers(100).all(|ip| table.admit(&route, ip).is_err()));

    drop((known, again));
    let own = table.admit(&route, ip("192.0.2.4")).unwrap();
    assert_eq!(table.take_overflowed(), 1, "the one before, and not this");
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
    assert_eq!(admissions[0].messages().unwrap().take(1), Ok(()));
    assert!(admissions[1].messages().unwrap().take(1).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_to_a_full_table_takes_the_place_of_an_idle_address() {
    let (table, route) = (table(3), route("a", handshakes(1, 1)));
    for ip in strangers(3) {
        assert!(table.admit(&route, ip).is_ok());
    }
    assert!(table.admit(&route, ip("192.0.2.1")).is_ok());
    assert_eq!(table.take_overflowed(), 1);
    tokio::time::advance(SECOND).await;
    assert!(table.admit(&route, ip("192.0.2.2")).is_ok());
    assert_eq!((table.take_overflowed(), table.overflowed()), (0, 1));
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

#[tokio::test(start_paused = true)]
async fn a_sweep_forgets_an_address_when_its_session_is_gone_and_its_buckets_are_full() {
    let per_ip = PerIp {
        messages: rate(1, 10),
        ..handshakes(1, 2)
    };
    let (table, route) = (table(10), route("a", per_ip));
    let admission = table.admit(&route, ip("192.0.2.1")).unwrap();
    let messages = admission.messages().unwrap();
    messages.take(10).unwrap();
    let sweep = async |seconds| {
        tokio::time::advance(SECOND * seconds).await;
        table.sweep();
        table.len()
    };
    assert_eq!(sweep(100).await, 1, "it has a session");
    messages.take(10).unwrap();
    drop(admission);
    assert_eq!(sweep(100).await, 1, "its bucket is held");
    messages.take(10).unwrap();
    drop(messages);
    assert_eq!(sweep(9).await, 1, "its bucket is not full");
    assert_eq!(sweep(1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_takes_nothing_from_those_that_stay() {
    let (table, route) = (table(10), route("a", handshakes(1, 2)));
    let place = table.admit(&route, ip("192.0.2.1")).unwrap();
    tokio::time::advance(SECOND * 10).await;
    table.sweep();
    assert_eq!(table.len(), 1);
    drop(place);
    assert!(table.admit(&route, ip("192.0.2.1")).is_ok());
    assert!(table.admit(&route, ip("192.0.2.1")).is_ok());
    assert!(table.admit(&route, ip("192.0.2.1")).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_moves_entries_loses_none() {
    let (table, route) = (table(10_000), route("a", sessions(1)));
    let places = strangers(10_000).map(|ip| table.admit(&route, ip).unwrap());
    let kept: Vec<_> = places.enumerate().filter(|(n, _)| n % 3 == 0).collect();
    table.sweep();
    assert_eq!(table.len(), kept.len());
    for (n, ip) in strangers(10_000).enumerate() {
        assert_eq!(table.admit(&route, ip).is_err(), n % 3 == 0, "{ip}");
    }
    drop(kept);
    table.sweep();
    assert_eq!(table.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_gives_memory_back() {
    let (table, route) = (table(10_000), route("a", sessions(1)));
    let places: Vec<_> = strangers(10_000)
        .map(|ip| table.admit(&route, ip))
        .collect();
    drop(places);
    table.sweep();
    assert_eq!(table.len(), 0);
    let kept = table
        .inner
        .shards
        .iter()
        .map(|shard| lock(shard).capacity());
    assert_eq!(kept.sum::<usize>(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_with_the_same_rates_goes_on_and_one_with_others_begins_anew() {
    let table = table(10);
    let address = ip("192.0.2.1");
    let old = route("a", handshakes(1, 1));
    let _place = table.admit(&old, address).unwrap();

    let same_rates = PerIp {
        connections: Some(1),
        ..handshakes(1, 1)
    };
    let same = route("a", same_rates);
    assert_eq!(wait(table.admit(&same, address)), SECOND);

    let changed_rates = PerIp {
        connections: Some(2),
        ..handshakes(1, 5)
    };
    let changed = route("a", changed_rates);
    let _second = table.admit(&changed, address).unwrap();
    let refused = table.admit(&changed, address).unwrap_err();
    assert_eq!(
        refused,
        Rejection::TooManySessions,
        "the first session still counts"
    );
    assert_eq!(table.len(), 1);
}

#[test]
fn threads_leave_no_session_and_no_entry_behind() {
    let (table, route) = (table(50), route("a", sessions(3)));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (table, route) = (table.clone(), &route);
            scope.spawn(move || {
                for round in 0..2_000 {
                    let ip = strangers(200).nth((round * 7 + thread * 50) % 200).unwrap();
                    let _place = table.admit(route, ip);
                    assert!(table.len() <= 50);
                    if round % 100 == 0 {
                        table.sweep();
                    }
                }
            });
        }
    });
    table.sweep();
    assert_eq!(table.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_gone_is_forgotten_and_those_that_stay_are_not() {
    let table = table(100);
    let (stays, leaves) = (
        Arc::new(route("stays", handshakes(1, 1))),
        Arc::new(route("leaves", handshakes(1, 1))),
    );
    let client = ip("192.0.2.1");
    let early = table.admit(&leaves, client).unwrap();
    table.admit(&stays, client).unwrap();
    table.keep_routes(&[Arc::clone(&stays)]);
    assert_eq!(table.inner.rules.read().unwrap().len(), 1);
    assert!(table.admit(&stays, client).is_err());
    // It comes back, and is another; what the old one still counts comes to no harm.
    let late = table.admit(&leaves, client).unwrap();
    drop(early);
    assert!(table.admit(&leaves, client).is_err());
    drop(late);
    tokio::time::advance(SECOND * 2).await;
    table.sweep();
    assert_eq!(table.len(), 0);
}

#[test]
fn a_table_is_for_the_settings_that_count_as_it_does() {
    let settings = ClientIp::default();
    let table = Table::new(&settings);
    assert!(table.is_for(&ClientIp {
        header: crate::config::ForwardingHeader::Forwarded,
        ..settings.clone()
    }));
    for other in [
        ClientIp {
            tracked: 7,
            ..settings.clone()
        },
        ClientIp {
            ipv6_prefix: 48,
            ..settings.clone()
        },
    ] {
        assert!(!table.is_for(&other));
    }
}

/// So many IPv6 clients, each in a /64 of its own.
fn networks(count: u64) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|n| IpAddr::V6((u128::from(n | 0x2001 << 48) << 64).into()))
}

/// A client that rotates through networks fills the table and no more: those who have an entry keep
/// it, and the rotating one shares a single bucket from then on.
async fn rotate(tracked: usize, through: u64) -> Table {
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
    assert_eq!(table.take_overflowed(), shared);
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
