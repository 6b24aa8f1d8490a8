use super::*;
use crate::observe::{Opened, Refused, SessionInfo};

fn refused(route: Option<&str>) -> Event {
    Event::Refused(Refused {
        reason: "no_route",
        route: route.map(Into::into),
        ..Refused::default()
    })
}

fn opened(route: &str) -> Event {
    Event::Opened(Opened {
        session: SessionInfo::for_tests(route),
        handshake: Default::default(),
    })
}

/// Numbers of the events that wait.
async fn waiting(stream: &mut EventStream) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut next = async || {
        poll_fn(|cx| match stream.poll_next(cx) {
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
async fn an_event_without_a_subscriber_gets_no_number() {
    let feed = Arc::new(Feed::default());
    feed.on_event(&refused(None));
    let mut stream = feed.subscribe(EventFilter::default()).unwrap();
    feed.on_event(&refused(None));
    assert_eq!(waiting(&mut stream).await, [1]);
}

#[tokio::test]
async fn a_subscriber_gets_what_its_filter_takes() {
    let feed = Arc::new(Feed::default());
    let mut all = feed.subscribe(EventFilter::default()).unwrap();
    let mut some = feed
        .subscribe(EventFilter {
            kinds: vec![EventKind::Opened, EventKind::Refused],
            route: Some("chat".to_owned()),
        })
        .unwrap();
    let mut opens = feed
        .subscribe(EventFilter {
            kinds: vec![EventKind::Opened],
            route: None,
        })
        .unwrap();
    for event in [
        refused(Some("chat")),
        refused(Some("feed")),
        refused(None),
        opened("feed"),
        opened("chat"),
        Event::Abandoned { route: None },
    ] {
        feed.on_event(&event);
    }
    assert_eq!(waiting(&mut all).await, [1, 2, 3, 4, 5]);
    assert_eq!(waiting(&mut some).await, [1, 5]);
    assert_eq!(waiting(&mut opens).await, [4, 5]);
}

#[tokio::test]
async fn a_subscriber_that_does_not_keep_up_loses_events_and_learns_how_many() {
    let feed = Arc::new(Feed::default());
    let subscribe = || feed.subscribe(EventFilter::default()).unwrap();
    let (mut slow, mut other) = (subscribe(), subscribe());
    for _ in 0..QUEUE {
        feed.on_event(&refused(None));
    }
    assert_eq!(waiting(&mut other).await.len(), QUEUE);
    assert_eq!(slow.take_lost(), None);
    for _ in 0..3 {
        feed.on_event(&refused(None));
    }
    assert_eq!(other.take_lost(), None);
    assert_eq!((slow.take_lost(), slow.take_lost()), (Some(3), None));
    assert_eq!(waiting(&mut slow).await.len(), QUEUE);
    feed.on_event(&refused(None));
    assert_eq!(waiting(&mut slow).await, [QUEUE as u64 + 4]);
}

#[tokio::test]
async fn subscribers_are_bounded_and_one_that_leaves_makes_room() {
    let feed = Arc::new(Feed::default());
    let subscribe = || feed.subscribe(EventFilter::default());
    let mut streams: Vec<_> = (0..MAX_SUBSCRIBERS).map(|_| subscribe().unwrap()).collect();
    assert_eq!(subscribe().unwrap_err(), SubscribeError::Full);
    streams.remove(3);
    assert!(subscribe().is_ok());
}

#[tokio::test]
async fn the_end_comes_behind_what_has_happened() {
    let feed = Arc::new(Feed::default());
    let mut stream = feed.subscribe(EventFilter::default()).unwrap();
    feed.on_event(&refused(None));
    feed.end();
    let late = feed.subscribe(EventFilter::default());
    assert_eq!(late.unwrap_err(), SubscribeError::Ended);
    assert_eq!(stream.next().await.unwrap().number, 1);
    assert!(stream.next().await.is_none());
}
