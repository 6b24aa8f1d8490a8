//! New settings for the process while it serves.
//!
//! ```text
//! SIGHUP, the file changed, POST /reload ─► Reloader ─► read and check whole ─► Server::reload
//! ```
//!
//! What can go wrong comes first: reading, the log's filter, binding new listeners. Then the gate's
//! settings are swapped, and what is left cannot fail. Whatever goes wrong changes nothing.

pub(crate) mod applied;
mod apply;
pub(crate) mod counts;
pub(crate) mod rejected;
pub(crate) mod requests;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use applied::Applied;
use rejected::Rejected;
use requests::{Outcome, Reloads, Request};
use source::{POLL_INTERVAL, Source};

use super::handover::{Handover, Wish};
use super::notify::ServiceManager;
use super::server::Server;
use super::signals::{Signals, StopSignal, Told};
use crate::config::{Config, ConfigErrors};

/// Reloads one thing after the other, whoever asks for it.
pub(crate) struct Reloader {
    /// `None` where the settings came from no file.
    source: Option<Source>,
    /// The file was not read since the start, so that finding it as it was is no news.
    is_fresh: bool,
    asked: mpsc::Receiver<Request>,
    /// Told of every reload.
    manager: Arc<ServiceManager>,
    handover: Handover,
}

/// Why a process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Told(StopSignal),
    /// The next process serves.
    Succeeded,
}

/// Who asked for a reload, as the log says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Signal,
    File,
    Admin,
}

impl Reloader {
    /// A reloader for this file, and how to ask it, where there is one to ask.
    pub(crate) fn new(file: Option<&Path>) -> (Self, Option<Reloads>) {
        let (requests, asked) = Reloads::channel();
        let source = file.map(|file| Source::new(file, POLL_INTERVAL));
        let reloads = source.is_some().then_some(requests);
        let reloader = Self {
            source,
            is_fresh: true,
            asked,
            manager: Arc::default(),
            handover: Handover::default(),
        };
        (reloader, reloads)
    }

    /// Tells this service manager of reloads.
    pub(crate) fn told(self, manager: ServiceManager) -> Self {
        let manager = Arc::new(manager);
        Self { manager, ..self }
    }

    /// Hands over to the next process here, between two reloads.
    pub(crate) fn followed(self, handover: Handover) -> Self {
        Self { handover, ..self }
    }

    pub(crate) fn manager(&self) -> Arc<ServiceManager> {
        Arc::clone(&self.manager)
    }

    /// Whether the next process has the listening sockets, and has not begun to serve them.
    pub(crate) fn hands_over(&self) -> bool {
        self.handover.is_under_way()
    }

    /// Reloads until a signal to stop, or until the next process has taken the place of this one.
    pub(crate) async fn serve(&mut self, server: &mut Server, signals: &mut Signals) -> Stop {
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop(signal) => return Stop::Told(signal),
                    Told::Reload => {
                        let _outcome = self.reload(server, Trigger::Signal).await;
                    }
                },
                Some(tell) = self.asked.recv() => {
                    // Whoever asked may be gone, but not what they asked for.
                    if let Some(outcome) = self.reload(server, Trigger::Admin).await {
                        let _gone = tell.send(outcome);
                    }
                }
                config = changed(&mut self.source) => {
                    // The first look nearly always finds what the start has read.
                    if !self.is_fresh {
                        self.manager.reloading();
                    }
                    let outcome = self.apply(server, config, Trigger::File).await;
                    self.manager.reloaded(outcome.is_err(), server.sessions());
                }
                wish = self.handover.next() => match wish {
                    Wish::Sockets(successor) => {
                        self.handover.give(server.listeners.copy_sockets(), successor);
                    }
                    Wish::Place => return Stop::Succeeded,
                },
            }
        }
    }

    async fn reload(&mut self, server: &mut Server, trigger: Trigger) -> Option<Outcome> {
        self.manager.reloading();
        let outcome = self.read_and_apply(server, trigger).await;
        let is_rejected = outcome.as_ref().is_some_and(Result::is_err);
        self.manager.reloaded(is_rejected, server.sessions());
        outcome
    }

    async fn read_and_apply(&mut self, server: &mut Server, trigger: Trigger) -> Option<Outcome> {
        let Some(source) = &mut self.source else {
            tracing::warn!("SIGHUP: there is no file to read settings from");
            return None;
        };
        let config = source.load().await;
        Some(self.apply(server, config, trigger).await)
    }

    async fn apply(
        &mut self,
        server: &mut Server,
        config: Result<Config, ConfigErrors>,
        trigger: Trigger,
    ) -> Outcome {
        let outcome = match config {
            Ok(config) => server.take(config).await.map_err(Rejected::Refused),
            Err(errors) => Err(Rejected::Wrong(errors)),
        };
        let first_look = std::mem::take(&mut self.is_fresh) && trigger == Trigger::File;
        let applied = outcome.as_ref().ok();
        if first_look && applied.is_some_and(Applied::is_unchanged) {
            return outcome;
        }
        // Whoever reads the line finds it counted.
        server.reload_counts.add(applied, SystemTime::now());
        match &outcome {
            Ok(applied) => applied.log(trigger.as_str()),
            Err(rejected) => rejected.log(trigger.as_str()),
        }
        outcome
    }
}

/// What the file says when it has changed.
async fn changed(source: &mut Option<Source>) -> Result<Config, ConfigErrors> {
    match source {
        Some(source) => source.changed().await,
        None => std::future::pending().await,
    }
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "SIGHUP",
            Self::File => "file",
            Self::Admin => "admin",
        }
    }
}
