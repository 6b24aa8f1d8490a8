//! A client's frames on their way to the upstream.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use wsgate::microbench::{Policies, Way};

use crate::route;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What one read takes at most.
const READ: usize = 64 * 1024;

/// Longer than any measurement, so that each read is inside it.
const ENDLESS: u64 = 1 << 58;

/// Rates of an address that are never reached, as they are charged.
const LIMITS: &str = r#"
[route.limits.per_ip]
messages = { rate = "10000000/s", burst = 4294967295 }
bytes = { rate = "1024GiB/s", burst = "4096GiB" }
"#;

/// Walks over frames that are passed on as they come.
pub(crate) fn walks(criterion: &mut Criterion) {
    let bare = route("");
    let metered = route(LIMITS);
    for (name, policies) in [("walk", &bare), ("walk, metered", &metered)] {
        let mut group = criterion.benchmark_group(name);
        let one = Frames::of(Data::Binary, &[7; 128], 1);
        measure(&mut group, "one frame of 128 B", policies, one);
        let small = Frames::filling(Data::Binary, &[7; 128]);
        measure(&mut group, "64 KiB of frames of 128 B", policies, small);
        let tiny = Frames::filling(Data::Binary, &[7; 1]);
        measure(&mut group, "64 KiB of frames of 1 B", policies, tiny);
        let big = Frames::of(Data::Binary, &[7; 16 * 1024], 1);
        measure(&mut group, "one frame of 16 KiB", policies, big);
    }
    // A limit asks for the payload of a frame that has begun only where it slows clients down.
    let size = "[route.limits]\nmessage_size = \"1073741824GiB\"\non_exceed = \"delay\"\n";
    let bare = route(size);
    let metered = route(&format!("{size}{LIMITS}"));
    for (name, policies) in [("walk", &bare), ("walk, metered", &metered)] {
        let mut group = criterion.benchmark_group(name);
        inside(&mut group, "64 KiB inside a frame", policies);
    }
}

/// Walks over texts, which are collected, unmasked, validated and passed on when they are whole.
pub(crate) fn texts(criterion: &mut Criterion) {
    let policies = route("compression = \"off\"\nvalidate_utf8 = true\n");
    let mut group = criterion.benchmark_group("validate UTF-8");
    let ascii = |size: usize| "sixteen letters ".repeat(size / 16);
    let mixed = |size: usize| "größer ≠ kleiner".repeat(size / 20);
    for (name, frames) in [
        (
            "one text of 128 B",
            Frames::of(Data::Text, ascii(128).as_bytes(), 1),
        ),
        (
            "64 KiB of texts of 128 B",
            Frames::filling(Data::Text, ascii(128).as_bytes()),
        ),
        (
            "one text of 16 KiB",
            Frames::of(Data::Text, ascii(16 * 1024).as_bytes(), 1),
        ),
        (
            "one text of 16 KiB, not all ASCII",
            Frames::of(Data::Text, mixed(16 * 1024).as_bytes(), 1),
        ),
    ] {
        measure(&mut group, name, &policies, frames);
    }
}

/// Whole frames, and how many.
struct Frames {
    wire: Vec<u8>,
    count: usize,
}

impl Frames {
    fn of(data: Data, payload: &[u8], count: usize) -> Self {
        let mut frame = header(data, payload.len() as u64);
        let masked = payload.iter().zip(MASK.iter().cycle());
        frame.extend(masked.map(|(byte, mask)| byte ^ mask));
        Self {
            wire: frame.repeat(count),
            count,
        }
    }

    /// As many as one read takes.
    fn filling(data: Data, payload: &[u8]) -> Self {
        let one = Self::of(data, payload, 1);
        Self::of(data, payload, READ / one.wire.len())
    }
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn header(data: Data, payload: u64) -> Vec<u8> {
    let header = FrameHeader {
        opcode: OpCode::Data(data),
        mask: Some(MASK),
        ..FrameHeader::default()
    };
    let mut wire = Vec::new();
    header.format(payload, &mut wire).expect("a Vec takes all");
    wire
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    policies: &Policies,
    mut frames: Frames,
) {
    let mut way = open(policies);
    let size = frames.wire.len();
    group.throughput(Throughput::ElementsAndBytes {
        elements: frames.count as u64,
        bytes: size as u64,
    });
    assert_eq!(way.walk(&mut frames.wire), (size, Some(size)));
    group.bench_function(name, |bencher| {
        bencher.iter(|| way.walk(black_box(&mut frames.wire)));
    });
}

fn inside(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, policies: &Policies) {
    let mut way = open(policies);
    way.walk(&mut header(Data::Binary, ENDLESS));
    let mut read = vec![7; READ];
    assert_eq!(way.walk(&mut read), (READ, None));
    group.throughput(Throughput::Bytes(READ as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| way.walk(black_box(&mut read)));
    });
}

fn open(policies: &Policies) -> Way {
    policies.way(CLIENT).expect("nothing is exceeded")
}
