mod full;
mod model;
mod reload;
mod subjects;
mod sweep;

use std::time::Duration;

use rstest::rstest;
use tokio::time::Instant;

use super::*;
use crate::config::{PerIp, Rate};
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

fn table(tracked: usize) -> RateTable {
    RateTable::new(&ClientIp {
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

    assert_eq!(first.messages().unwrap().take(2, Instant::now()), Ok(()));
    assert_eq!(second.messages().unwrap().take(1, Instant::now()), Ok(()));
    let exceeded = second.messages().unwrap().take(1, Instant::now());
    assert_eq!(exceeded, Err(Exceeded::For(SECOND)));
    assert_eq!(other.messages().unwrap().take(3, Instant::now()), Ok(()));

    assert_eq!(first.bytes().unwrap().take(1000, Instant::now()), Ok(()));
    assert!(second.bytes().unwrap().take(1, Instant::now()).is_err());
    assert!(other.bytes().unwrap().take(1, Instant::now()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_route_without_limits_per_address_touches_no_table() {
    let (table, route) = (table(0), route("a", PerIp::default()));
    let admission = table.admit(&route, ip("192.0.2.1")).unwrap();
    assert!(admission.messages().is_none() && admission.bytes().is_none());
    assert_eq!((table.len(), table.take_new_overflows()), (0, 0));
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
    let table = RateTable::new(&ClientIp {
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
