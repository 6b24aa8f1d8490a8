//! The live feed: events for those who subscribe to them.
//!
//! Nobody waits for a subscriber. One that does not keep up loses events, and learns how many;
//! while there is none, an event costs one look at a number.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::event::{Event, EventKind};

/// Hands events to subscribers.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// How many there are; looked at before anything else.
    count: AtomicUsize,
    subscribers: Mutex<Subscribers>,
}

#[derive(Debug, Default)]
struct Subscribers {
    all: Vec<Subscriber>,
    /// The last number that one of them got.
    last_subscriber: u64,
    /// The last number that an event got.
    last_event: u64,
    ended: bool,
}

#[derive(Debug)]
struct Subscriber {
    number: u64,
    filter: EventFilter,
    queue: mpsc::Sender<Arc<RecordedEvent>>,
    lost: Arc<AtomicU64>,
}

/// Which events a [subscription](crate::Handle::subscribe) gets; by default those of
/// [`EventKind::DEFAULT`], of every route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// The kinds of events.
    pub kinds: Vec<EventKind>,
    /// Only events of this route.
    pub route: Option<String>,
}

/// An event with its number and its time. Numbers ascend; a filter leaves gaps.
#[derive(Debug)]
#[non_exhaustive]
pub struct RecordedEvent {
    /// The number, from 1 on.
    pub number: u64,
    /// When it happened.
    pub time: SystemTime,
    /// What happened.
    pub event: Event,
}

/// The events of a subscription; it ends when it is dropped.
#[derive(Debug)]
pub struct EventStream {
    feed: Arc<Feed>,
    number: u64,
    queue: mpsc::Receiver<Arc<RecordedEvent>>,
    lost: Arc<AtomicU64>,
}

/// Why a subscription is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// There are as many subscribers as there may be.
    #[error("there are {MAX_SUBSCRIBERS} subscribers already: end one of them")]
    Full,
    /// The gate has drained: nothing happens any more.
    #[error("the gate has drained: there are no more events")]
    Ended,
}

/// Subscribers at once.
pub(crate) const MAX_SUBSCRIBERS: usize = 8;

/// Events that wait for a subscriber; beyond them it loses some.
const QUEUE: usize = 512;

impl Feed {
    /// Subscribes to events from now on.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        filter: EventFilter,
    ) -> Result<EventStream, SubscribeError> {
        let mut subscribers = self.lock();
        if subscribers.ended {
            return Err(SubscribeError::Ended);
        }
        if subscribers.all.len() >= MAX_SUBSCRIBERS {
            return Err(SubscribeError::Full);
        }
        let (sender, queue) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        subscribers.last_subscriber += 1;
        let number = subscribers.last_subscriber;
        subscribers.all.push(Subscriber {
            number,
            filter,
            queue: sender,
            lost: Arc::clone(&lost),
        });
        self.set_count(&subscribers);
        Ok(EventStream {
            feed: Arc::clone(self),
            number,
            queue,
            lost,
        })
    }

    /// Whether anybody subscribes. Relaxed: one that has just subscribed may miss what happens meanwhile.
    #[inline]
    pub(super) fn has_subscribers(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    #[inline]
    pub(super) fn on_event(&self, event: &Event) {
        if self.has_subscribers()
            && let Some(kind) = event.kind()
        {
            self.lock().record(kind, event);
        }
    }

    /// Nothing happens any more: subscribers get what waits for them, and then the end.
    pub(super) fn end(&self) {
        let mut subscribers = self.lock();
        subscribers.ended = true;
        subscribers.all.clear();
        self.set_count(&subscribers);
    }

    fn set_count(&self, subscribers: &Subscribers) {
        self.count.store(subscribers.all.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        // The list is whole at every moment, whatever panicked elsewhere.
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscribers {
    fn record(&mut self, kind: EventKind, event: &Event) {
        self.last_event += 1;
        let route = event.route().map(|route| &**route);
        let subscribers = self.all.iter();
        let mut wanting = subscribers.filter(|one| one.filter.takes(kind, route));
        let Some(first) = wanting.next() else {
            return;
        };
        let recorded = Arc::new(RecordedEvent {
            number: self.last_event,
            time: SystemTime::now(),
            event: event.clone(),
        });
        for subscriber in std::iter::once(first).chain(wanting) {
            if subscriber.queue.try_send(Arc::clone(&recorded)).is_err() {
                subscriber.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl EventFilter {
    fn takes(&self, kind: EventKind, route: Option<&str>) -> bool {
        let is_wanted = |wanted: &String| route == Some(wanted.as_str());
        self.kinds.contains(&kind) && self.route.as_ref().is_none_or(is_wanted)
    }
}

impl Default for EventFilter {
    fn default() -> Self {
        Self {
            kinds: EventKind::DEFAULT.into(),
            route: None,
        }
    }
}

impl EventStream {
    /// The next event; `None` once the gate has drained.
    pub async fn next(&mut self) -> Option<Arc<RecordedEvent>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same for a future of one's own.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<RecordedEvent>>> {
        self.queue.poll_recv(cx)
    }

    /// How many events were lost since the last call, if any, because 512 waited already.
    pub fn take_lost(&self) -> Option<u64> {
        // A load first: calls are many and losses few.
        match self.lost.load(Ordering::Relaxed) {
            0 => None,
            _ => Some(self.lost.swap(0, Ordering::Relaxed)),
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut subscribers = self.feed.lock();
        subscribers.all.retain(|one| one.number != self.number);
        self.feed.set_count(&subscribers);
    }
}

#[cfg(test)]
mod tests;
