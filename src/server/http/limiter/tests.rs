use std::pin::pin;

use futures_util::FutureExt;

use super::*;
use crate::config::Config;

/// A room for about so many connections.
fn room(descriptors: u64) -> Arc<Room> {
    let text = "[[listen]]\naddress = \"127.0.0.1:0\"\n\
                [upstream.a]\nservers = [\"ws://127.0.0.1:9\"]\n\
                [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n";
    let config = Config::from_toml("test.toml", text).unwrap();
    let gate = Gate::builder(config).build().unwrap();
    Room::new(gate, Budget::new(Some(descriptors), 0, 1))
}

fn told(place: &Place) -> bool {
    place.watch().told_to_go().now_or_never().is_some()
}

/// Lets connections in until there is no room without somebody going.
fn fill(room: &Arc<Room>) -> Vec<Place> {
    (0..room.budget().mark())
        .map(|_| room.enter().unwrap())
        .collect()
}

#[tokio::test]
async fn the_longest_wait_ends_first_and_a_request_ends_a_wait() {
    let room = room(128);
    let mut places = fill(&room);
    assert!(!places.iter().any(told));
    // The first is being answered, the second waits anew.
    let request = room.begin_request(places[0].watch()).unwrap();
    let answered = room.begin_request(places[1].watch()).unwrap();
    drop(answered);
    places[1].watch().answered();
    places[1].watch().flushed();
    let gone: Vec<_> = (0..places.len()).filter(|&n| told(&places[n])).collect();
    assert!(!gone.is_empty());
    assert_eq!(gone, (2..2 + gone.len()).collect::<Vec<_>>());
    drop(request);
    for number in gone.into_iter().rev() {
        places.remove(number);
    }
    assert_eq!(room.leaving.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_has_its_last_answer_goes_before_who_waits_for_one() {
    let room = room(128);
    let places = fill(&room);
    let last = places.last().unwrap();
    last.watch().begin_lingering();
    let _one_more = room.enter().unwrap();
    assert!(told(last));
    // It stays told, whatever it does now.
    last.watch().begin_lingering();
    assert!(told(last));
    assert!(!told(&places[0]));
    drop(places);
    assert_eq!(room.leaving.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn only_so_many_are_refused_at_once_and_the_next_one_waits_for_a_slot() {
    let room = room(128);
    let mut slots: Vec<_> = (0..REFUSALS).map(|_| room.refuse().unwrap()).collect();
    assert!(room.refuse().is_none());
    // Where there is a place, nobody needs a slot.
    assert!(room.has_place().now_or_never().is_some());
    let places: Vec<_> = std::iter::from_fn(|| room.enter()).collect();
    for place in &places {
        place.watch().stop_waiting();
    }
    room.leaving.store(0, Ordering::Relaxed);
    let last = slots.pop().unwrap();
    let mut needed = pin!(slots[0].needed());
    assert!(needed.as_mut().now_or_never().is_none());
    let mut may_accept = pin!(room.has_place());
    assert!(may_accept.as_mut().now_or_never().is_none());
    assert!(needed.now_or_never().is_some(), "the one before is told");
    drop(last);
    may_accept.await;
    assert!(room.refuse().is_some());
}

#[tokio::test]
async fn a_request_that_comes_after_the_order_to_go_is_answered() {
    let room = room(128);
    let places = fill(&room);
    let _one_more = room.enter().unwrap();
    assert!(told(&places[0]));
    let request = room.begin_request(places[0].watch()).unwrap();
    assert!(!told(&places[0]));
    drop(request);
}

#[tokio::test]
async fn nobody_is_let_in_where_nobody_can_go() {
    let room = room(128);
    let places = fill(&room);
    let requests: Vec<_> = places
        .iter()
        .map_while(|place| room.begin_request(place.watch()))
        .collect();
    let used = room.used();
    assert!(used <= room.budget().most() + OVERLAP, "{used}");
    for place in &places[requests.len()..] {
        place.watch().stop_waiting();
    }
    room.leaving.store(0, Ordering::Relaxed);
    assert!(room.enter().is_none());
    assert_eq!(room.counts().turned_away.load(Ordering::Relaxed), 1);
    drop(requests);
    drop(places);
    assert_eq!(room.used(), 0);
    assert!(room.enter().is_some());
}

#[tokio::test]
async fn waits_that_ended_do_not_pile_up() {
    let room = room(1024);
    let place = room.enter().unwrap();
    for _ in 0..10_000 {
        place.watch().answered();
        place.watch().flushed();
    }
    assert!(room.waiting.len() < 100);
}

#[tokio::test]
async fn another_budget_holds_for_who_is_there_already() {
    let room = room(128);
    let places = fill(&room);
    let large = Budget::new(Some(256), 0, 1);
    room.renew(large);
    let more: Vec<_> = (places.len()..large.mark())
        .map(|_| room.enter().unwrap())
        .collect();
    assert!(!places.iter().chain(&more).any(told));
    room.renew(Budget::new(Some(128), 0, 1));
    // Each that comes sends some away, and none is let in beyond them.
    while room.enter().is_some() {}
    assert!(told(&places[0]));
    assert!(!more.last().is_some_and(told));
    drop((places, more));
    assert_eq!(room.used(), 0);
    assert!(room.enter().is_some());
}
