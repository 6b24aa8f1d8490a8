//! One channel: its members, and what it keeps for the next one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::encoded::{Delivery, PublicationId};
use super::interest::Interest;
use super::publication::ChannelInfo;
use super::subscriber::{Subscriber, deliver};
use crate::config::ChannelName;
use crate::types::{SessionId, SessionName};

/// A channel with members, or with publications for those that come.
#[derive(Debug)]
pub(crate) struct Channel {
    name: ChannelName,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    members: HashMap<SessionId, Arc<dyn Subscriber>>,
    /// From the oldest to the newest.
    retained: VecDeque<Retained>,
    /// Its place among all channels that retain something.
    retained_place: Option<u64>,
    /// It is out of the hub, which has another of this name or none.
    is_gone: bool,
}

#[derive(Debug)]
struct Retained {
    #[allow(dead_code, reason = "for several gates")]
    id: PublicationId,
    delivery: Delivery,
}

/// The channel has left the hub since it was found there.
#[derive(Debug)]
pub(super) struct Gone;

/// A publication as a channel gets it.
#[derive(Clone, Copy)]
pub(super) struct Published<'a> {
    pub(super) id: PublicationId,
    pub(super) delivery: &'a Delivery,
    /// So many of the last publications are retained.
    pub(super) retain: usize,
    /// Members that do not get it.
    pub(super) exclude: &'a [SessionName],
}

/// What a publication came to in a channel.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reached: usize,
    /// By so much more is retained, in bytes.
    pub(super) retained_more: isize,
}

/// What a channel has let go of.
#[derive(Debug)]
pub(super) struct Forgotten {
    pub(super) publications: usize,
    pub(super) bytes: usize,
    /// Its place among the channels that retain something.
    pub(super) place: Option<u64>,
}

impl Channel {
    pub(super) fn new(name: ChannelName) -> Self {
        Self {
            name,
            state: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Adds a member, and gives it what is retained, `retain` publications at most.
    pub(super) fn add(
        &self,
        member: &Arc<dyn Subscriber>,
        retain: usize,
        interest: Option<&dyn Interest>,
    ) -> Result<(), Gone> {
        let mut state = self.state();
        if state.is_gone {
            return Err(Gone);
        }
        if state.members.is_empty()
            && let Some(interest) = interest
        {
            interest.began(&self.name);
        }
        state.members.insert(member.name().id(), Arc::clone(member));
        let retained = &state.retained;
        let newest = retain.min(retained.len());
        let skipped = retained.len() - newest;
        let mailbox = member.mailbox();
        let fitting = mailbox.fitting(newest, |index| retained[skipped + index].delivery.size());
        for retained in retained.iter().skip(retained.len() - fitting) {
            deliver(&**member, &retained.delivery);
        }
        Ok(())
    }

    /// Takes a member out; true if it was the last and nothing is retained.
    pub(super) fn remove(&self, member: SessionId, interest: Option<&dyn Interest>) -> bool {
        let mut state = self.state();
        let was_member = state.members.remove(&member).is_some();
        if was_member
            && state.members.is_empty()
            && let Some(interest) = interest
        {
            interest.ended(&self.name);
        }
        state.is_idle()
    }

    /// Gives a publication to every member. All members get the publications of a channel in one order, because it is
    /// locked meanwhile.
    pub(super) fn publish(&self, published: Published<'_>) -> Result<Outcome, Gone> {
        let mut state = self.state();
        if state.is_gone {
            return Err(Gone);
        }
        let members = state.members.values();
        let reached = members
            .filter(|member| !published.exclude.contains(&member.name()))
            .filter(|member| deliver(&***member, published.delivery));
        let reached = reached.count();
        let retained_more = state.retain(published);
        Ok(Outcome {
            reached,
            retained_more,
        })
    }

    /// Lets go of what is retained.
    pub(super) fn forget_retained(&self) -> Forgotten {
        let mut state = self.state();
        let retained = std::mem::take(&mut state.retained);
        let bytes = retained.iter().map(|retained| retained.delivery.size());
        Forgotten {
            publications: retained.len(),
            bytes: bytes.sum(),
            place: state.retained_place.take(),
        }
    }

    /// Moves it to another place among the channels that retain something, and returns the one before.
    pub(super) fn set_retained_place(&self, place: u64) -> Option<u64> {
        self.state().retained_place.replace(place)
    }

    /// Marks it as gone, if it has no member and retains nothing.
    pub(super) fn leave_hub(&self) -> bool {
        let mut state = self.state();
        state.is_gone |= state.is_idle();
        state.is_gone
    }

    pub(crate) fn summary(&self) -> ChannelInfo {
        let state = self.state();
        ChannelInfo {
            name: self.name.clone(),
            sessions: state.members.len(),
            retained: state.retained.len(),
        }
    }

    /// All members at the moment.
    pub(super) fn members(&self) -> Vec<Arc<dyn Subscriber>> {
        self.state().members.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at every moment: a panic elsewhere cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.members.is_empty() && self.retained.is_empty()
    }

    fn retain(&mut self, published: Published<'_>) -> isize {
        let mut more = 0;
        if published.retain > 0 {
            more += published.delivery.size() as isize;
            self.retained.push_back(Retained {
                id: published.id,
                delivery: published.delivery.clone(),
            });
        }
        while self.retained.len() > published.retain
            && let Some(oldest) = self.retained.pop_front()
        {
            more -= oldest.delivery.size() as isize;
        }
        more
    }
}
