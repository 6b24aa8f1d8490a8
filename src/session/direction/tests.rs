use super::super::filter::{Message, Verdict};
use super::*;
use crate::config::Ping;

const MIB: u64 = 1 << 20;

fn direction(message_size: u64, assembly: Option<Assembly>) -> Direction {
    let rules = FrameRules {
        from: Side::Client,
        deflate: false,
        message_size,
    };
    Direction::new(rules, b"", None, assembly)
}

fn walk(direction: &mut Direction, bytes: &[u8]) -> Walked {
    let ping = Ping {
        interval: None,
        timeout: std::time::Duration::from_secs(1),
    };
    let mut pinger = Pinger::new(ping, Instant::now());
    let mut filter: Box<dyn MessageFilter> = Box::new(|message: Message| Verdict::Forward(message));
    direction.walk(
        &mut bytes.to_vec(),
        &mut pinger,
        Some(&mut filter),
        Instant::now(),
    )
}

/// A text frame that announces this much and has nothing of it.
fn announced(length: u64) -> Vec<u8> {
    [&[0x81, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat()
}

#[test]
fn a_length_that_is_only_announced_costs_no_memory() {
    for filtered in [None, Some(false), Some(true)] {
        let assembly = filtered.map(|filtered| Assembly::new(Side::Client, filtered));
        let mut direction = direction(16 * MIB, assembly);
        let walked = walk(&mut direction, &[&announced(16 * MIB)[..], b"x"].concat());
        assert_eq!(walked.stop, None);
        assert!(direction.source_in_frame());
        assert_eq!(direction.held.capacity(), 0);
        let assembled = direction.assembly.map_or(0, |a| a.capacity());
        assert!(assembled <= 64, "{assembled}, {filtered:?}");
    }
    // The largest length of all is known for too much by its header.
    let mut direction = direction(16 * MIB, None);
    let walked = walk(&mut direction, &announced(u64::MAX >> 1));
    assert_eq!(
        walked.stop,
        Some(Stop::Violation(CloseReason::ClientMessageTooBig))
    );
}

#[test]
fn payload_is_progress_by_the_kibibyte_and_at_its_end() {
    let mut direction = direction(16 * MIB, None);
    let data = |direction: &mut Direction, bytes: &[u8]| walk(direction, bytes).data;
    let header = announced(70_000);
    let (begun, rest) = header.split_at(5);
    assert!(!data(&mut direction, begun));
    assert!(direction.source_in_frame());
    let behind = [begun, rest].concat();
    direction.held.clear();
    assert!(data(&mut direction, &behind));
    for _ in 0..1023 {
        assert!(!data(&mut direction, b"x"));
    }
    assert!(data(&mut direction, b"x"));
    assert!(!data(&mut direction, &[0; 1023]));
    assert!(data(&mut direction, &[0; 1023]));
    assert!(data(&mut direction, &vec![0; 70_000 - 1024 - 2046 - 1]));
    assert!(data(&mut direction, b"x"), "the end");
    assert!(!direction.source_in_frame());
}
