use std::sync::Mutex;

use super::super::mailbox::{Mailbox, Taken};
use super::super::membership::Membership;
use super::super::retained::overhead;
use super::*;
use crate::config::OnSlow;
use crate::types::{Body, NodeId};

/// A session that reads when it is told to.
#[derive(Debug)]
struct Reader {
    name: SessionName,
    membership: Membership,
    woken: AtomicUsize,
    is_slow: AtomicUsize,
}

impl Reader {
    fn new(number: u64) -> Arc<Self> {
        Self::with_queue(number, 1 << 20)
    }

    fn with_queue(number: u64, queue: usize) -> Arc<Self> {
        let mailbox = Mailbox::new(queue, OnSlow::Close, Arc::default());
        Arc::new(Self {
            name: SessionName::new("0123456789ab".parse().unwrap(), number.into()),
            membership: Membership::new(mailbox),
            woken: AtomicUsize::new(0),
            is_slow: AtomicUsize::new(0),
        })
    }

    /// The texts that wait, of a letter each.
    fn read(&self) -> String {
        let mut batch = Vec::new();
        let frames = match self.membership.mailbox().take(&mut batch) {
            Taken::Nothing => return String::new(),
            Taken::One(frame) => frame.to_vec(),
            Taken::Several => batch,
        };
        frames.chunks(3).map(|frame| char::from(frame[2])).collect()
    }
}

impl Subscriber for Reader {
    fn name(&self) -> SessionName {
        self.name
    }

    fn mailbox(&self) -> &Mailbox {
        self.membership.mailbox()
    }

    fn wake(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }

    fn close_slow(&self) {
        self.is_slow.fetch_add(1, Ordering::Relaxed);
    }
}

fn name(name: &str) -> ChannelName {
    name.parse().unwrap()
}

fn join(channels: &Channels, reader: &Arc<Reader>, channel: &str, retain: usize) -> bool {
    let member: Arc<dyn Subscriber> = Arc::clone(reader) as _;
    channels
        .join(&member, &reader.membership, &name(channel), retain)
        .unwrap()
}

fn leave_all(channels: &Channels, reader: &Reader) {
    channels.leave_all(reader.name.id(), &reader.membership);
}

/// Publishes texts of a letter each; returns whom the last one reached.
fn publish(channels: &Channels, channel: &str, texts: &str, retain: usize) -> usize {
    let mut reached = 0;
    for (sequence, text) in (0..).zip(texts.chars()) {
        let id = PublicationId {
            node: NodeId::random(),
            sequence,
        };
        let delivery = Delivery::new(Some(name(channel)), &Body::from(text.to_string()));
        reached = channels.publish(&name(channel), id, &delivery, retain, &[]);
    }
    reached
}

#[test]
fn the_members_of_a_channel_get_what_is_published_there() {
    let channels = Channels::default();
    let (one, two, other) = (Reader::new(1), Reader::new(2), Reader::new(3));
    assert!(join(&channels, &one, "room.1", 0));
    assert!(join(&channels, &two, "room.1", 0));
    assert!(join(&channels, &other, "room.2", 0));
    assert!(
        !join(&channels, &one, "room.1", 0),
        "it is a member already"
    );
    assert_eq!(publish(&channels, "room.1", "abc", 0), 2);
    assert_eq!(publish(&channels, "room.3", "d", 0), 0);
    assert_eq!(
        (one.read(), two.read(), other.read()),
        ("abc".into(), "abc".into(), "".into())
    );
    // Once for what waits.
    assert_eq!(one.woken.load(Ordering::Relaxed), 1);
    assert!(channels.leave(one.name.id(), &one.membership, &name("room.1")));
    assert!(!channels.leave(one.name.id(), &one.membership, &name("room.1")));
    assert_eq!(publish(&channels, "room.1", "e", 0), 1);
    assert_eq!((channels.count(), channels.members()), (2, 2));
    leave_all(&channels, &two);
    leave_all(&channels, &other);
    assert_eq!((channels.count(), channels.members()), (0, 0));
    let member: Arc<dyn Subscriber> = Arc::clone(&two) as _;
    assert_eq!(
        channels.join(&member, &two.membership, &name("a"), 0),
        Err(ChannelError::SessionGone)
    );
    assert_eq!(channels.count(), 0);
}

#[test]
fn an_excluded_session_does_not_get_it() {
    let channels = Channels::default();
    let (one, two) = (Reader::new(1), Reader::new(2));
    join(&channels, &one, "a", 0);
    join(&channels, &two, "a", 0);
    let id = PublicationId {
        node: NodeId::random(),
        sequence: 1,
    };
    let delivery = Delivery::new(Some(name("a")), &Body::from("x"));
    assert_eq!(
        channels.publish(&name("a"), id, &delivery, 0, &[one.name]),
        1
    );
    assert_eq!((one.read(), two.read()), ("".into(), "x".into()));
}

