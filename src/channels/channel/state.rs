//! What is behind the lock of a channel.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::catch_up::CatchUp;
use super::published::{Outcome, Published};
use crate::channels::encoded::{Delivery, PublicationId};
use crate::channels::subscriber::{Subscriber, deliver};
use crate::types::SessionId;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) members: HashMap<SessionId, Arc<dyn Subscriber>>,
    /// From the oldest to the newest.
    pub(super) retained: VecDeque<Retained>,
    /// Its place among all channels that retain something.
    pub(super) retained_place: Option<u64>,
    /// Publications of before are on their way from elsewhere.
    pub(super) catch_up: Option<CatchUp>,
    /// It is out of the hub, which has another of this name or none.
    pub(super) is_gone: bool,
}

#[derive(Debug)]
pub(super) struct Retained {
    pub(super) id: PublicationId,
    pub(super) delivery: Delivery,
}

impl State {
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.retained.is_empty()
    }

    /// Adds a member, and gives it what is retained: now, or when that is complete.
    pub(super) fn add(&mut self, member: &Arc<dyn Subscriber>, retain: usize) {
        self.members.insert(member.name().id(), Arc::clone(member));
        match &mut self.catch_up {
            Some(catch_up) => catch_up.add_newcomer(member.name().id(), retain),
            None => self.give_retained(&**member, retain),
        }
    }

    /// Gives a member the last publications that are retained, as many as it wants and has room for.
    pub(super) fn give_retained(&self, member: &dyn Subscriber, retain: usize) {
        let retained = &self.retained;
        let newest = retain.min(retained.len());
        let skipped = retained.len() - newest;
        let size = |index| retained[skipped + index].delivery.size();
        let fitting = member.mailbox().fitting(newest, size);
        for retained in retained.iter().skip(retained.len() - fitting) {
            deliver(member, &retained.delivery);
        }
    }

    /// Gives a publication to the members: now, or behind those of before.
    pub(super) fn publish(&mut self, published: Published<'_>) -> Outcome {
        let Some(catch_up) = &mut self.catch_up else {
            return self.deliver(published);
        };
        let is_full = !catch_up.push(published);
        let excluded = published.exclude.iter();
        let excluded = excluded.filter(|name| self.members.contains_key(&name.id()));
        let mut outcome = Outcome {
            reached: self.members.len() - excluded.count(),
            retained_more: 0,
        };
        if is_full {
            outcome.retained_more = self.catch_up(&[], published.retain).retained_more;
        }
        outcome
    }

    pub(super) fn deliver(&mut self, published: Published<'_>) -> Outcome {
        let members = self.members.values();
        let reached = members
            .filter(|member| !published.exclude.contains(&member.name()))
            .filter(|member| deliver(&***member, published.delivery));
        Outcome {
            reached: reached.count(),
            retained_more: self.retain(published.id, published.delivery, published.retain),
        }
    }

    /// Retains a publication, and as many before it as are to be. Returns by how many bytes that is more.
    pub(super) fn retain(
        &mut self,
        id: PublicationId,
        delivery: &Delivery,
        retain: usize,
    ) -> isize {
        let mut more = 0;
        if retain > 0 {
            more += delivery.size() as isize;
            self.retained.push_back(Retained {
                id,
                delivery: delivery.clone(),
            });
        }
        while self.retained.len() > retain
            && let Some(oldest) = self.retained.pop_front()
        {
            more -= oldest.delivery.size() as isize;
        }
        more
    }

    pub(super) fn begin_catch_up(&mut self) {
        self.catch_up.get_or_insert_default();
    }

    pub(super) fn catch_up(
        &mut self,
        earlier: &[(PublicationId, Delivery)],
        retain: usize,
    ) -> Outcome {
        let Some(catch_up) = self.catch_up.take() else {
            return Outcome::default();
        };
        let is_waiting = |id| catch_up.waiting.iter().any(|waiting| waiting.id == id);
        let is_retained = |id| self.retained.iter().any(|retained| retained.id == id);
        let missed = earlier
            .iter()
            .filter(|(id, _)| !is_waiting(*id) && !is_retained(*id));
        let missed: Vec<_> = missed.cloned().collect();
        let mut outcome = Outcome::default();
        for (id, delivery) in &missed {
            let others = self.members.iter();
            let others = others.filter(|(member, _)| !catch_up.newcomers.contains_key(*member));
            for (_, member) in others {
                deliver(&**member, delivery);
            }
            outcome.retained_more += self.retain(*id, delivery, retain);
        }
        for (member, retain) in &catch_up.newcomers {
            if let Some(member) = self.members.get(member) {
                self.give_retained(&**member, *retain);
            }
        }
        for waiting in &catch_up.waiting {
            let delivered = self.deliver(Published {
                id: waiting.id,
                delivery: &waiting.delivery,
                retain: waiting.retain,
                exclude: &waiting.exclude,
            });
            outcome.retained_more += delivered.retained_more;
        }
        outcome
    }
}
