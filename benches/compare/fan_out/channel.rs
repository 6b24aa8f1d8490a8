//! A channel, its members and its publisher, all in one thread: each publication is timed at each member.

use std::io;
use std::time::{Duration, Instant};

use super::members::{DIGITS, Members};
use crate::common::publisher::Publisher;
use crate::latency::Latencies;

pub(crate) struct Channel {
    members: Members,
    publisher: Publisher,
    size: usize,
    sent: Vec<Publication>,
    /// So many deliveries are on their way.
    awaited: usize,
}

struct Publication {
    /// When it was sent, or should have been.
    due: Instant,
    left: usize,
}

/// What a time of publishing came to.
#[derive(Default)]
pub(crate) struct Deliveries {
    pub(crate) publications: u32,
    pub(crate) latencies: Latencies,
    /// Those of each publication's last member.
    pub(crate) last: Latencies,
    pub(crate) time: Duration,
}

/// How much longer than the time of publishing the last delivery may take.
const LATE: Duration = Duration::from_secs(20);

/// How long a channel may take to have all of its members, and how often that is tried.
const JOINED: Duration = Duration::from_secs(20);
const TRIAL: Duration = Duration::from_secs(3);

impl Channel {
    pub(crate) fn new(members: Members, publisher: Publisher, size: usize) -> Self {
        Self {
            members,
            publisher,
            size,
            sent: Vec::new(),
            awaited: 0,
        }
    }

    /// Publishes until a publication reaches all members: a server may answer a handshake before the
    /// session is in the channel.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            let tried = Instant::now();
            self.publish(tried)?;
            while self.awaited > 0 && tried.elapsed() < TRIAL || !self.publisher.is_answered()? {
                self.read(Duration::ZERO, &mut Deliveries::default())?;
                if begun.elapsed() > JOINED {
                    let missed = self.awaited;
                    return Err(io::Error::other(format!("{missed} are not in the channel")));
                }
            }
            if self.awaited == 0 {
                return Ok(());
            }
            // Nobody waits for it any more.
            self.awaited = 0;
            for publication in &mut self.sent {
                publication.left = 0;
            }
        }
    }

    /// Publishes for so long: the next when all have the last one, or at a pace of its own.
    pub(crate) fn publish_for(
        &mut self,
        time: Duration,
        pace: Option<Duration>,
    ) -> io::Result<Deliveries> {
        let mut deliveries = Deliveries::default();
        let begun = Instant::now();
        let end = begun + time;
        loop {
            let now = Instant::now();
            let is_done = self.is_done()?;
            let due = match pace {
                Some(pace) => end.min(begun + pace * deliveries.publications),
                None if is_done => now,
                None => end,
            };
            if is_done && now >= end {
                deliveries.time = begun.elapsed();
                return Ok(deliveries);
            }
            if now > end + LATE {
                return Err(io::Error::other("it does not keep up"));
            }
            if due <= now && now < end && self.publisher.is_answered()? {
                self.publish(due)?;
                deliveries.publications += 1;
            }
            // While something is on its way nobody sleeps: to wake a sleeper costs the server, too.
            let wait = match is_done {
                true => due.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            self.read(wait, &mut deliveries)?;
        }
    }

    fn publish(&mut self, due: Instant) -> io::Result<()> {
        let number = self.sent.len();
        let left = self.members.count();
        self.publisher
            .publish(&format!("{number:0DIGITS$}{:x<1$}", "", self.size - DIGITS))?;
        self.sent.push(Publication { due, left });
        self.awaited += left;
        Ok(())
    }

    fn read(&mut self, wait: Duration, deliveries: &mut Deliveries) -> io::Result<()> {
        let Self {
            members,
            sent,
            awaited,
            ..
        } = self;
        members.read(wait, |number| {
            let publication = sent.get_mut(number).filter(|sent| sent.left > 0);
            let Some(publication) = publication else {
                return;
            };
            let latency = publication.due.elapsed();
            publication.left -= 1;
            *awaited -= 1;
            deliveries.latencies.add(latency);
            if publication.left == 0 {
                deliveries.last.add(latency);
            }
        })
    }

    /// Whether all members have all, and the publisher its answer.
    fn is_done(&mut self) -> io::Result<bool> {
        Ok(self.awaited == 0 && self.publisher.is_answered()?)
    }
}
