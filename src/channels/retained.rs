//! The bound on what all channels retain.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::channel::{Channel, Forgotten};

/// Knows the channels that retain something, from the one with the oldest publication on.
#[derive(Debug)]
pub(super) struct RetainedBudget {
    most: usize,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Below zero for a moment, where a channel lets go of a publication before it is noted.
    bytes: isize,
    order: BTreeMap<u64, Weak<Channel>>,
    next: u64,
}

impl RetainedBudget {
    /// So many bytes at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            books: Mutex::default(),
        }
    }

    /// Notes that a channel has retained a publication, and by how many bytes that is more.
    pub(super) fn note(&self, channel: &Arc<Channel>, more: isize) {
        let mut books = self.books();
        books.bytes += more;
        let place = books.next;
        books.next += 1;
        books.order.insert(place, Arc::downgrade(channel));
        drop(books);
        for place in channel.set_retained_place(place).into_iter().flatten() {
            self.books().order.remove(&place);
        }
    }

    /// Notes that a channel has let go of all that it retained.
    pub(super) fn released(&self, forgotten: &Forgotten) {
        let mut books = self.books();
        books.bytes -= forgotten.bytes as isize;
        if let Some(place) = forgotten.place {
            books.order.remove(&place);
        }
    }

    /// The channel whose publications have to go, as long as all retain too much.
    pub(super) fn next_to_forget(&self) -> Option<Arc<Channel>> {
        let mut books = self.books();
        while books.bytes > self.most as isize {
            let (_, channel) = books.order.pop_first()?;
            if let Some(channel) = channel.upgrade() {
                return Some(channel);
            }
        }
        None
    }

    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.books().bytes).unwrap_or(0)
    }

    /// How many channels it knows.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.books().order.len()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
