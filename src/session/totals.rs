//! What the sessions of a gate came to, those that have ended included.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::registry::Record;
use crate::close::CloseReason;

/// What a session has moved so far. Only the session writes, so that no count costs it more than
/// a store.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages_from_client: AtomicU64,
    pub(crate) bytes_from_client: AtomicU64,
    pub(crate) messages_from_upstream: AtomicU64,
    pub(crate) bytes_from_upstream: AtomicU64,
    /// When the last data frame passed, in milliseconds from when the session was opened.
    pub(crate) last_data: AtomicU64,
}

/// What one session had moved when it was looked at, or what many have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) messages_from_client: u64,
    pub(crate) bytes_from_client: u64,
    pub(crate) messages_from_upstream: u64,
    pub(crate) bytes_from_upstream: u64,
}

/// What the sessions of one route came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteTotals {
    /// Sessions that live.
    pub(crate) open: u64,
    /// How many ended in which way.
    pub(crate) closed: BTreeMap<Ending, u64>,
    pub(crate) moved: Moved,
}

/// A way for sessions to end. There are few enough of them to count each, whatever peers send.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ending {
    pub(crate) reason: &'static str,
    pub(crate) closed_by: &'static str,
    /// The close code that the client has; empty where there was none. What a client made up for
    /// itself is `3xxx` or `4xxx`.
    pub(crate) code: Cow<'static, str>,
}

/// What all sessions of a gate came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// By route name.
    pub(crate) routes: BTreeMap<Arc<str>, RouteTotals>,
    /// Sessions that live, by upstream and server.
    pub(crate) servers: BTreeMap<(Arc<str>, Arc<str>), u64>,
}

impl Traffic {
    pub(crate) fn load(&self) -> Moved {
        Moved {
            messages_from_client: self.messages_from_client.load(Ordering::Relaxed),
            bytes_from_client: self.bytes_from_client.load(Ordering::Relaxed),
            messages_from_upstream: self.messages_from_upstream.load(Ordering::Relaxed),
            bytes_from_upstream: self.bytes_from_upstream.load(Ordering::Relaxed),
        }
    }
}

impl Moved {
    fn add(&mut self, other: Self) {
        self.messages_from_client += other.messages_from_client;
        self.bytes_from_client += other.bytes_from_client;
        self.messages_from_upstream += other.messages_from_upstream;
        self.bytes_from_upstream += other.bytes_from_upstream;
    }
}

impl Ending {
    fn of(reason: &CloseReason) -> Self {
        Self {
            reason: reason.as_str(),
            closed_by: reason.closed_by(),
            code: code(reason),
        }
    }
}

impl Totals {
    /// Adds a session that lives.
    pub(super) fn add_open(&mut self, record: &Record) {
        let subject = &record.subject;
        let route = self.route(&subject.route);
        route.open += 1;
        route.moved.add(record.traffic.load());
        let server = (Arc::clone(&subject.upstream), Arc::clone(&subject.server));
        *self.servers.entry(server).or_default() += 1;
    }

    /// Adds a session that has ended.
    pub(super) fn add_closed(&mut self, record: &Record, reason: &CloseReason) {
        let route = self.route(&record.subject.route);
        route.moved.add(record.traffic.load());
        *route.closed.entry(Ending::of(reason)).or_default() += 1;
    }

    fn route(&mut self, name: &Arc<str>) -> &mut RouteTotals {
        self.routes.entry(Arc::clone(name)).or_default()
    }
}

fn code(reason: &CloseReason) -> Cow<'static, str> {
    let Some(code) = reason.client_code() else {
        return Cow::Borrowed("");
    };
    match (reason, code.get()) {
        // Two thousand codes are free for anybody's use (RFC 6455 §7.4.2): a client that went
        // through them would fill the counters.
        (CloseReason::ClientClosed(_), 3000..=3999) => Cow::Borrowed("3xxx"),
        (CloseReason::ClientClosed(_), 4000..=4999) => Cow::Borrowed("4xxx"),
        (_, code) => Cow::Owned(code.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;

    #[test]
    fn a_client_cannot_make_more_codes_than_there_are_kinds() {
        let endings = |close: fn(Option<CloseCode>) -> CloseReason| -> BTreeMap<_, u64> {
            let mut endings = BTreeMap::new();
            for code in (0..=u16::MAX).map(CloseCode::new) {
                *endings.entry(Ending::of(&close(code))).or_default() += 1;
            }
            endings
        };
        let by_client = endings(CloseReason::ClientClosed);
        let codes: Vec<_> = by_client.keys().map(|ending| &*ending.code).collect();
        let ours = [
            "", "1000", "1001", "1002", "1003", "1007", "1008", "1009", "1010", "1011", "1012",
            "1013", "1014", "3xxx", "4xxx",
        ];
        assert_eq!(codes, ours);
        assert_eq!(by_client.values().sum::<u64>(), 1 << 16);
    }

    #[test]
    fn a_code_of_the_backends_own_is_told_apart() {
        let code = CloseCode::new(4401);
        let ending = Ending::of(&CloseReason::UpstreamClosed(code));
        assert_eq!(
            (ending.reason, ending.closed_by, &*ending.code),
            ("closed", "upstream", "4401")
        );
        let ending = Ending::of(&CloseReason::ClientLost);
        assert_eq!(
            (ending.reason, ending.closed_by, &*ending.code),
            ("client_lost", "client", "")
        );
    }
}
