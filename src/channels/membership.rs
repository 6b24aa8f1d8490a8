//! The channels that one session is in.

use std::sync::{Arc, Mutex, PoisonError};

use super::channel::Channel;
use super::mailbox::Mailbox;
use super::publication::ChannelError;
use crate::config::ChannelName;

/// The mailbox of a session, and the channels that fill it.
#[derive(Debug)]
pub(crate) struct Membership {
    mailbox: Arc<Mailbox>,
    /// `None` after the session's end.
    channels: Mutex<Option<Vec<Arc<Channel>>>>,
}

/// The most channels of one session.
pub(super) const MOST_CHANNELS: usize = 128;

impl Membership {
    pub(crate) fn new(mailbox: Mailbox) -> Self {
        Self {
            mailbox: Arc::new(mailbox),
            channels: Mutex::new(Some(Vec::new())),
        }
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The names of the channels.
    #[allow(dead_code, reason = "for several gates")]
    pub(crate) fn names(&self) -> Vec<ChannelName> {
        let names = self.with(|channels| {
            let names = channels.iter().map(|channel| channel.name().clone());
            names.collect()
        });
        names.unwrap_or_default()
    }

    /// Lets `change` work on the list, which is locked meanwhile: a session joins and leaves one channel at a time.
    pub(super) fn with<R>(
        &self,
        change: impl FnOnce(&mut Vec<Arc<Channel>>) -> R,
    ) -> Result<R, ChannelError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels
            .as_mut()
            .map(change)
            .ok_or(ChannelError::SessionGone)
    }

    /// Joins nothing any more, and returns what it was in.
    pub(super) fn end(&self) -> Vec<Arc<Channel>> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channels = channels.take().unwrap_or_default();
        self.mailbox.close();
        channels
    }
}
