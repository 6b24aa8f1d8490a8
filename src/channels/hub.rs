//! All channels of a gate.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::channel::{Channel, Earlier, Published};
use super::encoded::{Delivery, PublicationId};
use super::interest::Interest;
use super::membership::{MOST_CHANNELS, Membership};
use super::publication::ChannelError;
use super::retained::RetainedBudget;
use super::subscriber::{Subscriber, deliver};
use crate::config::ChannelName;
use crate::types::{SessionId, SessionName};

/// The channels that have members, or retain publications.
///
/// Locks are taken in this order: a session's list of channels, a shard, a channel, a mailbox.
#[derive(Debug)]
pub(crate) struct Channels {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    members: AtomicUsize,
    retained: RetainedBudget,
    interest: OnceLock<Arc<dyn Interest>>,
}

type Shard = HashMap<ChannelName, Arc<Channel>>;

const SHARDS: usize = 16;

/// What all channels together retain at most, in bytes.
const MOST_RETAINED: usize = 64 * 1024 * 1024;

impl Default for Channels {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            members: AtomicUsize::new(0),
            retained: RetainedBudget::new(MOST_RETAINED),
            interest: OnceLock::new(),
        }
    }
}

impl Channels {
    /// Has this learn which channels have members; only the first call counts, and it must come before the first member.
    pub(crate) fn set_interest(&self, interest: Arc<dyn Interest>) {
        let _was_set = self.interest.set(interest);
    }

    /// Makes a session a member, and gives it what the channel retains, `retain` publications at most. False if it is one
    /// already.
    ///
    /// # Errors
    /// [`ChannelError`] if the session has ended, or is in too many channels.
    pub(crate) fn join(
        &self,
        member: &Arc<dyn Subscriber>,
        membership: &Membership,
        name: &ChannelName,
        retain: usize,
    ) -> Result<bool, ChannelError> {
        membership.with(|joined| {
            if joined.iter().any(|channel| channel.name() == name) {
                return Ok(false);
            }
            if joined.len() >= MOST_CHANNELS {
                return Err(ChannelError::TooManyChannels);
            }
            loop {
                let channel = self.find_or_add(name);
                if channel.add(member, retain, self.interest()).is_ok() {
                    self.members.fetch_add(1, Ordering::Relaxed);
                    joined.push(channel);
                    return Ok(true);
                }
            }
        })?
    }

    /// Takes a session out of a channel. False if it is no member.
    pub(crate) fn leave(
        &self,
        member: SessionId,
        membership: &Membership,
        name: &ChannelName,
    ) -> bool {
        let left = membership.with(|joined| {
            let at = joined.iter().position(|channel| channel.name() == name);
            let channel = at.map(|at| joined.swap_remove(at));
            channel
                .inspect(|channel| self.remove(channel, member))
                .is_some()
        });
        left.unwrap_or(false)
    }

    /// Takes a session that ends out of all its channels.
    pub(crate) fn leave_all(&self, member: SessionId, membership: &Membership) {
        for channel in membership.end() {
            self.remove(&channel, member);
        }
    }

    /// Gives a publication to the members of its channel but those of `exclude`, and returns how many get it. The channel
    /// retains the last `retain` publications.
    pub(crate) fn publish(
        &self,
        name: &ChannelName,
        id: PublicationId,
        delivery: &Delivery,
        retain: usize,
        exclude: &[SessionName],
    ) -> usize {
        let published = Published {
            id,
            delivery,
            retain,
            exclude,
        };
        loop {
            let channel = match retain {
                0 => self.find(name),
                _ => Some(self.find_or_add(name)),
            };
            let Some(channel) = channel else {
                return 0;
            };
            if let Ok(outcome) = channel.publish(published) {
                if retain > 0 || outcome.retained_more != 0 {
                    self.retained.note(&channel, outcome.retained_more);
                    self.forget_too_much();
                }
                return outcome.reached;
            }
        }
    }

    /// Lets the publications of a channel wait until [`Channels::catch_up`], because some were missed.
    pub(crate) fn begin_catch_up(&self, name: &ChannelName) {
        if let Some(channel) = self.find(name) {
            channel.begin_catch_up();
        }
    }

