//! Addresses that come and go at random, against a plain count of what each has done.

use std::collections::HashMap;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

/// One client after the other: time passes, and an address opens a session or ends its oldest.
#[derive(Clone, Copy, Debug)]
struct Event {
    pause: u64,
    address: u32,
    opens: bool,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0u64..400, 0u32..6, any::<bool>(), any::<bool>());
    let event = event.prop_map(|(pause, address, opens, at_once)| Event {
        pause: if at_once { 0 } else { pause },
        address,
        opens,
    });
    prop::collection::vec(event, 1..120)
}

/// What an address has done: its open sessions, and when its handshakes were counted.
#[derive(Default)]
struct Seen {
    open: Vec<Admission>,
    counted: Vec<Instant>,
    /// Tokens in thousandths of a handshake, and when that was so.
    level: Option<(u64, Instant)>,
}

const SESSIONS: u32 = 3;
const BURST: u64 = 4;
const A_SECOND: u64 = 5;

async fn run(events: Vec<Event>, tracked: usize, sweeps: bool) {
    let table = table(tracked);
    let route = route(
        "a",
        PerIp {
            connections: Some(SESSIONS),
            ..handshakes(A_SECOND, BURST)
        },
    );
    let mut seen: HashMap<u32, Seen> = HashMap::new();
    for event in events {
        tokio::time::advance(Duration::from_millis(event.pause)).await;
        if sweeps {
            table.sweep();
        }
        let now = Instant::now();
        let address = seen.entry(event.address).or_default();
        if !event.opens {
            if !address.open.is_empty() {
                drop(address.open.remove(0));
            }
            continue;
        }
        let (level, since) = address.level.unwrap_or((BURST * 1000, now));
        let back = (now - since).as_millis() as u64 * A_SECOND;
        let level = (level + back).min(BURST * 1000);
        let within = level >= 1000;
        address.level = Some((level, now));
        let admitted = table.admit(&route, IpAddr::V4((0x0a00_0000 + event.address).into()));
        let counted = !matches!(admitted, Err(Rejection::HandshakeRate { .. }));
        if counted {
            address.counted.push(now);
            address.level = Some((level.saturating_sub(1000), now));
        }
        // Beside its own entry, an address may have sessions in the one that newcomers to a full
        // table share.
        let entries = if tracked >= 6 { 1 } else { 2 };
        let free = address.open.len() < entries * SESSIONS as usize;
        match admitted {
            Ok(admission) => {
                assert!(free, "a session too many");
                address.open.push(admission);
            }
            // A shared entry is as strict as one of its own, and may be stricter.
            Err(rejection) if tracked >= 6 => match rejection {
                Rejection::TooManySessions => assert!(!free),
                Rejection::HandshakeRate { .. } => assert!(!within, "{level} thousandths left"),
                other => panic!("{other:?}"),
            },
            Err(_) => {}
        }
        assert!(table.len() <= tracked);
        // Leaving the overflow for an entry of its own, an address begins anew.
        if tracked >= 6 {
            check_windows(&address.counted);
        }
    }
    drop(seen);
    tokio::time::advance(SECOND * 10).await;
    table.sweep();
    assert_eq!(table.len(), 0, "somebody was not forgotten");
}

fn check_windows(counted: &[Instant]) {
    for (index, begin) in counted.iter().enumerate() {
        for (behind, end) in counted[index..].iter().enumerate() {
            let time = (*end - *begin).as_millis() as u64;
            assert!((behind as u64 + 1) * 1000 <= BURST * 1000 + time * A_SECOND + 1);
        }
    }
}

proptest! {
    #[test]
    fn an_address_gets_what_it_may_have_and_no_more(
        events in events(),
        tracked in prop_oneof![Just(100), Just(6), Just(2)],
        sweeps: bool,
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run(events, tracked, sweeps));
    }
}
