//! What a handshake is asked.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::Criterion;
use http::{HeaderMap, HeaderValue, header};

use crate::{policies, route};

/// Origin and address.
pub(crate) fn checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("origin");
    for (name, allowed, origin) in [
        ("exact", "https://example.com", "https://example.com"),
        (
            "wildcard",
            "https://*.example.com",
            "https://chat.example.com",
        ),
        ("same-origin", "same-origin", "https://example.com"),
    ] {
        let policies = route(&format!("[route.origin]\nallow = [\"{allowed}\"]\n"));
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        let check = || policies.check_origin(black_box(&headers), black_box("example.com"));
        assert_eq!(check(), Ok(()));
        group.bench_function(name, |bencher| bencher.iter(check));
    }
    drop(group);

    let networks: Vec<_> = (0..100).map(|third| format!("10.0.{third}.0/24")).collect();
    let policies = route(&format!("[route.address]\nallow = {networks:?}\n"));
    let last = IpAddr::V4(Ipv4Addr::new(10, 0, 99, 1));
    let check = || policies.check_address(black_box(last));
    assert_eq!(check(), Ok(()));
    criterion.bench_function("address/the last of 100 networks", |bencher| {
        bencher.iter(check);
    });
}

/// How many addresses have a session.
const KNOWN: u32 = 100_000;

/// From one address to the next, so that they come in no order that a cache could guess.
const STRIDE: u32 = 7919;

/// The rate of an address, and its place.
pub(crate) fn rates(criterion: &mut Criterion) {
    let policies = route(
        "[route.limits.per_ip]\nconnections = 10\n\
         handshakes = { rate = \"1000000/s\", burst = 1000000 }\n\
         messages = \"100/s\"\nbytes = \"1MiB/s\"\n",
    );
    let address = |index: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + index));
    // An address with a session is not forgotten.
    let sessions: Vec<_> = (0..KNOWN)
        .map(|index| policies.admit(address(index)).expect("it is the first"))
        .collect();
    let mut index = 0;
    criterion.bench_function("rate/a handshake of one of 100,000 addresses", |bencher| {
        bencher.iter(|| {
            index = (index + STRIDE) % KNOWN;
            policies.admit(address(index)).expect("it may have ten")
        });
    });
    drop(sessions);
}

/// Host and path to route.
pub(crate) fn routes(criterion: &mut Criterion) {
    let mut text = String::new();
    for index in 0..100 {
        let _ = write!(
            text,
            "[[route]]\nname = \"{index}\"\nhost = \"example.com\"\npath = \"/room{index}/*\"\n\
             upstream = \"echo\"\n"
        );
    }
    let policies = policies(&text);
    let mut group = criterion.benchmark_group("route");
    for (name, path) in [
        ("the first of 100", "/room0/a/b"),
        ("the last of 100", "/room99/a/b"),
    ] {
        let find = || policies.find(black_box("example.com"), black_box(path));
        assert!(find().is_ok());
        group.bench_function(name, |bencher| bencher.iter(|| find().is_ok()));
    }
    // One that no route has.
    group.bench_function("none of 100", |bencher| {
        bencher.iter(|| {
            policies
                .find(black_box("example.com"), black_box("/lobby"))
                .is_ok()
        });
    });
}