    /// Gives the members of a channel what is retained elsewhere and was missed here, from the oldest to the newest, and then
    /// what waited for that. With `None`, nothing is waited for any more, and it may come later.
    pub(crate) fn catch_up(
        &self,
        name: &ChannelName,
        elsewhere: Option<&[Earlier]>,
        retain: usize,
    ) {
        if let Some(channel) = self.find(name)
            && let Ok(outcome) = channel.catch_up(elsewhere, retain)
            && outcome.retained_more != 0
        {
            self.retained.note(&channel, outcome.retained_more);
            self.forget_too_much();
        }
    }

    /// A publication has not got to other gates.
    pub(crate) fn note_only_here(&self, name: &ChannelName, id: PublicationId) {
        if let Some(channel) = self.find(name) {
            channel.note_only_here(id);
        }
    }

    /// Gives a publication to one session; false if that takes none any more.
    pub(crate) fn send(&self, subscriber: &dyn Subscriber, delivery: &Delivery) -> bool {
        deliver(subscriber, delivery)
    }

    /// The members of a channel.
    pub(crate) fn members_of(&self, name: &ChannelName) -> Vec<Arc<dyn Subscriber>> {
        let channel = self.find(name);
        channel.map(|channel| channel.members()).unwrap_or_default()
    }

    /// One channel; `None` where it has no member and retains nothing.
    #[cfg(test)]
    pub(super) fn summary(&self, name: &ChannelName) -> Option<super::publication::ChannelInfo> {
        self.find(name).map(|channel| channel.summary())
    }

    /// The channels that `takes` takes, in no order.
    pub(crate) fn list(&self, takes: impl Fn(&ChannelName) -> bool) -> Vec<Arc<Channel>> {
        let mut channels = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            channels.extend(
                shard
                    .values()
                    .filter(|channel| takes(channel.name()))
                    .cloned(),
            );
        }
        channels
    }

    /// Lets go of what a channel retains, and returns how many publications that was.
    pub(crate) fn forget_retained(&self, name: &ChannelName) -> usize {
        let channel = self.find(name);
        channel.map_or(0, |channel| self.forget(&channel))
    }

    /// How many channels there are.
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// How many members all channels have; a session in two channels counts twice.
    pub(crate) fn members(&self) -> usize {
        self.members.load(Ordering::Relaxed)
    }

    /// What all channels retain, in bytes.
    pub(crate) fn retained_bytes(&self) -> usize {
        self.retained.bytes()
    }

    fn remove(&self, channel: &Arc<Channel>, member: SessionId) {
        self.members.fetch_sub(1, Ordering::Relaxed);
        if channel.remove(member, self.interest()) {
            self.remove_if_idle(channel);
        }
    }

    fn forget_too_much(&self) {
        while let Some(channel) = self.retained.next_to_forget() {
            self.forget(&channel);
        }
    }

    fn forget(&self, channel: &Arc<Channel>) -> usize {
        let forgotten = channel.forget_retained();
        self.retained.released(&forgotten);
        self.remove_if_idle(channel);
        forgotten.publications
    }

    /// Removes a channel that nobody needs, unless somebody has come meanwhile.
    fn remove_if_idle(&self, channel: &Arc<Channel>) {
        let mut shard = self.shard(channel.name());
        // Another one of this name may be there by now.
        let is_there = shard.get(channel.name());
        let is_there = is_there.is_some_and(|there| Arc::ptr_eq(there, channel));
        if is_there && channel.leave_hub() {
            shard.remove(channel.name());
        }
        if shard.capacity() > 4 * shard.len() + 64 {
            shard.shrink_to_fit();
        }
    }

    fn find(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        self.shard(name).get(name).cloned()
    }

    fn find_or_add(&self, name: &ChannelName) -> Arc<Channel> {
        let mut shard = self.shard(name);
        let channel = shard.entry(name.clone());
        Arc::clone(channel.or_insert_with(|| Arc::new(Channel::new(name.clone()))))
    }

    fn shard(&self, name: &ChannelName) -> MutexGuard<'_, Shard> {
        // The map uses the hash's lowest and highest bits itself.
        let hash = self.hasher.hash_one(name) >> 32;
        lock(&self.shards[hash as usize % SHARDS])
    }

    fn interest(&self) -> Option<&dyn Interest> {
        self.interest.get().map(|interest| &**interest)
    }
}

/// A panic elsewhere leaves no map half changed, so that a poisoned lock is as good as any.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
