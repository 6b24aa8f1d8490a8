//! How the publications of before come into a channel, in their order.
//!
//! Other gates have published while this one had no member in the channel, or could not hear of it. What is published
//! meanwhile waits behind that, so that every member gets all in order.

use std::collections::HashMap;

use super::history::Retained;
use super::published::Published;
use crate::channels::encoded::PublicationId;
use crate::types::SessionId;

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
    pub(super) publication: Retained,
    pub(super) retain: usize,
}

/// So many bytes wait at most; then nothing is waited for any more.
const MOST_WAITING: usize = 256 * 1024;

impl CatchUp {
    pub(super) fn add_newcomer(&mut self, member: SessionId, retain: usize) {
        self.newcomers.insert(member, retain);
    }

    /// Lets a publication wait; false if no more may.
    pub(super) fn push(&mut self, published: Published<'_>) -> bool {
        let publication = Retained::new(published);
        self.bytes += publication.size();
        self.waiting.push(Waiting {
            publication,
            retain: published.retain,
        });
        self.bytes <= MOST_WAITING
    }

    pub(super) fn find(&mut self, id: PublicationId) -> Option<&mut Retained> {
        let mut waiting = self.waiting.iter_mut();
        let waiting = waiting.find(|waiting| waiting.publication.id == id);
        waiting.map(|waiting| &mut waiting.publication)
    }
}
