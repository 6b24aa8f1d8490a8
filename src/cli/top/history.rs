//! Figures of two scrapes: rates, the busiest routes and clients, the latest endings.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::scrape::{Ending, PlainTotals, Process, RouteTotals, Scrape, TlsTotals};

/// The latest scrape, and the one before.
#[derive(Debug)]
pub(super) struct History {
    now: Scrape,
    before: Option<Scrape>,
    /// When the counts of endings last rose.
    seen: BTreeMap<Ending, Instant>,
}

/// What goes on, on a route or on all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Traffic {
    pub(super) name: String,
    pub(super) sessions: u64,
    /// In a second, like all that follows.
    pub(super) opened: f64,
    pub(super) refused: f64,
    /// From the client, and from the upstream.
    pub(super) messages: [f64; 2],
    pub(super) bytes: [f64; 2],
}

/// What goes on in TLS handshakes, in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TlsTraffic {
    pub(super) handshakes: f64,
    pub(super) resumed: f64,
    pub(super) failed: f64,
}

/// What goes on with the plain requests of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PlainTraffic {
    pub(super) name: String,
    pub(super) open: u64,
    /// In a second.
    pub(super) requests: f64,
    pub(super) refused: f64,
    /// The share of requests whose client got a 5xx; `None` without requests.
    pub(super) failed: Option<f64>,
    /// From the request to the head of its response, on average; `None` without responses.
    pub(super) head: Option<Duration>,
    /// In a second, from the client, and from the upstream.
    pub(super) bytes: [f64; 2],
}

/// A way to end, how often it was counted, and how long ago the count last rose; `None` if it has not
/// risen since the first scrape.
#[derive(Debug, PartialEq)]
pub(super) struct RecentEnding<'a> {
    pub(super) ending: &'a Ending,
    pub(super) count: u64,
    pub(super) ago: Option<Duration>,
}

/// What the busiest have most of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Bytes,
    Messages,
    Sessions,
    Name,
}

impl History {
    pub(super) fn new(scrape: Scrape) -> Self {
        Self {
            now: scrape,
            before: None,
            seen: BTreeMap::new(),
        }
    }

    /// Adds the next scrape.
    pub(super) fn add(&mut self, scrape: Scrape) {
        if scrape.process.started != self.now.process.started {
            // Another process: it counts from nothing.
            *self = Self::new(scrape);
            return;
        }
        for (ending, count) in &scrape.endings {
            if self.now.endings.get(ending) < Some(count) {
                self.seen.insert(ending.clone(), scrape.at);
            }
        }
        self.before = Some(std::mem::replace(&mut self.now, scrape));
    }

    pub(super) fn now(&self) -> &Scrape {
        &self.now
    }

    /// The share of one processor that the process used; `None` where it does not say.
    pub(super) fn processor(&self) -> Option<f64> {
        let seconds = |process: &Process| process.processor;
        let before = seconds(&self.before.as_ref()?.process)?;
        Some((seconds(&self.now.process)? - before).max(0.0) / self.seconds()?)
    }

    /// Each route. What had no route yet is the last of them, if there was anything.
    pub(super) fn routes(&self, sort: Sort) -> Vec<Traffic> {
        let routes = self.now.routes.iter();
        let mut routes: Vec<_> = routes.map(|(name, now)| self.traffic(name, now)).collect();
        routes.sort_by(|one, other| {
            let unnamed = one.name.is_empty().cmp(&other.name.is_empty());
            unnamed.then_with(|| sort.order(one, other))
        });
        routes
    }

    /// All routes together.
    pub(super) fn total(&self) -> Traffic {
        let mut total = Traffic::default();
        for route in self.routes(Sort::Name) {
            total.sessions += route.sessions;
            total.opened += route.opened;
            total.refused += route.refused;
            for way in [0, 1] {
                total.messages[way] += route.messages[way];
                total.bytes[way] += route.bytes[way];
            }
        }
        total
    }

    fn traffic(&self, name: &str, now: &RouteTotals) -> Traffic {
        let before = self.before.as_ref();
        // A route that was not there has counted from nothing.
        let before = before.map(|scrape| scrape.routes.get(name).copied().unwrap_or_default());
        let rate = |count: &dyn Fn(&RouteTotals) -> f64| match (&before, self.seconds()) {
            (Some(before), Some(seconds)) => (count(now) - count(before)).max(0.0) / seconds,
            _ => 0.0,
        };
        Traffic {
            name: name.to_owned(),
            sessions: now.open,
            opened: rate(&|route| route.accepted),
            refused: rate(&|route| route.refused),
            messages: [0, 1].map(|way| rate(&|route| route.messages[way])),
            bytes: [0, 1].map(|way| rate(&|route| route.bytes[way])),
        }
    }

    /// The TLS handshakes with clients; all of them, and those that were resumed or failed.
    pub(super) fn tls(&self) -> TlsTraffic {
        let now = self.now.tls.clone().unwrap_or_default();
        let (Some(before), Some(seconds)) = (&self.before, self.seconds()) else {
            return TlsTraffic::default();
        };
        let before = before.tls.clone().unwrap_or_default();
        let rate =
            |count: &dyn Fn(&TlsTotals) -> f64| (count(&now) - count(&before)).max(0.0) / seconds;
        TlsTraffic {
            handshakes: rate(&|tls| tls.finished + tls.failed),
            resumed: rate(&|tls| tls.resumed),
            failed: rate(&|tls| tls.failed),
        }
    }

