//! Addresses that are forgotten, and memory that is given back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_sweep_forgets_an_address_when_its_session_is_gone_and_its_buckets_are_full() {
    let per_ip = PerIp {
        messages: rate(1, 10),
        ..handshakes(1, 2)
    };
    let (table, route) = (table(10), route("a", per_ip));
    let admission = table.admit(&route, ip("192.0.2.1")).unwrap();
    let messages = admission.messages().unwrap();
    messages.take(10, Instant::now()).unwrap();
    let sweep = async |seconds| {
        tokio::time::advance(SECOND * seconds).await;
        table.sweep();
        table.len()
    };
    assert_eq!(sweep(100).await, 1, "it has a session");
    messages.take(10, Instant::now()).unwrap();
    drop(admission);
    assert_eq!(sweep(100).await, 1, "its bucket is held");
    messages.take(10, Instant::now()).unwrap();
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
    let index = strangers(10_000).map(|ip| table.admit(&route, ip).unwrap());
    let kept: Vec<_> = index.enumerate().filter(|(n, _)| n % 3 == 0).collect();
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
    let index: Vec<_> = strangers(10_000)
        .map(|ip| table.admit(&route, ip))
        .collect();
    drop(index);
    table.sweep();
    assert_eq!(table.len(), 0);
    let kept = table
        .inner
        .shards
        .iter()
        .map(|shard| lock(shard).capacity());
    assert_eq!(kept.sum::<usize>(), 0);
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
