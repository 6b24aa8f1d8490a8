//! What gates tell each other through the engine.
//!
//! ```text
//! publish ─► engine ─► Listener of every gate with members in the channel ─► Receiver (the gate)
//! ask     ─► engine ─► Listener of every gate ─► Receiver ─► engine ─► Listener of the gate that asks
//! ```
//!
//! A gate delivers to its own sessions itself, at once, whatever the engine does.

mod asking;
mod forgetting;
mod keeping;
mod listener;
mod loading;
mod owed;
mod pending;
mod presence;
mod publishing;
mod topic;
mod waits;
mod wanted;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use self::owed::Owed;
use self::pending::Pending;
use self::presence::Presence;
use self::topic::Topic;
use self::waits::Waits;
use self::wanted::Wanted;
use super::backlog::Backlog;
use super::current::Current;
use super::exchange::{Answered, Asked, Envelope, Receiver};
use crate::channels::Interest;
use crate::config::ChannelName;
use crate::types::NodeId;

/// The bus of a gate. It outlives engines: what is wanted stays wanted.
pub(super) struct Bus {
    node: NodeId,
    current: Arc<Current>,
    wanted: Wanted,
    receiver: OnceLock<Weak<dyn Receiver>>,
    pending: Pending,
    presence: Presence,
    owed: Owed,
    /// Channels whose publications wait for what is retained.
    waits: Waits,
    /// Messages to other gates that nobody waits for: answers, and questions without an answer.
    unsent: Backlog<(Topic, Vec<u8>)>,
    /// Other gates that have heard the last question.
    others: AtomicUsize,
    /// How often a connection that listened was lost and made again.
    interruptions: AtomicU64,
}

/// Messages that wait to be sent; those that find no room are lost, as with a connection that is lost.
const MOST_UNSENT: usize = 16 * 1024;

impl Bus {
    pub(super) fn new(node: NodeId, current: &Arc<Current>) -> Self {
        Self {
            node,
            current: Arc::clone(current),
            wanted: Wanted::default(),
            receiver: OnceLock::new(),
            pending: Pending::default(),
            presence: Presence::new(),
            owed: Owed::default(),
            waits: Waits::new(),
            unsent: Backlog::new(MOST_UNSENT),
            others: AtomicUsize::new(0),
            interruptions: AtomicU64::new(0),
        }
    }

    /// Hands what comes to this gate from now on. Only the first call counts.
    pub(super) fn set_receiver(&self, receiver: Weak<dyn Receiver>) {
        let _was_set = self.receiver.set(receiver);
    }

    fn receiver(&self) -> Option<Arc<dyn Receiver>> {
        self.receiver.get().and_then(Weak::upgrade)
    }

    /// How often what other gates published was not heard for a while.
    pub(super) fn interruptions(&self) -> u64 {
        self.interruptions.load(Ordering::Relaxed)
    }

    fn note_interruption(&self) {
        self.interruptions.fetch_add(1, Ordering::Relaxed);
    }

    /// Hears a message of the engine.
    fn hear(&self, topic: Topic, payload: Vec<u8>) {
        let Some(receiver) = self.receiver() else {
            return;
        };
        match topic {
            Topic::Channel(channel) => {
                let envelope = Envelope::decode(payload);
                // Its own have been delivered.
                if let Some(envelope) = envelope.filter(|envelope| envelope.id.node != self.node) {
                    receiver.published(&channel, envelope);
                }
            }
            Topic::Gates => self.answer(&*receiver, &payload),
            Topic::Gate(_) => match serde_json::from_slice::<Answered>(&payload) {
                Ok(answered) => self.pending.answered(answered.number, answered.answer),
                Err(_no_answer) => self.answer(&*receiver, &payload),
            },
        }
    }

    fn answer(&self, receiver: &dyn Receiver, payload: &[u8]) {
        let Ok(asked) = serde_json::from_slice::<Asked>(payload) else {
            tracing::debug!("another gate asks what this version does not understand");
            return;
        };
        let Ok(from) = asked.from.parse::<NodeId>() else {
            return;
        };
        if from == self.node {
            return;
        }
        let answer = receiver.answer(asked.question);
        if let Some(number) = asked.number
            && let Ok(answered) = serde_json::to_vec(&Answered { number, answer })
        {
            self.unsent.push((Topic::Gate(from), answered));
        }
    }

    /// Whether the engine can be asked about a channel at the moment.
    fn answers_about(&self, channel: &ChannelName) -> bool {
        let engine = self.current.engine();
        engine.is_some_and(|engine| {
            let slot = Topic::Channel(channel.clone()).slot(engine.prefix());
            engine.answers(slot)
        })
    }

    /// The server that has a topic, if it is known.
    fn server_of(&self, topic: &Topic) -> Option<String> {
        let engine = self.current.engine()?;
        let slot = topic.slot(engine.prefix());
        let routes = engine.routes();
        let node = routes.node(slot).ok()?;
        Some(node.name().to_owned())
    }
}

impl Interest for Bus {
    fn began(&self, channel: &ChannelName) -> bool {
        let server = self.server_of(&Topic::Channel(channel.clone()));
        let is_heard = self.wanted.add(channel, server.as_deref());
        let receiver = self.receiver();
        let is_retained = receiver.is_some_and(|receiver| receiver.retain_of(channel) > 0);
        let is_behind = is_heard && is_retained && self.answers_about(channel);
        if is_behind {
            self.waits.begin(waits::FIRST_MEMBER, vec![channel.clone()]);
        }
        is_behind
    }

    fn ended(&self, channel: &ChannelName) {
        let server = self.server_of(&Topic::Channel(channel.clone()));
        self.wanted.remove(channel, server.as_deref());
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
