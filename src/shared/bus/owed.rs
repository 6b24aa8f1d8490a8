//! Channels that the engine has still to forget.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::ChannelName;

/// So many channels are known that the engine has still to forget.
const MOST_OWED: usize = 16 * 1024;

/// Channels of which the engine retains what nobody is to get any more.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<HashSet<ChannelName>>);

impl Owed {
    pub(super) fn add(&self, channel: ChannelName) {
        let mut channels = self.channels();
        if channels.len() < MOST_OWED {
            channels.insert(channel);
        }
    }

    /// Whether this channel is one of them; it is none any more.
    pub(super) fn take(&self, channel: &ChannelName) -> bool {
        self.channels().remove(channel)
    }

    pub(super) fn take_all(&self) -> HashSet<ChannelName> {
        std::mem::take(&mut *self.channels())
    }

    fn channels(&self) -> MutexGuard<'_, HashSet<ChannelName>> {
        // A set is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