    /// The plain requests of each route that has any, or forwards them.
    pub(super) fn plain(&self, sort: Sort) -> Vec<PlainTraffic> {
        let routes = self.now.plain.iter();
        let mut routes: Vec<_> = routes
            .map(|(name, now)| self.plain_traffic(name, now))
            .collect();
        routes.sort_by(|one, other| {
            let unnamed = one.name.is_empty().cmp(&other.name.is_empty());
            unnamed.then_with(|| sort.order_plain(one, other))
        });
        routes
    }

    fn plain_traffic(&self, name: &str, now: &PlainTotals) -> PlainTraffic {
        let before = self.before.as_ref();
        // A route that was not there has counted from nothing.
        let before = before.map(|scrape| scrape.plain.get(name).copied().unwrap_or_default());
        let grown = |count: &dyn Fn(&PlainTotals) -> f64| match &before {
            Some(before) => (count(now) - count(before)).max(0.0),
            None => 0.0,
        };
        let rate = |grown: f64| self.seconds().map_or(0.0, |seconds| grown / seconds);
        let requests = grown(&|route| route.requests);
        let responses = grown(&|route| route.responses);
        let waited = grown(&|route| route.waited);
        let share = |part: f64, whole: f64| (whole > 0.0).then_some(part / whole);
        let head = share(waited, responses);
        PlainTraffic {
            name: name.to_owned(),
            open: now.open,
            requests: rate(requests),
            refused: rate(grown(&|route| route.refused)),
            failed: share(grown(&|route| route.failed), requests),
            head: head.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            bytes: [0, 1].map(|way| rate(grown(&|route| route.bytes[way]))),
        }
    }

    /// The busiest clients; both ways count as one here.
    pub(super) fn clients(&self, sort: Sort) -> Vec<Traffic> {
        let mut clients: HashMap<&str, Traffic> = HashMap::new();
        for (id, session) in &self.now.sessions {
            let client = clients.entry(&session.client).or_default();
            client.sessions += 1;
            let (Some(before), Some(seconds)) = (&self.before, self.seconds()) else {
                continue;
            };
            let (messages, bytes) = match before.sessions.get(id) {
                Some(before) => (before.messages, before.bytes),
                None if session.age.as_secs_f64() <= seconds + 1.0 => (0, 0),
                // It was open, and not in the scrape before.
                None => (session.messages, session.bytes),
            };
            client.messages[0] += session.messages.saturating_sub(messages) as f64 / seconds;
            client.bytes[0] += session.bytes.saturating_sub(bytes) as f64 / seconds;
        }
        let clients = clients.into_iter().map(|(name, client)| Traffic {
            name: name.to_owned(),
            ..client
        });
        let mut clients: Vec<_> = clients.collect();
        clients.sort_by(|one, other| sort.order(one, other));
        clients
    }

    /// How handshakes, plain requests and sessions ended, the latest first.
    pub(super) fn endings(&self) -> Vec<RecentEnding<'_>> {
        let ended = self.now.endings.iter().map(|(ending, count)| RecentEnding {
            ending,
            count: *count,
            ago: (self.seen.get(ending)).map(|at| self.now.at.saturating_duration_since(*at)),
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_by(|one, other| {
            let ago = |ended: &RecentEnding<'_>| ended.ago.unwrap_or(Duration::MAX);
            ago(one)
                .cmp(&ago(other))
                .then_with(|| other.count.cmp(&one.count))
        });
        ended
    }

    /// Between the two scrapes.
    fn seconds(&self) -> Option<f64> {
        let before = self.before.as_ref()?;
        let seconds = self
            .now
            .at
            .saturating_duration_since(before.at)
            .as_secs_f64();
        (seconds > 0.0).then_some(seconds)
    }
}

impl Sort {
    /// The one that a person gets to with the next key.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Bytes => Self::Messages,
            Self::Messages => Self::Sessions,
            Self::Sessions => Self::Name,
            Self::Name => Self::Bytes,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Messages => "messages",
            Self::Sessions => "sessions",
            Self::Name => "name",
        }
    }

    /// The same for plain requests, of which there are no messages.
    fn order_plain(self, one: &PlainTraffic, other: &PlainTraffic) -> Ordering {
        let sum = |each: [f64; 2]| each[0] + each[1];
        let busier = match self {
            Self::Bytes => sum(other.bytes).total_cmp(&sum(one.bytes)),
            Self::Messages => other.requests.total_cmp(&one.requests),
            Self::Sessions => other.open.cmp(&one.open),
            Self::Name => return one.name.cmp(&other.name),
        };
        busier
            .then_with(|| other.requests.total_cmp(&one.requests))
            .then_with(|| one.name.cmp(&other.name))
    }

    /// The busiest first; where two are the same, by their names, so that nothing jumps about.
    fn order(self, one: &Traffic, other: &Traffic) -> Ordering {
        let sum = |each: [f64; 2]| each[0] + each[1];
        let busier = match self {
            Self::Bytes => sum(other.bytes).total_cmp(&sum(one.bytes)),
            Self::Messages => sum(other.messages).total_cmp(&sum(one.messages)),
            Self::Sessions => Ordering::Equal,
            Self::Name => return one.name.cmp(&other.name),
        };
        busier
            .then_with(|| other.sessions.cmp(&one.sessions))
            .then_with(|| one.name.cmp(&other.name))
    }
}

#[cfg(test)]
pub(super) mod tests;
