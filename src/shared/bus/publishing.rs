//! Publishes to other gates, and loads what they have published before.

use std::time::Duration;

use redis::{Pipeline, Value};

use super::Bus;
use super::topic::{Topic, presence_key, retained_key};
use crate::channels::{Delivery, Earlier};
use crate::config::ChannelName;
use crate::shared::counts::Operation;
use crate::shared::engine::Engine;
use crate::shared::exchange::{Elsewhere, Envelope};

/// What is published waits so long for the engine.
const PUBLISH: Duration = Duration::from_millis(250);

/// What is retained of many channels has so long to come.
const LOAD: Duration = Duration::from_secs(1);

/// What is retained without being published to goes after a day.
const KEPT: i64 = 24 * 3600;

/// So many channels are loaded at once.
const BATCH: usize = 64;

impl Bus {
    /// Publishes to the members of a channel on other gates, which retain the last `retain` publications.
    pub(in crate::shared) async fn publish(
        &self,
        channel: &ChannelName,
        envelope: &Envelope,
        retain: usize,
    ) -> Elsewhere {
        let Some(engine) = self.current.engine() else {
            return Elsewhere::default();
        };
        let unsent = || {
            if retain > 0
                && let Some(receiver) = self.receiver()
            {
                receiver.note_only_here(channel, envelope.id);
            }
            Elsewhere::default()
        };
        let (prefix, topic) = (engine.prefix(), Topic::Channel(channel.clone()));
        let payload = envelope.encode();
        let mut commands = Pipeline::new();
        if retain > 0 {
            let key = retained_key(prefix, channel);
            commands.rpush(&key, &payload).ignore();
            commands.ltrim(&key, -(retain as isize), -1).ignore();
            commands.expire(&key, KEPT).ignore();
        }
        let publish = engine.publish_command();
        commands
            .cmd(publish)
            .arg(topic.name(prefix))
            .arg(payload)
            .ignore();
        commands.hgetall(presence_key(prefix, channel));
        let sent = engine.send(
            Operation::Publish,
            topic.slot(prefix),
            &mut commands,
            PUBLISH,
        );
        match sent.await.map(|answers| answers.into_iter().next_back()) {
            Ok(Some(Ok(counts))) => self.presence.read(&counts, self.node),
            Ok(_) | Err(_) => unsent(),
        }
    }

    /// Lets go of what a channel retains in the engine.
    pub(in crate::shared) async fn forget_retained(&self, channel: &ChannelName) {
        let Some(engine) = self.current.engine() else {
            return;
        };
        let slot = Topic::Channel(channel.clone()).slot(engine.prefix());
        let mut commands = Pipeline::new();
        commands
            .del(retained_key(engine.prefix(), channel))
            .ignore();
        let _counted = engine
            .send(Operation::Publish, slot, &mut commands, PUBLISH)
            .await;
    }

    /// Has the gate catch up with what these channels retain in the engine, or with nothing if it does not come.
    pub(super) async fn catch_up(&self, engine: &Engine, channels: &[ChannelName]) {
        let Some(receiver) = self.receiver() else {
            return;
        };
        let channels: Vec<_> = channels
            .iter()
            .filter(|channel| receiver.retain_of(channel) > 0)
            .collect();
        for channels in channels.chunks(BATCH) {
            let loads = channels.iter().map(|channel| load(engine, channel));
            let loaded = futures_util::future::join_all(loads).await;
            for (channel, loaded) in channels.iter().zip(loaded) {
                receiver.catch_up(channel, Some(&loaded));
            }
        }
    }
}

/// What a channel retains in the engine, from the oldest to the newest.
async fn load(engine: &Engine, channel: &ChannelName) -> Vec<Earlier> {
    let slot = Topic::Channel(channel.clone()).slot(engine.prefix());
    let mut commands = Pipeline::new();
    commands.lrange(retained_key(engine.prefix(), channel), 0, -1);
    let loaded = engine
        .send(Operation::Retained, slot, &mut commands, LOAD)
        .await;
    let loaded = loaded
        .ok()
        .and_then(|answers| answers.into_iter().next_back());
    let Some(Ok(Value::Array(loaded))) = loaded else {
        return Vec::new();
    };
    let envelopes = loaded.into_iter().filter_map(|value| match value {
        Value::BulkString(bytes) => Envelope::decode(bytes),
        _ => None,
    });
    let earlier = envelopes.map(|envelope| Earlier {
        id: envelope.id,
        delivery: Delivery::new(Some(channel.clone()), &envelope.body),
        exclude: envelope.exclude.into(),
    });
    earlier.collect()
}
