//! What a channel keeps for the members to come, and what it knows to have had.

use std::collections::{HashSet, VecDeque};

use super::published::{Earlier, Published};
use super::seen::Seen;
use crate::channels::encoded::{Delivery, PublicationId};
use crate::types::SessionName;

/// The last publications of a channel.
#[derive(Debug, Default)]
pub(super) struct History {
    /// From the oldest to the newest.
    retained: VecDeque<Retained>,
    seen: Seen,
    /// What was loaded, and may be heard yet: it outlasts what is retained, too.
    loaded: VecDeque<PublicationId>,
}

/// So many publications may be heard after they were loaded: more than a channel retains at most.
const MOST_LOADED: usize = 256;

/// A publication that is kept.
#[derive(Debug)]
pub(super) struct Retained {
    pub(super) id: PublicationId,
    pub(super) delivery: Delivery,
    pub(super) exclude: Box<[SessionName]>,
    /// Other gates have not got it, as far as is known.
    pub(super) is_only_here: bool,
}

impl Retained {
    pub(super) fn new(published: Published<'_>) -> Self {
        Self {
            id: published.id,
            delivery: published.delivery.clone(),
            exclude: published.exclude.into(),
            is_only_here: false,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.delivery.size() + size_of_val(&*self.exclude)
    }
}

impl History {
    pub(super) fn is_empty(&self) -> bool {
        self.retained.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.retained.len()
    }

    /// From the oldest to the newest.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Retained> {
        self.retained.iter()
    }

    /// Whether this one was loaded, and is heard only now. It is heard once.
    pub(super) fn take_loaded(&mut self, id: PublicationId) -> bool {
        let at = self.loaded.iter().position(|loaded| *loaded == id);
        at.and_then(|at| self.loaded.remove(at)).is_some()
    }

    /// Whether this one has never been here. One that a later one of its gate has overtaken counts as having been.
    pub(super) fn misses(&self, id: PublicationId) -> bool {
        !self.seen.is_past(id) && !self.retains(id)
    }

    fn retains(&self, id: PublicationId) -> bool {
        self.retained.iter().any(|retained| retained.id == id)
    }

    pub(super) fn find(&mut self, id: PublicationId) -> Option<&mut Retained> {
        let mut newest_first = self.retained.iter_mut().rev();
        newest_first.find(|retained| retained.id == id)
    }

    /// Retains a publication, and as many before it as are to be. Returns by how many bytes that is more.
    pub(super) fn add(&mut self, publication: Published<'_>) -> isize {
        self.seen.note(publication.id);
        let mut more = 0;
        if publication.retain > 0 {
            let publication = Retained::new(publication);
            more += publication.size() as isize;
            self.retained.push_back(publication);
        }
        more - self.let_go(publication.retain) as isize
    }

    /// Lets go of the oldest until no more are left than so many. Returns how many bytes those had.
    pub(super) fn let_go(&mut self, left: usize) -> usize {
        let oldest = ..self.retained.len().saturating_sub(left);
        let oldest = self.retained.drain(oldest);
        oldest.map(|oldest| oldest.size()).sum()
    }

    /// Takes in what is `missed` of what is retained `elsewhere`, and retains the last publications of all. Returns by how many
    /// bytes that is more.
    ///
    /// The order is that of elsewhere. What is retained here and not there any more is older than that; what has never
    /// been there is newer, if it is the last that was published here.
    pub(super) fn merge(
        &mut self,
        elsewhere: &[Earlier],
        missed: &[&Earlier],
        retain: usize,
    ) -> isize {
        let is_there: HashSet<_> = elsewhere.iter().map(|earlier| earlier.id).collect();
        let is_missed: HashSet<_> = missed.iter().map(|earlier| earlier.id).collect();
        let mut head = std::mem::take(&mut self.retained);
        let newest_first = head.iter().rev();
        let only_here = newest_first
            .take_while(|retained| retained.is_only_here && !is_there.contains(&retained.id));
        let tail = head.split_off(head.len() - only_here.count());
        let mut more = 0;
        for earlier in elsewhere {
            if is_missed.contains(&earlier.id) {
                let older = head
                    .iter()
                    .position(|retained| is_there.contains(&retained.id));
                let older = older.unwrap_or(head.len());
                self.retained.extend(head.drain(..older));
                let missed = Retained::of(earlier);
                more += missed.size() as isize;
                self.retained.push_back(missed);
            } else if let Some(at) = head.iter().position(|retained| retained.id == earlier.id) {
                self.retained.extend(head.drain(..=at));
            }
        }
        self.retained.extend(head);
        self.retained.extend(tail);
        for retained in &mut self.retained {
            // What comes to be elsewhere from now on is newer.
            retained.is_only_here = false;
        }
        for earlier in missed {
            self.seen.note(earlier.id);
            self.loaded.push_back(earlier.id);
        }
        let oldest = ..self.loaded.len().saturating_sub(MOST_LOADED);
        self.loaded.drain(oldest);
        more - self.let_go(retain) as isize
    }
}

impl Retained {
    fn of(earlier: &Earlier) -> Self {
        Self {
            id: earlier.id,
            delivery: earlier.delivery.clone(),
            exclude: earlier.exclude.clone(),
            is_only_here: false,
        }
    }
}
