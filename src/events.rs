//! What happens, for those who watch it live: sessions that open and close, and refusals.
//!
//! Nobody waits for a listener. One that does not keep up loses events and is told how many; while
//! there is none, an event costs a look at a number and is not even made.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::types::{ClientAddr, SessionId};

/// Tells listeners what happens.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// How many listen; looked at before anything else.
    listening: AtomicUsize,
    listeners: Mutex<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    all: Vec<Listener>,
    /// The last number that was given to one.
    last_listener: u64,
    /// The last number that was given to an event.
    last_event: u64,
    ended: bool,
}

#[derive(Debug)]
struct Listener {
    number: u64,
    wants: Wants,
    queue: mpsc::Sender<Arc<Event>>,
    lost: Arc<AtomicU64>,
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub(crate) struct Wants {
    pub(crate) kinds: Vec<Kind>,
    /// Only what is about this route.
    pub(crate) route: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Close,
    Reject,
}

/// One event; the numbers ascend, and a listener that does not want all of them sees gaps.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) time: SystemTime,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Open(Session),
    Close(Session, Ending),
    Reject(Refusal),
}

/// What a session is about.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) route: Arc<str>,
    pub(crate) client: IpAddr,
    pub(crate) peer: ClientAddr,
    pub(crate) upstream: Arc<str>,
    pub(crate) server: Arc<str>,
    pub(crate) opened: SystemTime,
}

/// How a session ended, and what it came to.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) duration: Duration,
    pub(crate) messages_from_client: u64,
    pub(crate) bytes_from_client: u64,
    pub(crate) messages_from_upstream: u64,
    pub(crate) bytes_from_upstream: u64,
    pub(crate) closed_by: &'static str,
    pub(crate) code: Option<u16>,
    pub(crate) reason: &'static str,
}

/// What was refused, as far as it was known by then.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) peer: Option<ClientAddr>,
    pub(crate) upstream: Option<Arc<str>>,
    pub(crate) server: Option<Arc<str>>,
    pub(crate) error: Option<String>,
}

/// A listener's end; it listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    events: Arc<Events>,
    number: u64,
    queue: mpsc::Receiver<Arc<Event>>,
    lost: Arc<AtomicU64>,
}

/// Why nobody can listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHeard {
    Full,
    /// Nothing happens any more.
    Ended,
}

/// Listeners at once.
pub(crate) const MOST_LISTENERS: usize = 8;

/// Events that wait for a listener; beyond them it loses some.
const QUEUE: usize = 512;

impl Events {
    /// Listens from now on.
    pub(crate) fn listen(self: &Arc<Self>, wants: Wants) -> Result<Listening, NotHeard> {
        let mut listeners = self.lock();
        if listeners.ended {
            return Err(NotHeard::Ended);
        }
        if listeners.all.len() >= MOST_LISTENERS {
            return Err(NotHeard::Full);
        }
        let (sender, queue) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        listeners.last_listener += 1;
        let number = listeners.last_listener;
        listeners.all.push(Listener {
            number,
            wants,
            queue: sender,
            lost: Arc::clone(&lost),
        });
        self.count(&listeners);
        Ok(Listening {
            events: Arc::clone(self),
            number,
            queue,
            lost,
        })
    }

    /// Tells whoever wants to know. What happened is only put together if somebody does.
    #[inline]
    pub(crate) fn tell(&self, kind: Kind, route: Option<&str>, what: impl FnOnce() -> What) {
        // Relaxed: who has just begun to listen may miss what happens meanwhile.
        if self.listening.load(Ordering::Relaxed) > 0 {
            self.lock().tell(kind, route, what);
        }
    }

    /// Nothing happens any more: listeners get what waits for them, and then the end.
    pub(crate) fn end(&self) {
        let mut listeners = self.lock();
        listeners.ended = true;
        listeners.all.clear();
        self.count(&listeners);
    }

    fn count(&self, listeners: &Listeners) {
        self.listening.store(listeners.all.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        // The list is whole at every moment, whatever panicked elsewhere.
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listeners {
    fn tell(&mut self, kind: Kind, route: Option<&str>, what: impl FnOnce() -> What) {
        self.last_event += 1;
        let mut wanting = self.all.iter().filter(|one| one.wants.takes(kind, route));
        let Some(first) = wanting.next() else {
            return;
        };
        let event = Arc::new(Event {
            number: self.last_event,
            time: SystemTime::now(),
            what: what(),
        });
        for listener in std::iter::once(first).chain(wanting) {
            if listener.queue.try_send(Arc::clone(&event)).is_err() {
                listener.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Wants {
    fn takes(&self, kind: Kind, route: Option<&str>) -> bool {
        let is_wanted = |wanted: &String| route == Some(wanted.as_str());
        self.kinds.contains(&kind) && self.route.as_ref().is_none_or(is_wanted)
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Close, Self::Reject];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Reject => "reject",
        }
    }
}

impl Event {
    pub(crate) fn kind(&self) -> Kind {
        match self.what {
            What::Open(_) => Kind::Open,
            What::Close(..) => Kind::Close,
            What::Reject(_) => Kind::Reject,
        }
    }
}

impl Listening {
    /// The next event; `None` when nothing happens any more.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        self.queue.poll_recv(cx)
    }

    /// How many events were lost since this was last asked, if any.
    pub(crate) fn take_lost(&self) -> Option<u64> {
        // A load first: it is asked for far more often than one is lost.
        match self.lost.load(Ordering::Relaxed) {
            0 => None,
            _ => Some(self.lost.swap(0, Ordering::Relaxed)),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.events.lock();
        listeners.all.retain(|one| one.number != self.number);
        self.events.count(&listeners);
    }
}

#[cfg(test)]
mod tests;
