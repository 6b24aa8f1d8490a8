//! What waits for one session.

mod line;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use self::line::Line;
use super::counts::DeliveryCounts;
use super::encoded::Delivery;
use crate::config::OnSlow;

/// The queue of publications for one session, bounded in bytes.
///
/// The bound of the settings is for a client that does not read. A client that reads gets a burst whole, before its session has
/// its turn: until a socket has taken nothing, [`MOST_UNTRIED`] may wait. At least one publication always finds room, however
/// big: the bound on one is `publish.message_size`.
#[derive(Debug)]
pub(crate) struct Mailbox {
    most: usize,
    on_slow: OnSlow,
    counts: Arc<DeliveryCounts>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Line,
    /// Of what waits, and of what the socket is taking.
    bytes: usize,
    /// Of what the socket is taking.
    writing: usize,
    /// The socket did not take all when the session last tried.
    is_stalled: bool,
    is_closed: bool,
}

/// What became of a publication.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It waits, and nothing else does: the session does not know of it.
    First,
    /// It waits behind others.
    Behind,
    /// There is no room, and the session is to end for it.
    Overflowed,
    /// The session takes no more.
    Closed,
}

/// What a session takes to write it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Nothing,
    /// One frame, on shared bytes.
    One(Bytes),
    /// Several frames, which were copied one behind the other.
    Several,
}

/// So many bytes may wait as long as the socket takes everything.
const MOST_UNTRIED: usize = 1024 * 1024;

/// So many bytes of small frames are copied together, so that one write is enough for them.
const BATCH: usize = 32 * 1024;

impl Mailbox {
    pub(crate) fn new(most: usize, on_slow: OnSlow, counts: Arc<DeliveryCounts>) -> Self {
        Self {
            most,
            on_slow,
            counts,
            queue: Mutex::default(),
        }
    }

    /// Lets a publication wait.
    pub(super) fn put(&self, delivery: &Delivery) -> Put {
        let mut queue = self.queue();
        if queue.is_closed {
            return Put::Closed;
        }
        let is_first = queue.waiting.is_empty();
        let room = self.most(&queue).saturating_sub(delivery.size());
        if queue.bytes > room {
            let before = queue.waiting.len();
            match self.on_slow {
                OnSlow::Close if queue.bytes > 0 => {
                    queue.close();
                    self.counts.dropped(before + 1);
                    return Put::Overflowed;
                }
                OnSlow::Close => {}
                OnSlow::DropOldest => queue.drop_oldest(room),
                OnSlow::Latest => queue.keep_latest(delivery, room),
            }
            self.counts.dropped(before - queue.waiting.len());
        }
        queue.bytes += delivery.size();
        queue.waiting.push(delivery.clone());
        match is_first {
            true => Put::First,
            false => Put::Behind,
        }
    }

    /// The newest of these that find room together.
    pub(super) fn fitting(&self, deliveries: usize, size: impl Fn(usize) -> usize) -> usize {
        let queue = self.queue();
        let mut room = self.most(&queue).saturating_sub(queue.bytes);
        drop(queue);
        let newest_first = (0..deliveries).rev();
        let fits = newest_first.take_while(|index| {
            let left = room.checked_sub(size(*index));
            room = left.unwrap_or(room);
            left.is_some()
        });
        fits.count().max(1.min(deliveries))
    }

    /// Takes what waits longest; small frames are put into `batch`. The socket must have taken all that was taken
    /// before.
    pub(crate) fn take(&self, batch: &mut Vec<u8>) -> Taken {
        let mut queue = self.queue();
        queue.settle();
        let Some(first) = queue.waiting.pop() else {
            return Taken::Nothing;
        };
        queue.writing = first.size();
        let fits = |queue: &Queue, taken: usize| {
            let next = queue.waiting.front();
            next.is_some_and(|next| taken + next.frame().len() <= BATCH)
        };
        if !fits(&queue, first.frame().len()) {
            self.counts.delivered(1, first.frame().len());
            return Taken::One(first.frame().clone());
        }
        batch.clear();
        batch.extend_from_slice(first.frame());
        let mut messages = 1;
        while fits(&queue, batch.len())
            && let Some(next) = queue.waiting.pop()
        {
            queue.writing += next.size();
            batch.extend_from_slice(next.frame());
            messages += 1;
        }
        self.counts.delivered(messages, batch.len());
        Taken::Several
    }

    /// The socket does not take all.
    pub(crate) fn set_stalled(&self) {
        self.queue().is_stalled = true;
    }

    /// Takes no more, and lets go of what waits.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        self.counts.left(queue.waiting.len());
        queue.close();
    }

    /// So many bytes may wait at the moment.
    fn most(&self, queue: &Queue) -> usize {
        match queue.is_stalled {
            true => self.most,
            false => self.most.max(MOST_UNTRIED),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whole at every moment: a panic elsewhere cannot have left it half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn settle(&mut self) {
        self.bytes -= std::mem::take(&mut self.writing);
        self.is_stalled = false;
    }

    fn close(&mut self) {
        *self = Self {
            is_closed: true,
            ..Self::default()
        };
    }

    /// Drops what waits longest, until there are no more than so many bytes.
    fn drop_oldest(&mut self, room: usize) {
        while self.bytes > room
            && let Some(oldest) = self.waiting.pop()
        {
            self.bytes -= oldest.size();
        }
    }

    /// Drops what a newer publication of the same channel makes out of date: of this one's channel first, then of each.
    /// What is for no channel is never out of date.
    fn keep_latest(&mut self, newest: &Delivery, room: usize) {
        if newest.channel.is_some() {
            self.keep(|waiting| waiting.channel != newest.channel);
        }
        if self.bytes > room {
            let mut channels = HashSet::new();
            let newest_first = self.waiting.iter().rev();
            let kept = newest_first.map(|waiting| match &waiting.channel {
                Some(channel) => channels.insert(channel.clone()),
                None => true,
            });
            let mut kept: Vec<_> = kept.collect();
            self.keep(|_| kept.pop().unwrap_or(true));
        }
        self.drop_oldest(room);
    }

    fn keep(&mut self, mut is_kept: impl FnMut(&Delivery) -> bool) {
        let mut dropped = 0;
        self.waiting.retain(|waiting| {
            let is_kept = is_kept(waiting);
            dropped += usize::from(!is_kept) * waiting.size();
            is_kept
        });
        self.bytes -= dropped;
    }
}

#[cfg(test)]
mod tests;
