//! Which channels the gate wants to hear, and who listens to them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::ChannelName;

/// The channels that have members here. It outlives engines and connections.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    channels: HashSet<ChannelName>,
    /// By server.
    listeners: HashMap<String, Listening>,
}

/// A server is listened to.
#[derive(Debug)]
struct Listening {
    since: Instant,
    /// The channels that have become wanted or unwanted since its listener has looked.
    changes: Vec<ChannelName>,
}

impl Wanted {
    /// Wants a channel, which this server has. True if somebody listens there.
    pub(super) fn add(&self, channel: &ChannelName, server: Option<&str>) -> bool {
        let mut state = self.state();
        state.channels.insert(channel.clone());
        let is_heard = state.note(channel, server);
        drop(state);
        self.changed.notify_waiters();
        is_heard
    }

    /// Wants a channel no more.
    pub(super) fn remove(&self, channel: &ChannelName, server: Option<&str>) {
        let mut state = self.state();
        state.channels.remove(channel);
        state.note(channel, server);
        drop(state);
        self.changed.notify_waiters();
    }

    /// A listener begins on a server: returns the channels that `is_there`.
    pub(super) fn begin(
        &self,
        server: &str,
        is_there: impl Fn(&ChannelName) -> bool,
    ) -> Vec<ChannelName> {
        let mut state = self.state();
        let listening = Listening {
            since: Instant::now(),
            changes: Vec::new(),
        };
        state.listeners.insert(server.to_owned(), listening);
        state.those(is_there)
    }

    /// The listener of a server has ended: returns the channels that `is_there`.
    pub(super) fn end(
        &self,
        server: &str,
        is_there: impl Fn(&ChannelName) -> bool,
    ) -> Vec<ChannelName> {
        let mut state = self.state();
        state.listeners.remove(server);
        state.those(is_there)
    }

    /// For how long a server has been listened to; `None` if it is not.
    pub(super) fn listened(&self, server: &str) -> Option<Duration> {
        let state = self.state();
        let listening = state.listeners.get(server);
        listening.map(|listening| listening.since.elapsed())
    }

    /// The channels that `is_there`.
    pub(super) fn those(&self, is_there: impl Fn(&ChannelName) -> bool) -> Vec<ChannelName> {
        self.state().those(is_there)
    }

    /// The channels of a server that have changed, each with whether it is wanted, once there are some.
    pub(super) async fn changes(&self, server: &str) -> Vec<(ChannelName, bool)> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let changes = self.changes_now(server);
            if !changes.is_empty() {
                return changes;
            }
            changed.await;
        }
    }

    fn changes_now(&self, server: &str) -> Vec<(ChannelName, bool)> {
        let mut state = self.state();
        let listening = state.listeners.get_mut(server);
        let changed = listening.map(|listening| std::mem::take(&mut listening.changes));
        let changed: HashSet<_> = changed.unwrap_or_default().into_iter().collect();
        let changed = changed.into_iter().map(|channel| {
            let is_wanted = state.channels.contains(&channel);
            (channel, is_wanted)
        });
        changed.collect()
    }

    pub(super) fn contains(&self, channel: &ChannelName) -> bool {
        self.state().channels.contains(channel)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn those(&self, is_there: impl Fn(&ChannelName) -> bool) -> Vec<ChannelName> {
        let channels = self.channels.iter();
        channels
            .filter(|channel| is_there(channel))
            .cloned()
            .collect()
    }

    /// Notes a change for the listener of a server; false if there is none.
    fn note(&mut self, channel: &ChannelName, server: Option<&str>) -> bool {
        let listening = server.and_then(|server| self.listeners.get_mut(server));
        listening
            .map(|listening| listening.changes.push(channel.clone()))
            .is_some()
    }
}
