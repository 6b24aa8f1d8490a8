//! Lets go of what channels retain in the engine, later if it is away.

use std::time::Duration;

use redis::Pipeline;

use super::Bus;
use super::topic::{Topic, retained_key};
use crate::config::ChannelName;
use crate::shared::counts::Operation;
use crate::shared::engine::Engine;

/// Somebody waits so long for the engine.
const FORGET: Duration = Duration::from_millis(250);

impl Bus {
    /// Lets go of what a channel retains in the engine: now, or when the engine is back.
    pub(in crate::shared) async fn forget_retained(&self, channel: &ChannelName) {
        if let Some(engine) = self.current.engine()
            && !forget(&engine, channel).await
        {
            self.owed.add(channel.clone());
        }
    }

    /// Lets go of what could not be let go of before.
    pub(super) async fn forget_owed(&self, engine: &Engine) {
        let mut answers = true;
        for channel in self.owed.take_all() {
            answers = answers && forget(engine, &channel).await;
            if !answers {
                self.owed.add(channel);
            }
        }
    }
}

/// False if the engine does not do it at the moment.
async fn forget(engine: &Engine, channel: &ChannelName) -> bool {
    let slot = Topic::Channel(channel.clone()).slot(engine.prefix());
    let mut commands = Pipeline::new();
    commands.del(retained_key(engine.prefix(), channel));
    let sent = engine.send(Operation::Publish, slot, &mut commands, FORGET);
    let answers = sent.await.unwrap_or_default();
    answers.last().is_some_and(Result::is_ok)
}
