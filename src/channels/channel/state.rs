//! What is behind the lock of a channel.

use std::collections::HashMap;
use std::sync::Arc;

use super::catch_up::CatchUp;
use super::history::{History, Retained};
use super::published::{Earlier, Outcome, Published};
use crate::channels::encoded::PublicationId;
use crate::channels::subscriber::{Subscriber, deliver};
use crate::types::SessionId;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) members: HashMap<SessionId, Arc<dyn Subscriber>>,
    pub(super) history: History,
    /// Its place among all channels that retain something.
    pub(super) retained_place: Option<u64>,
    /// Publications of before are on their way from elsewhere.
    pub(super) catch_up: Option<CatchUp>,
    /// Publications of before have come since there are members.
    is_caught_up: bool,
    /// It is out of the hub, which has another of this name or none.
    pub(super) is_gone: bool,
}

impl State {
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.history.is_empty()
    }

    /// Adds a member, and gives it what is retained: now, or when that is complete.
    pub(super) fn add(&mut self, member: &Arc<dyn Subscriber>, retain: usize) {
        self.is_caught_up &= !self.members.is_empty();
        self.members.insert(member.name().id(), Arc::clone(member));
        match &mut self.catch_up {
            Some(catch_up) => catch_up.add_newcomer(member.name().id(), retain),
            None => self.give_retained(&**member, retain),
        }
    }

    /// Gives a member the last publications that are retained, as many as it wants and has room for.
    fn give_retained(&self, member: &dyn Subscriber, retain: usize) {
        let name = member.name();
        let is_for_it = |retained: &&Retained| !retained.exclude.contains(&name);
        let retained: Vec<_> = self.history.iter().filter(is_for_it).collect();
        let newest = retain.min(retained.len());
        let skipped = retained.len() - newest;
        let size = |index: usize| retained[skipped + index].delivery.size();
        let fitting = member.mailbox().fitting(newest, size);
        for retained in &retained[retained.len() - fitting..] {
            deliver(member, &retained.delivery);
        }
    }

    /// Gives a publication to the members: now, or behind those of before.
    pub(super) fn publish(&mut self, published: Published<'_>) -> Outcome {
        let Some(catch_up) = &mut self.catch_up else {
            return self.deliver(published);
        };
        let is_full = !catch_up.push(published);
        let members = self.members.values();
        let members = members.filter(|member| !published.excludes(&***member));
        let mut outcome = Outcome {
            reached: members.count(),
            retained_more: 0,
        };
        if is_full {
            outcome.retained_more = self.catch_up(None, published.retain).retained_more;
        }
        outcome
    }

    fn deliver(&mut self, published: Published<'_>) -> Outcome {
        if self.history.take_loaded(published.id) {
            return Outcome::default();
        }
        let members = self.members.values();
        let reached = members
            .filter(|member| !published.excludes(&***member))
            .filter(|member| deliver(&***member, published.delivery));
        Outcome {
            reached: reached.count(),
            retained_more: self.history.add(published),
        }
    }

    pub(super) fn begin_catch_up(&mut self) {
        self.catch_up.get_or_insert_default();
    }

    /// Takes in what is retained elsewhere, if it is known, and lets go on what has waited for it.
    pub(super) fn catch_up(&mut self, elsewhere: Option<&[Earlier]>, retain: usize) -> Outcome {
        let catch_up = self.catch_up.take().unwrap_or_default();
        let mut outcome = Outcome::default();
        if let Some(elsewhere) = elsewhere {
            outcome.retained_more += self.take_in(elsewhere, &catch_up, retain);
            self.is_caught_up = true;
        }
        for (member, retain) in &catch_up.newcomers {
            if let Some(member) = self.members.get(member) {
                self.give_retained(&**member, *retain);
            }
        }
        for waiting in &catch_up.waiting {
            let publication = &waiting.publication;
            let delivered = self.deliver(Published {
                id: publication.id,
                delivery: &publication.delivery,
                retain: waiting.retain,
                exclude: &publication.exclude,
            });
            outcome.retained_more += delivered.retained_more;
            if publication.is_only_here {
                self.note_only_here(publication.id);
            }
        }
        outcome
    }

    /// Gives what was missed to the members that were there, and retains it. Returns by how many bytes that is more.
    fn take_in(&mut self, elsewhere: &[Earlier], catch_up: &CatchUp, retain: usize) -> isize {
        let waiting = catch_up.waiting.iter();
        let waiting: Vec<_> = waiting.map(|waiting| waiting.publication.id).collect();
        let missed = elsewhere
            .iter()
            .filter(|earlier| !waiting.contains(&earlier.id) && self.history.misses(earlier.id));
        let missed: Vec<_> = missed.collect();
        // To members that have come too early for it, it is what was there before them.
        let most = if self.is_caught_up {
            missed.len()
        } else {
            retain
        };
        let others = self.members.iter();
        let others = others.filter(|(member, _)| !catch_up.newcomers.contains_key(*member));
        for (_, member) in others {
            let name = member.name();
            for earlier in &missed[missed.len().saturating_sub(most)..] {
                if !earlier.exclude.contains(&name) {
                    deliver(&**member, &earlier.delivery);
                }
            }
        }
        self.history.merge(elsewhere, &missed, retain)
    }

    /// Other gates have not got this publication.
    pub(super) fn note_only_here(&mut self, id: PublicationId) {
        let waiting = self.catch_up.as_mut();
        let waiting = waiting.and_then(|catch_up| catch_up.find(id));
        if let Some(publication) = waiting.or_else(|| self.history.find(id)) {
            publication.is_only_here = true;
        }
    }
}
