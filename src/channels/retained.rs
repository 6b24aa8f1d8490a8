//! The bound on what all channels retain.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::channel::{Channel, Forgotten};
use crate::config::ChannelName;

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
    order: BTreeMap<u64, Noted>,
    next: u64,
}

/// A channel that retains something.
#[derive(Debug)]
struct Noted {
    channel: Weak<Channel>,
    /// What it takes beside the frames, which is among the bytes.
    overhead: usize,
}

/// What a channel takes that retains something, beside its name: itself, its places in maps, and room for its first
/// publications. Measured, as the next one: 40,000 channels with one empty publication took 44 MB.
const CHANNEL: usize = 750;

/// What a publication takes beside its frame, its place and its channel's name, of which each has a copy: 200,000 empty
/// publications in 2,000 channels took 46 MB.
const PUBLICATION: usize = 130;

/// What a channel takes beside the frames that it retains.
pub(super) fn overhead(name: &ChannelName, publications: usize) -> usize {
    CHANNEL + name.len() + publications * (PUBLICATION + name.len())
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
        let overhead = overhead(channel.name(), channel.summary().retained);
        let mut books = self.books();
        books.bytes += more;
        let place = books.add(Noted {
            channel: Arc::downgrade(channel),
            overhead,
        });
        drop(books);
        for place in channel.set_retained_place(place).into_iter().flatten() {
            self.books().remove(place);
        }
    }

    /// Notes that a channel has let go of all that it retained.
    pub(super) fn released(&self, forgotten: &Forgotten) {
        let mut books = self.books();
        books.bytes -= forgotten.bytes as isize;
        if let Some(place) = forgotten.place {
            books.remove(place);
        }
    }

    /// The channel whose publications have to go, as long as all retain too much.
    pub(super) fn next_to_forget(&self) -> Option<Arc<Channel>> {
        let mut books = self.books();
        while books.bytes > self.most as isize {
            let (oldest, _) = books.order.first_key_value()?;
            let oldest = *oldest;
            if let Some(channel) = books.remove(oldest).and_then(|channel| channel.upgrade()) {
                return Some(channel);
            }
        }
        None
    }

    /// What is retained takes so much memory, by estimate.
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

impl Books {
    /// Adds a channel behind all others, and returns its place.
    fn add(&mut self, noted: Noted) -> u64 {
        let place = self.next;
        self.next += 1;
        self.bytes += noted.overhead as isize;
        self.order.insert(place, noted);
        place
    }

    fn remove(&mut self, place: u64) -> Option<Weak<Channel>> {
        let noted = self.order.remove(&place)?;
        self.bytes -= noted.overhead as isize;
        Some(noted.channel)
    }
}

#[cfg(test)]
mod tests {
    use crate::channels::{Channels, Delivery, PublicationId};
    use crate::config::ChannelName;
    use crate::types::Body;

    #[test]
    fn channels_count_also_if_what_they_retain_is_empty() {
        let channels = Channels::default();
        let mut last = 0;
        let mut publish = |name: &str, retain| {
            last += 1;
            let name: ChannelName = name.parse().unwrap();
            let delivery = Delivery::new(Some(name.clone()), &Body::from(""));
            let id = PublicationId {
                node: "0123456789ab".parse().unwrap(),
                sequence: last,
            };
            channels.publish(&name, id, &delivery, retain, &[]);
            channels.retained_bytes()
        };
        let (short, long) = ("a".repeat(10), "b".repeat(200));
        let first = publish(&short, 3);
        assert!((800..1200).contains(&first), "{first}");
        let other = publish(&long, 3) - first;
        assert!((1100..1600).contains(&other), "{other}");
        // Another one in the channel is not another channel.
        let second = publish(&short, 3) - first - other;
        assert!((150..250).contains(&second), "{second}");
        assert_eq!(publish(&short, 1), first + other);
        assert_eq!(publish(&short, 0), other);
        channels.forget_retained(&long.parse().unwrap());
        assert_eq!(channels.retained_bytes(), 0);
    }
}
