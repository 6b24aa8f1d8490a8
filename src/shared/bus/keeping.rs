//! What the bus does as long as there is an engine.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use redis::{Pipeline, Value, cmd};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Bus;
use super::listener::Listener;
use super::topic::{Topic, presence_key};
use crate::shared::backlog::Backlog;
use crate::shared::counts::Operation;
use crate::shared::engine::{Engine, Node, Slot};

/// Counts are written so often.
const FLUSH: Duration = Duration::from_secs(1);

/// A gate that ends waits so long for them to be written.
const LAST_FLUSH: Duration = Duration::from_millis(500);

/// So many commands go to a server at once.
const BATCH: usize = 256;

/// What nobody waits for.
const SEND: Duration = Duration::from_secs(1);

impl Bus {
    /// Listens, sends and counts, for as long as it is polled.
    pub(in crate::shared) async fn keep(&self, engine: &Engine) {
        tokio::select! {
            () = self.listen(engine) => {}
            never = self.send_unsent(engine) => match never {},
            never = self.write_presence(engine) => match never {},
            never = self.waits.end_each(|channels| self.end_wait(channels)) => match never {},
        }
    }

    /// Has a listener on every server that the engine has at the moment.
    async fn listen(&self, engine: &Engine) {
        let mut listeners = FuturesUnordered::new();
        let mut listened: Vec<(Arc<Node>, AbortHandle)> = Vec::new();
        let mut routes = engine.watch_routes();
        loop {
            let nodes = routes.borrow_and_update().nodes().to_vec();
            listened.retain(|(node, listener)| {
                // One of the same name may be another one: that of a task before this.
                let stays = nodes.iter().any(|now| Arc::ptr_eq(now, node));
                if !stays {
                    listener.abort();
                }
                stays
            });
            for node in nodes {
                if listened
                    .iter()
                    .any(|(before, _)| Arc::ptr_eq(before, &node))
                {
                    continue;
                }
                let (handle, registration) = AbortHandle::new_pair();
                let listener = Listener {
                    bus: self,
                    engine,
                    node: Arc::clone(&node),
                    loads: Backlog::new(usize::MAX),
                };
                listeners.push(Abortable::new(listener.listen(), registration));
                listened.push((node, handle));
            }
            loop {
                tokio::select! {
                    // Only one that was aborted ends.
                    Some(_aborted) = listeners.next() => {}
                    // The engine has the sender.
                    _changed = routes.changed() => break,
                }
            }
        }
    }

    /// Sends answers, and what nobody answers.
    async fn send_unsent(&self, engine: &Engine) -> Infallible {
        loop {
            let unsent = self.unsent.take().await;
            let mut by_slot: HashMap<Slot, Pipeline> = HashMap::new();
            for (topic, payload) in unsent {
                let commands = by_slot.entry(topic.slot(engine.prefix())).or_default();
                let publish = engine.publish_command();
                commands
                    .cmd(publish)
                    .arg(topic.name(engine.prefix()))
                    .arg(payload);
            }
            for (slot, mut commands) in by_slot {
                let _counted = engine.send(Operation::Ask, slot, &mut commands, SEND).await;
            }
        }
    }

    /// Writes how many members each channel has here.
    async fn write_presence(&self, engine: &Engine) -> Infallible {
        let mut flush = interval(FLUSH);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Another engine has none of it.
        self.presence.forget();
        loop {
            flush.tick().await;
            self.flush(engine).await;
        }
    }

    /// Writes them once, at the end of the gate.
    pub(in crate::shared) async fn write_presence_now(&self) {
        if let Some(engine) = self.current.engine() {
            let _late = timeout(LAST_FLUSH, self.flush(&engine)).await;
        }
    }

    async fn flush(&self, engine: &Engine) {
        let Some(receiver) = self.receiver() else {
            return;
        };
        let mut time = Pipeline::new();
        time.add_command(cmd("TIME"));
        let anywhere = Topic::Gates.slot(engine.prefix());
        let time = engine
            .send(Operation::Presence, anywhere, &mut time, SEND)
            .await;
        let time = time
            .ok()
            .and_then(|answers| answers.into_iter().next_back());
        let Some(Ok(time)) = time else {
            // What is not written now is written when the engine is back.
            self.presence.forget();
            return;
        };
        self.forget_owed(engine).await;
        if let Some(seconds) = seconds(&time) {
            self.presence.set_engine_time(seconds);
        }
        let changes = self.presence.changes(receiver.members(), Instant::now());
        let mut by_server: HashMap<String, (Slot, Pipeline)> = HashMap::new();
        for change in changes {
            let slot = Topic::Channel(change.channel.clone()).slot(engine.prefix());
            let routes = engine.routes();
            let Ok(node) = routes.node(slot) else {
                continue;
            };
            let entry = by_server.entry(node.name().to_owned());
            let (_, commands) = entry.or_insert_with(|| (slot, Pipeline::new()));
            let key = presence_key(engine.prefix(), &change.channel);
            self.presence
                .write(commands, &key, self.node, change.members);
            if commands.len() >= BATCH {
                let commands = &mut std::mem::take(commands);
                let _counted = engine.send(Operation::Presence, slot, commands, SEND).await;
            }
        }
        for (slot, mut commands) in by_server.into_values() {
            if !commands.is_empty() {
                let _counted = engine
                    .send(Operation::Presence, slot, &mut commands, SEND)
                    .await;
            }
        }
    }
}

/// The seconds of the answer to `TIME`.
fn seconds(time: &Value) -> Option<u64> {
    let (seconds, _microseconds): (u64, u64) = redis::from_redis_value_ref(time).ok()?;
    Some(seconds)
}
