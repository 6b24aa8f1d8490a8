//! New settings for the process while it serves.
//!
//! ```text
//! SIGHUP, the file changed, POST /reload ─► Reloader ─► read and check whole ─► Server::reload
//! ```
//!
//! What can go wrong comes first: reading, the log's filter, binding new listeners. Then the gate's
//! settings are swapped, and the rest cannot fail. A reload that fails changes nothing.

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
use requests::{Outcome, ReloadRequests, Request};
use source::{POLL_INTERVAL, Source};

use super::handover::{Handover, SuccessorRequest};
use super::notify::ServiceManager;
use super::server::Server;
use super::signals::{SignalAction, Signals, StopSignal};
use crate::config::{Config, can_be_read_again};

/// Reloads the settings, one reload after the other.
pub(crate) struct Reloader {
    /// `None` where the settings come from no file.
    source: Option<Source>,
    /// The file was not read since the start: the first look finds no change.
    is_fresh: bool,
    requests: mpsc::Receiver<Request>,
    /// Notified of every reload.
    manager: Arc<ServiceManager>,
    handover: Handover,
}

/// Why a process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    Signal(StopSignal),
    /// The next process serves.
    Succeeded,
}

/// The cause of a reload, for its log line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Signal,
    File,
    Admin,
}

impl Reloader {
    /// A reloader for this file, and the way to request a reload if there is a file.
    pub(crate) fn new(file: Option<&Path>) -> (Self, Option<ReloadRequests>) {
        let (sender, requests) = ReloadRequests::channel();
        let given = file.is_some();
        let file = file.filter(|file| can_be_read_again(file));
        if given && file.is_none() {
            tracing::info!("the settings came from a pipe, and are not read again");
        }
        let source = file.map(|file| Source::new(file, POLL_INTERVAL));
        let reloads = source.is_some().then_some(sender);
        let reloader = Self {
            source,
            is_fresh: true,
            requests,
            manager: Arc::default(),
            handover: Handover::default(),
        };
        (reloader, reloads)
    }

    /// Notifies this service manager of reloads.
    pub(crate) fn with_manager(self, manager: ServiceManager) -> Self {
        let manager = Arc::new(manager);
        Self { manager, ..self }
    }

    /// Hands over to the next process between two reloads.
    pub(crate) fn with_handover(self, handover: Handover) -> Self {
        Self { handover, ..self }
    }

    pub(crate) fn manager(&self) -> Arc<ServiceManager> {
        Arc::clone(&self.manager)
    }

    /// Whether the next process has the listening sockets and has not confirmed that it serves them.
    pub(crate) fn is_handing_over(&self) -> bool {
        self.handover.is_under_way()
    }

    /// Reloads on request until a signal to stop, or until the next process serves.
    pub(crate) async fn serve(&mut self, server: &mut Server, signals: &mut Signals) -> StopCause {
        loop {
            tokio::select! {
                action = signals.next() => match action {
                    SignalAction::Stop(signal) => return StopCause::Signal(signal),
                    SignalAction::Reload => {
                        if let Err(signal) = self.reload(server, signals, Trigger::Signal).await {
                            return StopCause::Signal(signal);
                        }
                    }
                },
                Some(reply) = self.requests.recv() => {
                    match self.reload(server, signals, Trigger::Admin).await {
                        Ok(Some(outcome)) => {
                            // The reload is done even if its requester has gone.
                            let _gone = reply.send(outcome);
                        }
                        Ok(None) => {}
                        Err(signal) => return StopCause::Signal(signal),
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
                request = self.handover.next() => match request {
                    SuccessorRequest::Sockets(successor) => {
                        let sockets = server.listeners.copy_sockets();
                        self.handover.send_sockets(sockets, &server.tickets, successor);
                    }
                    SuccessorRequest::TakeOver => return StopCause::Succeeded,
                },
            }
        }
    }

    /// Reads the file and applies it; the outcome is `None` where there is no file. Reading may take
    /// long, and a signal to stop ends it.
    async fn reload(
        &mut self,
        server: &mut Server,
        signals: &mut Signals,
        mut trigger: Trigger,
    ) -> Result<Option<Outcome>, StopSignal> {
        if self.source.is_none() {
            tracing::warn!("SIGHUP: there is no file to read settings from");
            return Ok(None);
        }
        self.manager.reloading();
        let outcome = loop {
            let mut is_asked_again = false;
            let config = tokio::select! {
                biased;
                signal = stop(signals, &mut is_asked_again) => return Err(signal),
                config = load(&mut self.source) => config,
            };
            let outcome = self.apply(server, config, trigger).await;
            // The file may have changed after it was read.
            if !is_asked_again {
                break outcome;
            }
            trigger = Trigger::Signal;
        };
        // Whoever asks for a reload may have mended the cause of a failure.
        server.orders.try_again();
        self.manager.reloaded(outcome.is_err(), server.sessions());
        Ok(Some(outcome))
    }

    async fn apply(
        &mut self,
        server: &mut Server,
        config: Result<Config, Rejected>,
        trigger: Trigger,
    ) -> Outcome {
        let outcome = match config {
            Ok(config) => server.apply(config).await.map_err(Rejected::Refused),
            Err(rejected) => Err(rejected),
        };
        let first_look = std::mem::take(&mut self.is_fresh) && trigger == Trigger::File;
        let applied = outcome.as_ref().ok();
        if first_look && applied.is_some_and(Applied::is_unchanged) {
            return outcome;
        }
        // Counted before it is logged.
        server.reload_counts.add(applied, SystemTime::now());
        match &outcome {
            Ok(applied) => applied.log(trigger.as_str()),
            Err(rejected) => rejected.log(trigger.as_str()),
        }
        outcome
    }
}

/// The settings of the file when it has changed.
async fn changed(source: &mut Option<Source>) -> Result<Config, Rejected> {
    match source {
        Some(source) => source.changed().await,
        None => std::future::pending().await,
    }
}

/// The settings of the file.
async fn load(source: &mut Option<Source>) -> Result<Config, Rejected> {
    match source {
        Some(source) => source.load().await,
        None => std::future::pending().await,
    }
}

/// Waits for a signal to stop, and notes the others.
async fn stop(signals: &mut Signals, is_asked_again: &mut bool) -> StopSignal {
    loop {
        match signals.next().await {
            SignalAction::Stop(signal) => return signal,
            SignalAction::Reload => *is_asked_again = true,
        }
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
