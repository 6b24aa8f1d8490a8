//! What is behind the lock of a channel.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::catch_up::CatchUp;
use crate::channels::encoded::{Delivery, PublicationId};
use crate::channels::subscriber::{Subscriber, deliver};
use crate::types::{SessionId, SessionName};

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

/// A publication as a channel gets it.
#[derive(Clone, Copy)]
pub(in crate::channels) struct Published<'a> {
    pub(in crate::channels) id: PublicationId,
    pub(in crate::channels) delivery: &'a Delivery,
    /// So many of the last publications are retained.
    pub(in crate::channels) retain: usize,
    /// Members that do not get it.
    pub(in crate::channels) exclude: &'a [SessionName],
}

/// What a publication came to in a channel.
#[derive(Debug, Default)]
pub(in crate::channels) struct Outcome {
    pub(in crate::channels) reached: usize,
    /// By so much more is retained, in bytes.
    pub(in crate::channels) retained_more: isize,
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
}
