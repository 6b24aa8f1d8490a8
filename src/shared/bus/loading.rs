//! Loads what channels retain in the engine, however long that takes.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Pipeline, Value};
use tokio::time::{Instant, sleep_until};

use super::Bus;
use super::topic::{Topic, retained_key};
use crate::channels::{Delivery, Earlier};
use crate::config::ChannelName;
use crate::shared::backlog::Backlog;
use crate::shared::counts::Operation;
use crate::shared::engine::{Engine, EngineError, Pauses};
use crate::shared::exchange::Envelope;

/// What is retained of many channels has so long to come.
const LOAD: Duration = Duration::from_secs(1);

/// So many channels are loaded at once.
const BATCH: usize = 64;

/// The pauses between attempts to load.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Bus {
    /// Has what waits in these channels go on, though nothing has been loaded.
    pub(super) fn end_wait(&self, channels: &[ChannelName]) {
        if let Some(receiver) = self.receiver() {
            let channels = channels.iter();
            channels.for_each(|channel| receiver.catch_up(channel, None));
        }
    }

    /// Has the gate catch up with what these channels retain in the engine. What the engine does not answer is asked again.
    pub(super) async fn load(
        &self,
        engine: &Engine,
        channels: &Backlog<ChannelName>,
    ) -> Infallible {
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut missing = HashSet::new();
        let mut next = Instant::now();
        loop {
            let wanted = tokio::select! {
                wanted = channels.take() => wanted.into_iter().collect(),
                () = sleep_until(next), if !missing.is_empty() => std::mem::take(&mut missing),
            };
            let failed = self.load_once(engine, wanted).await;
            if failed.is_empty() {
                pauses.reset();
            } else {
                missing.extend(failed);
                next = Instant::now() + pauses.next(rand::random());
            }
        }
    }

    /// Loads channels that are still wanted, and returns those that have to be asked for again.
    async fn load_once(&self, engine: &Engine, channels: HashSet<ChannelName>) -> Vec<ChannelName> {
        let Some(receiver) = self.receiver() else {
            return Vec::new();
        };
        let channels: Vec<_> = channels
            .into_iter()
            .filter(|channel| self.wanted.contains(channel))
            .collect();
        self.forget_owed(engine).await;
        let mut failed = Vec::new();
        for channels in channels.chunks(BATCH) {
            let loads = channels.iter().map(|channel| load(engine, channel));
            for (channel, loaded) in channels.iter().zip(join_all(loads).await) {
                match loaded {
                    Ok(loaded) => receiver.catch_up(channel, Some(&loaded)),
                    Err(error) if error.is_of_command() => receiver.catch_up(channel, None),
                    Err(_may_pass) => failed.push(channel.clone()),
                }
            }
        }
        failed
    }
}

/// What a channel retains in the engine, from the oldest to the newest.
async fn load(engine: &Engine, channel: &ChannelName) -> Result<Vec<Earlier>, EngineError> {
    let slot = Topic::Channel(channel.clone()).slot(engine.prefix());
    if !engine.answers(slot) {
        return Err(EngineError::Away);
    }
    let mut commands = Pipeline::new();
    commands.lrange(retained_key(engine.prefix(), channel), 0, -1);
    let answers = engine.send(Operation::Retained, slot, &mut commands, LOAD);
    let Value::Array(loaded) = answers
        .await?
        .into_iter()
        .next_back()
        .ok_or(EngineError::Form)??
    else {
        return Err(EngineError::Form);
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
    Ok(earlier.collect())
}