#[test]
fn who_joins_gets_the_last_publications_that_its_route_wants() {
    let channels = Channels::default();
    publish(&channels, "a", "uvwxyz", 3);
    assert_eq!(channels.count(), 1, "it is kept without a member");
    for (retain, expected) in [(0, ""), (1, "z"), (3, "xyz"), (9, "xyz")] {
        let reader = Reader::new(retain as u64);
        join(&channels, &reader, "a", retain);
        assert_eq!(reader.read(), expected);
        leave_all(&channels, &reader);
    }
    // Only what its queue has room for: the newest.
    let size = Delivery::new(Some(name("a")), &Body::from("x")).size();
    let reader = Reader::with_queue(10, 2 * size);
    reader.mailbox().set_stalled();
    join(&channels, &reader, "a", 9);
    assert_eq!(
        (
            reader.read().as_str(),
            reader.is_slow.load(Ordering::Relaxed)
        ),
        ("yz", 0)
    );
    leave_all(&channels, &reader);
    assert_eq!(channels.forget_retained(&name("a")), 3);
    assert_eq!((channels.count(), channels.retained_bytes()), (0, 0));
}

#[test]
fn what_is_retained_is_bounded_and_the_oldest_channel_goes() {
    let size = Delivery::new(Some(name("a")), &Body::from("x")).size();
    let overhead = overhead(&name("a"), 1) + overhead(&name("b"), 2);
    let channels = Channels {
        retained: RetainedBudget::new(3 * size + overhead),
        ..Channels::default()
    };
    publish(&channels, "a", "1", 1);
    publish(&channels, "b", "12", 2);
    assert_eq!(channels.count(), 2);
    // One that is published to again is not the oldest any more.
    publish(&channels, "a", "2", 1);
    publish(&channels, "c", "1", 1);
    let summary = |channel| {
        channels
            .summary(&name(channel))
            .map(|summary| summary.retained)
    };
    assert_eq!(
        [summary("a"), summary("b"), summary("c")],
        [Some(1), None, Some(1)]
    );
    // Settings that retain no more let go of it.
    publish(&channels, "a", "3", 0);
    assert_eq!(channels.forget_retained(&name("a")), 0);
    assert_eq!(channels.list(|_| true).len(), 1);
}

#[test]
fn a_session_is_in_so_many_channels_at_most() {
    let channels = Channels::default();
    let reader = Reader::new(1);
    for number in 0..MOST_CHANNELS {
        join(&channels, &reader, &format!("a.{number}"), 0);
    }
    let member: Arc<dyn Subscriber> = Arc::clone(&reader) as _;
    assert_eq!(
        channels.join(&member, &reader.membership, &name("b"), 0),
        Err(ChannelError::TooManyChannels)
    );
    assert_eq!(
        channels.join(&member, &reader.membership, &name("a.0"), 0),
        Ok(false)
    );
    assert_eq!(reader.membership.names().len(), MOST_CHANNELS);
    leave_all(&channels, &reader);
    assert_eq!(channels.count(), 0);
}

/// Notes which channels begin and end.
#[derive(Debug, Default)]
struct Noted {
    channels: Mutex<String>,
    /// There are publications of before elsewhere.
    is_behind: bool,
}

impl Interest for Noted {
    fn began(&self, channel: &ChannelName) -> bool {
        *self.channels.lock().unwrap() += &format!("+{channel}");
        self.is_behind
    }

    fn ended(&self, channel: &ChannelName) {
        *self.channels.lock().unwrap() += &format!("-{channel}");
    }
}

#[test]
fn the_first_member_and_the_last_are_noted() {
    let channels = Channels::default();
    let noted = Arc::new(Noted::default());
    channels.set_interest(Arc::clone(&noted) as _);
    let (one, two) = (Reader::new(1), Reader::new(2));
    publish(&channels, "a", "x", 1);
    join(&channels, &one, "a", 0);
    join(&channels, &two, "a", 0);
    join(&channels, &two, "b", 0);
    leave_all(&channels, &two);
    leave_all(&channels, &one);
    join(&channels, &Reader::new(3), "a", 0);
    assert_eq!(*noted.channels.lock().unwrap(), "+a+b-b-a+a");
}

#[test]
fn all_members_get_the_publications_of_many_publishers_in_one_order() {
    let channels = Channels::default();
    let readers: Vec<_> = (0..8).map(Reader::new).collect();
    for reader in &readers {
        join(&channels, reader, "a", 0);
    }
    std::thread::scope(|scope| {
        for text in ["a", "b", "c", "d"] {
            scope.spawn(|| publish(&channels, "a", &text.repeat(500), 0));
        }
    });
    let first = readers[0].read();
    assert_eq!(first.len(), 2000);
    assert!(readers[1..].iter().all(|reader| reader.read() == first));
}

#[test]
fn sessions_may_come_and_go_while_others_publish() {
    let channels = Channels::default();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let channels = &channels;
            scope.spawn(move || {
                for round in 0..500 {
                    let reader = Reader::new(number * 1000 + round);
                    join(channels, &reader, "a", 1);
                    publish(channels, "a", "x", (round % 2) as usize);
                    leave_all(channels, &reader);
                    channels.forget_retained(&name("a"));
                }
            });
        }
    });
    channels.forget_retained(&name("a"));
    assert_eq!(channels.retained.places(), 0);
    assert_eq!(
        (
            channels.count(),
            channels.members(),
            channels.retained_bytes()
        ),
        (0, 0, 0)
    );
}

mod catch_up;
