//! Publishes to other gates.

use std::time::Duration;

use redis::Pipeline;

use super::Bus;
use super::topic::{Topic, presence_key, retained_key};
use crate::config::ChannelName;
use crate::shared::counts::Operation;
use crate::shared::exchange::{Elsewhere, Envelope};

/// What is published waits so long for the engine.
const PUBLISH: Duration = Duration::from_millis(250);

/// What is retained without being published to goes after a day.
const KEPT: i64 = 24 * 3600;

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
        let unsent = |owes: bool| {
            if owes {
                self.owed.add(channel.clone());
            }
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
        let key = retained_key(prefix, channel);
        let owes = self.owed.take(channel);
        if owes {
            commands.del(&key).ignore();
        }
        if retain > 0 {
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
            Ok(_) | Err(_) => unsent(owes),
        }
    }
}
