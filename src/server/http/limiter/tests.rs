use std::pin::pin;

use futures_util::FutureExt;

use super::*;
use crate::config::Config;

/// A limiter for about so many connections.
fn limiter(descriptors: u64) -> Arc<ConnectionLimiter> {
    let text = "[[listen]]\naddress = \"127.0.0.1:0\"\n\
                [upstream.a]\nservers = [\"ws://127.0.0.1:9\"]\n\
                [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n";
    let config = Config::from_toml("test.toml", text).unwrap();
    let gate = Gate::builder(config).build().unwrap();
    ConnectionLimiter::new(gate, Budget::new(Some(descriptors), 0, 1, false))
}

fn is_evicted(permit: &ConnectionPermit) -> bool {
    permit.state().evicted().now_or_never().is_some()
}

/// Admits connections until the next one needs an eviction.
fn fill(limiter: &Arc<ConnectionLimiter>) -> Vec<ConnectionPermit> {
    (0..limiter.budget().mark())
        .map(|_| limiter.admit().unwrap())
        .collect()
}

#[tokio::test]
async fn the_longest_wait_ends_first_and_a_request_ends_a_wait() {
    let limiter = limiter(128);
    let mut permits = fill(&limiter);
    assert!(!permits.iter().any(is_evicted));
    // The first is being answered, the second waits anew.
    let request = limiter.begin_request(permits[0].state()).unwrap();
    let answered = limiter.begin_request(permits[1].state()).unwrap();
    drop(answered);
    permits[1].state().response_written();
    permits[1].state().response_flushed();
    let gone: Vec<_> = (0..permits.len())
        .filter(|&n| is_evicted(&permits[n]))
        .collect();
    assert!(!gone.is_empty());
    assert_eq!(gone, (2..2 + gone.len()).collect::<Vec<_>>());
    drop(request);
    for number in gone.into_iter().rev() {
        permits.remove(number);
    }
    assert_eq!(limiter.evictions.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_lingering_connection_is_evicted_before_an_idle_one() {
    let limiter = limiter(128);
    let permits = fill(&limiter);
    let last = permits.last().unwrap();
    last.state().begin_lingering();
    let _one_more = limiter.admit().unwrap();
    assert!(is_evicted(last));
    // It stays evicted, whatever it does now.
    last.state().begin_lingering();
    assert!(is_evicted(last));
    assert!(!is_evicted(&permits[0]));
    drop(permits);
    assert_eq!(limiter.evictions.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn only_so_many_are_refused_at_once_and_the_next_one_waits_for_a_slot() {
    let limiter = limiter(128);
    let mut slots: Vec<_> = (0..REFUSALS).map(|_| limiter.refuse().unwrap()).collect();
    assert!(limiter.refuse().is_none());
    // While a connection can be admitted, no slot is needed.
    assert!(limiter.ready_to_accept().now_or_never().is_some());
    let permits: Vec<_> = std::iter::from_fn(|| limiter.admit()).collect();
    for permit in &permits {
        permit.state().stop_idling();
    }
    limiter.evictions.store(0, Ordering::Relaxed);
    let last = slots.pop().unwrap();
    let mut needed = pin!(slots[0].needed());
    assert!(needed.as_mut().now_or_never().is_none());
    let mut may_accept = pin!(limiter.ready_to_accept());
    assert!(may_accept.as_mut().now_or_never().is_none());
    assert!(
        needed.now_or_never().is_some(),
        "the one that has its answer is closed"
    );
    drop(last);
    may_accept.await;
    assert!(limiter.refuse().is_some());
}

#[tokio::test]
async fn a_request_that_comes_after_the_eviction_is_answered() {
    let limiter = limiter(128);
    let permits = fill(&limiter);
    let _one_more = limiter.admit().unwrap();
    assert!(is_evicted(&permits[0]));
    let request = limiter.begin_request(permits[0].state()).unwrap();
    assert!(!is_evicted(&permits[0]));
    drop(request);
}

#[tokio::test]
async fn no_connection_is_admitted_where_none_can_be_evicted() {
    let limiter = limiter(128);
    let permits = fill(&limiter);
    let requests: Vec<_> = permits
        .iter()
        .map_while(|permit| limiter.begin_request(permit.state()))
        .collect();
    let used = limiter.used();
    assert!(used <= limiter.budget().most() + OVERLAP, "{used}");
    for permit in &permits[requests.len()..] {
        permit.state().stop_idling();
    }
    limiter.evictions.store(0, Ordering::Relaxed);
    assert!(limiter.admit().is_none());
    assert_eq!(limiter.counts().turned_away.load(Ordering::Relaxed), 1);
    drop(requests);
    drop(permits);
    assert_eq!(limiter.used(), 0);
    assert!(limiter.admit().is_some());
}

#[tokio::test]
async fn waits_that_ended_do_not_pile_up() {
    let limiter = limiter(1024);
    let permit = limiter.admit().unwrap();
    for _ in 0..10_000 {
        permit.state().response_written();
        permit.state().response_flushed();
    }
    assert!(limiter.queue.len() < 100);
}

#[tokio::test]
async fn another_budget_holds_for_open_connections_too() {
    let limiter = limiter(128);
    let permits = fill(&limiter);
    let large = Budget::new(Some(256), 0, 1, false);
    limiter.set_budget(large);
    let more: Vec<_> = (permits.len()..large.mark())
        .map(|_| limiter.admit().unwrap())
        .collect();
    assert!(!permits.iter().chain(&more).any(is_evicted));
    limiter.set_budget(Budget::new(Some(128), 0, 1, false));
    // Each that comes sends some away, and none is let in beyond them.
    while limiter.admit().is_some() {}
    assert!(is_evicted(&permits[0]));
    assert!(!more.last().is_some_and(is_evicted));
    drop((permits, more));
    assert_eq!(limiter.used(), 0);
    assert!(limiter.admit().is_some());
}
