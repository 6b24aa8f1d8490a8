use std::future::poll_fn;

use super::*;

fn all() -> Wants {
    Wants {
        kinds: Kind::ALL.into(),
        route: None,
    }
}

fn refusal(reason: &'static str) -> What {
    What::Reject(Refusal {
        reason,
        status: None,
        route: None,
        client: None,
        peer: None,
        upstream: None,
        server: None,
        error: None,
    })
}

/// Numbers of the events that wait.
async fn waiting(listening: &mut Listening) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut next = async || {
        poll_fn(|cx| match listening.poll_next(cx) {
            Poll::Pending => Poll::Ready(None),
            ready => ready,
        })
        .await
    };
    // Tokio has a task that takes very much at once pause, as if there were nothing.
    while let Some(event) = tokio::task::unconstrained(next()).await {
        numbers.push(event.number);
    }
    numbers
}

#[tokio::test]
async fn while_nobody_listens_nothing_is_made() {
    let events = Arc::new(Events::default());
    let never = || unreachable!("nobody listens");
    events.tell(Kind::Reject, None, never);
    let listening = events.listen(Wants {
        kinds: vec![Kind::Open],
        route: None,
    });
    events.tell(Kind::Reject, None, never);
    drop(listening);
    events.tell(Kind::Open, None, never);
}

#[tokio::test]
async fn a_listener_is_told_what_it_wants() {
    let events = Arc::new(Events::default());
    let mut all = events.listen(all()).unwrap();
    let mut some = events
        .listen(Wants {
            kinds: vec![Kind::Open, Kind::Reject],
            route: Some("chat".to_owned()),
        })
        .unwrap();
    for (kind, route) in [
        (Kind::Reject, Some("chat")),
        (Kind::Reject, Some("feed")),
        (Kind::Reject, None),
        (Kind::Close, Some("chat")),
        (Kind::Open, Some("chat")),
    ] {
        events.tell(kind, route, || refusal("no_route"));
    }
    assert_eq!(waiting(&mut all).await, [1, 2, 3, 4, 5]);
    assert_eq!(waiting(&mut some).await, [1, 5]);
}

#[tokio::test]
async fn who_does_not_keep_up_loses_events_and_learns_how_many() {
    let events = Arc::new(Events::default());
    let (mut slow, mut other) = (events.listen(all()).unwrap(), events.listen(all()).unwrap());
    for _ in 0..QUEUE {
        events.tell(Kind::Reject, None, || refusal("no_route"));
    }
    assert_eq!(waiting(&mut other).await.len(), QUEUE);
    assert_eq!(slow.take_lost(), None);
    for _ in 0..3 {
        events.tell(Kind::Reject, None, || refusal("no_route"));
    }
    assert_eq!(other.take_lost(), None);
    assert_eq!((slow.take_lost(), slow.take_lost()), (Some(3), None));
    assert_eq!(waiting(&mut slow).await.len(), QUEUE);
    events.tell(Kind::Reject, None, || refusal("no_route"));
    assert_eq!(waiting(&mut slow).await, [QUEUE as u64 + 4]);
}

#[tokio::test]
async fn there_are_only_so_many_listeners_and_one_that_leaves_makes_room() {
    let events = Arc::new(Events::default());
    let mut listening: Vec<_> = (0..MOST_LISTENERS)
        .map(|_| events.listen(all()).unwrap())
        .collect();
    assert_eq!(events.listen(all()).unwrap_err(), NotHeard::Full);
    listening.remove(3);
    assert!(events.listen(all()).is_ok());
}

#[tokio::test]
async fn the_end_comes_behind_what_has_happened() {
    let events = Arc::new(Events::default());
    let mut listening = events.listen(all()).unwrap();
    events.tell(Kind::Reject, None, || refusal("draining"));
    events.end();
    assert_eq!(events.listen(all()).unwrap_err(), NotHeard::Ended);
    let next = poll_fn(|cx| listening.poll_next(cx)).await;
    assert_eq!(next.unwrap().number, 1);
    assert!(poll_fn(|cx| listening.poll_next(cx)).await.is_none());
}
