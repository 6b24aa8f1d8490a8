//! Publishes the counts of a session while it lives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::entry::SessionEntry;
use super::keepalive::Pings;
use super::state::SessionState;
use super::totals::TrafficCounters;

/// How often the time of the last data frame is published, so that not every frame pays for it.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

impl<C, U> SessionState<C, U> {
    /// Stores what has been moved. Only the session writes there, so that this costs plain stores.
    pub(super) fn publish(&mut self, entry: &SessionEntry) {
        let traffic = &entry.traffic;
        let (up, down) = (&self.to_upstream, &self.to_client);
        store(&traffic.messages_from_client, up.messages);
        store(&traffic.bytes_from_client, up.bytes);
        store(&traffic.messages_from_upstream, down.messages);
        store(&traffic.bytes_from_upstream, down.bytes);
        if self.last_data >= self.last_data_published + PUBLISH_INTERVAL {
            self.last_data_published = self.last_data;
            let at = self.last_data.duration_since(entry.opened).as_secs();
            store(&traffic.last_data, at);
        }
    }

    /// Stores what became of the pings; to be called when the timer has fired, because nothing else
    /// makes pings, and at the end.
    pub(super) fn publish_pings(&self, traffic: &TrafficCounters) {
        let (client, upstream) = (self.client.pinger.pings(), self.upstream.pinger.pings());
        let Pings { sent, timed_out } = client;
        store(&traffic.pings_to_client, sent);
        store(&traffic.ping_timeouts_of_client, timed_out);
        let Pings { sent, timed_out } = upstream;
        store(&traffic.pings_to_upstream, sent);
        store(&traffic.ping_timeouts_of_upstream, timed_out);
    }
}

fn store(counter: &AtomicU64, value: u64) {
    counter.store(value, Ordering::Relaxed);
}
