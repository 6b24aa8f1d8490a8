//! One channel: its members, and what it keeps for the next one.

mod catch_up;
mod history;
mod published;
mod seen;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use self::published::Earlier;
pub(super) use self::published::{Outcome, Published};
use self::state::State;
use super::encoded::PublicationId;
use super::interest::Interest;
use super::publication::ChannelInfo;
use super::subscriber::Subscriber;
use crate::config::ChannelName;
use crate::types::SessionId;

/// A channel with members, or with publications for those that come.
#[derive(Debug)]
pub(crate) struct Channel {
    name: ChannelName,
    state: Mutex<State>,
}

/// The channel has left the hub since it was found there.
#[derive(Debug)]
pub(super) struct Gone;

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
            && interest.began(&self.name)
        {
            state.begin_catch_up();
        }
        state.add(member, retain);
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
        Ok(state.publish(published))
    }

    /// Lets publications wait until [`Channel::catch_up`].
    pub(super) fn begin_catch_up(&self) {
        self.state().begin_catch_up();
    }

    /// Gives what is retained elsewhere, from the oldest to the newest, to the members that have not got it, and then what
    /// waited. `None` if it is not known: what waited goes on, and it may come later.
    pub(super) fn catch_up(
        &self,
        elsewhere: Option<&[Earlier]>,
        retain: usize,
    ) -> Result<Outcome, Gone> {
        let mut state = self.state();
        match state.is_gone {
            true => Err(Gone),
            false => Ok(state.catch_up(elsewhere, retain)),
        }
    }

    /// Other gates have not got this publication: what they publish before they are heard again is older.
    pub(super) fn note_only_here(&self, id: PublicationId) {
        self.state().note_only_here(id);
    }

    /// Lets go of what is retained.
    pub(super) fn forget_retained(&self) -> Forgotten {
        let mut state = self.state();
        Forgotten {
            publications: state.history.len(),
            bytes: state.history.let_go(0),
            place: state.retained_place.take(),
        }
    }

    /// Moves it to another place among the channels that retain something, and returns the places that are not its any
    /// more: this one too, if it has let go of everything meanwhile.
    pub(super) fn set_retained_place(&self, place: u64) -> [Option<u64>; 2] {
        let mut state = self.state();
        match state.history.is_empty() {
            true => [Some(place), state.retained_place.take()],
            false => [state.retained_place.replace(place), None],
        }
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
            retained: state.history.len(),
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
