//! How the publications of before come into a channel, in their order.
//!
//! Other gates have published while this one had no member in the channel, or could not hear of it. What is published
//! meanwhile waits behind that, so that every member gets all in order.

use std::collections::HashMap;

use super::state::{Outcome, Published, State};
use crate::channels::encoded::{Delivery, PublicationId};
use crate::channels::subscriber::deliver;
use crate::types::{SessionId, SessionName};

/// What waits for the publications of before.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    waiting: Vec<Waiting>,
    bytes: usize,
    /// Members that have joined meanwhile, and how many retained publications each wants.
    newcomers: HashMap<SessionId, usize>,
}

#[derive(Debug)]
struct Waiting {
    id: PublicationId,
    delivery: Delivery,
    retain: usize,
    exclude: Box<[SessionName]>,
}

/// So many bytes wait at most; then nothing is waited for any more.
const MOST_WAITING: usize = 256 * 1024;

impl CatchUp {
    pub(super) fn add_newcomer(&mut self, member: SessionId, retain: usize) {
        self.newcomers.insert(member, retain);
    }

    /// Lets a publication wait; false if no more may.
    pub(super) fn push(&mut self, published: Published<'_>) -> bool {
        self.bytes += published.delivery.size();
        self.waiting.push(Waiting {
            id: published.id,
            delivery: published.delivery.clone(),
            retain: published.retain,
            exclude: published.exclude.into(),
        });
        self.bytes <= MOST_WAITING
    }
}

impl State {
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
