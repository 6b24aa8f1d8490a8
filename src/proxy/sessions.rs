//! The live sessions, as an operator sees them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "server")]
use crate::config::{Network, networks_contain};
use crate::session::SessionEntry;
use crate::types::{ClientAddr, SessionId};

/// One live session, as it was when it was asked about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id, for [`Handle::close`](super::Handle::close).
    pub id: SessionId,
    /// The route that it came by.
    pub route: Arc<str>,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// The socket's peer: the client, or the nearest proxy.
    pub peer: ClientAddr,
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server that serves it, as the settings name it.
    pub server: Arc<str>,
    /// When it was opened.
    pub opened: SystemTime,
    /// How long it has been open.
    pub age: Duration,
    /// For how long no data frame has passed in either direction, as `timeouts.idle` counts it:
    /// pings are none, and a big frame counts as it comes.
    pub idle: Duration,
    /// Messages from the client.
    pub messages_from_client: u64,
    /// Bytes passed on from the client, frame headers included.
    pub bytes_from_client: u64,
    /// Messages from the upstream.
    pub messages_from_upstream: u64,
    /// Bytes passed on from the upstream, frame headers included.
    pub bytes_from_upstream: u64,
}

/// Which sessions are meant: all, unless something is said.
#[cfg(feature = "server")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) route: Option<String>,
    pub(crate) client: Option<Network>,
    pub(crate) upstream: Option<String>,
}

/// Some of the sessions of a selection.
#[cfg(feature = "server")]
#[derive(Debug)]
pub(crate) struct Page {
    /// Oldest first.
    pub(crate) sessions: Vec<SessionInfo>,
    /// How many there are in all.
    pub(crate) total: usize,
    /// Whether there are more behind these.
    pub(crate) has_more: bool,
}

impl SessionInfo {
    pub(super) fn of(entry: &SessionEntry) -> Self {
        let moved = entry.traffic.load();
        let age = entry.age();
        Self {
            id: entry.id,
            route: Arc::clone(&entry.metadata.route),
            client: entry.metadata.client,
            peer: entry.metadata.peer,
            upstream: Arc::clone(&entry.metadata.upstream),
            server: Arc::clone(&entry.metadata.server),
            opened: entry.opened_at,
            age,
            idle: entry.idle_at(age),
            messages_from_client: moved.messages_from_client,
            bytes_from_client: moved.bytes_from_client,
            messages_from_upstream: moved.messages_from_upstream,
            bytes_from_upstream: moved.bytes_from_upstream,
        }
    }
}

#[cfg(feature = "server")]
impl Selection {
    /// Whether nothing is said, so that all sessions are meant.
    pub(crate) fn is_all(&self) -> bool {
        self.route.is_none() && self.client.is_none() && self.upstream.is_none()
    }

    pub(super) fn takes(&self, entry: &SessionEntry) -> bool {
        let metadata = &entry.metadata;
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| *wanted == *name)
        };
        is(&self.route, &metadata.route)
            && is(&self.upstream, &metadata.upstream)
            && (self.client).is_none_or(|network| networks_contain(&[network], metadata.client))
    }
}

#[cfg(feature = "server")]
impl Page {
    pub(super) fn of(mut entries: Vec<Arc<SessionEntry>>, after: SessionId, most: usize) -> Self {
        let total = entries.len();
        entries.retain(|entry| entry.id > after);
        let has_more = entries.len() > most;
        if has_more {
            // Of a hundred thousand only those that are shown are put in order.
            entries.select_nth_unstable_by_key(most, |entry| entry.id);
            entries.truncate(most);
        }
        entries.sort_unstable_by_key(|entry| entry.id);
        let sessions = entries.iter().map(|entry| SessionInfo::of(entry));
        Self {
            sessions: sessions.collect(),
            total,
            has_more,
        }
    }
}
