//! How the publications of before come into a channel, in their order.
//!
//! Other gates have published while this one had no member in the channel, or could not hear of it. What is published
//! meanwhile waits behind that, so that every member gets all in order.

use std::collections::HashMap;

use super::published::Published;
use crate::channels::encoded::{Delivery, PublicationId};
use crate::types::{SessionId, SessionName};

/// What waits for the publications of before.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    pub(super) waiting: Vec<Waiting>,
    bytes: usize,
    /// Members that have joined meanwhile, and how many retained publications each wants.
    pub(super) newcomers: HashMap<SessionId, usize>,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: PublicationId,
    pub(super) delivery: Delivery,
    pub(super) retain: usize,
    pub(super) exclude: Box<[SessionName]>,
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
