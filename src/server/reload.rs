//! New settings for the process while it serves.
//!
//! ```text
//! SIGHUP, the file changed, POST /reload ─► Reloader ─► read and check whole ─► Server::reload
//! ```
//!
//! What can go wrong comes first: reading, the log's filter, binding new listeners. Then the gate's
//! settings are swapped, and what is left cannot fail. Whatever goes wrong changes nothing.

mod applied;
mod counts;
mod rejected;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};
use tracing_subscriber::EnvFilter;

pub use applied::Applied;
pub(super) use counts::{Counted, ReloadCounts};
pub(super) use rejected::Rejected;
pub(super) use source::{POLL_INTERVAL, Source};

use super::connection::Connections;
use super::handover::{Handover, Wish};
use super::notify::ServiceManager;
use super::open::{BoundListener, OpenListener};
use super::signals::{Signals, StopSignal, Told};
use super::{ServeError, Server, descriptors, logging};
use crate::config::{self, Config, ConfigErrors};

/// What a reload came to.
type Outcome = Result<Applied, Rejected>;

/// Asks for reloads, from anywhere in the process; a clone asks the same reloader.
#[derive(Clone, Debug)]
pub(super) struct Reloads {
    asks: mpsc::Sender<oneshot::Sender<Outcome>>,
}

/// Reloads one thing after the other, whoever asks for it.
pub(super) struct Reloader {
    /// `None` where the settings came from no file.
    source: Option<Source>,
    /// The file was not read since the start, so that finding it as it was is no news.
    is_fresh: bool,
    asked: mpsc::Receiver<oneshot::Sender<Outcome>>,
    /// Told of every reload.
    manager: Arc<ServiceManager>,
    handover: Handover,
}

/// Why a process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
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

/// Reloads that may wait for the one under way.
const WAITING: usize = 4;

impl Reloads {
    /// Reads the file again. `None` if nobody does that any more.
    pub(super) async fn ask(&self) -> Option<Outcome> {
        let (tell, told) = oneshot::channel();
        self.asks.send(tell).await.ok()?;
        told.await.ok()
    }
}

impl Reloader {
    /// A reloader for this file, and how to ask it, where there is one to ask.
    pub(super) fn new(file: Option<&Path>) -> (Self, Option<Reloads>) {
        let (asks, asked) = mpsc::channel(WAITING);
        let source = file.map(|file| Source::new(file, POLL_INTERVAL));
        let reloads = source.is_some().then_some(Reloads { asks });
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
    pub(super) fn told(self, manager: ServiceManager) -> Self {
        let manager = Arc::new(manager);
        Self { manager, ..self }
    }

    /// Hands over to the next process here, between two reloads.
    pub(super) fn followed(self, handover: Handover) -> Self {
        Self { handover, ..self }
    }

    pub(super) fn manager(&self) -> Arc<ServiceManager> {
        Arc::clone(&self.manager)
    }

    /// Whether the next process has the listening sockets, and has not begun to serve them.
    pub(super) fn hands_over(&self) -> bool {
        self.handover.is_under_way()
    }

    /// Reloads until a signal to stop, or until the next process has taken the place of this one.
    pub(super) async fn serve(&mut self, server: &mut Server, signals: &mut Signals) -> Stop {
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
                        self.handover.give(server.copy_sockets(), successor);
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

impl Server {
    /// Puts other settings in the place of the server's own, without losing a session.
    ///
    /// See [`Handle::reload`](crate::Handle::reload) for what becomes of sessions and limits. New
    /// listeners are all bound first. A removed one accepts no more; sessions that came by it go on.
    ///
    /// # Errors
    /// [`ServeError`] if a listener cannot be had, or a setting of the log or the gate is wrong.
    /// Nothing has changed then.
    pub async fn reload(&mut self, config: Config) -> Result<Applied, ServeError> {
        let outcome = self.take(config).await;
        self.reload_counts
            .add(outcome.as_ref().ok(), SystemTime::now());
        outcome
    }

    /// The same, not counted.
    async fn take(&mut self, config: Config) -> Result<Applied, ServeError> {
        let log_filter = logging::filter(&config.log)?;
        let worker = self.workers.first();
        let added = BoundListener::bind_new(&config.listen, &self.listeners, &self.passed, worker)?;
        let admin = match &config.admin {
            Some(admin) if !self.has_admin_at(&admin.address) => {
                Some(BoundListener::bind(&admin.address, &self.passed, worker)?)
            }
            _ => None,
        };
        let settings = config.clone();
        let mut applied = Applied {
            gate: self.handle.reload(config)?,
            ..Applied::default()
        };
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        self.apply_log(settings.log, log_filter, &mut applied);
        self.apply_server(settings.server, &mut applied);
        self.apply_listeners(&settings.listen, added, &mut applied)
            .await;
        self.apply_admin(settings.admin, admin, &mut applied).await;
        applied.name_keys();
        Ok(applied)
    }

    fn has_admin_at(&self, address: &config::ListenAddress) -> bool {
        let admin = self.admin_listener.as_ref();
        admin.is_some_and(|admin| admin.setting == *address)
    }

    fn apply_log(&mut self, log: config::Log, filter: EnvFilter, applied: &mut Applied) {
        let Some(control) = &self.log else {
            return;
        };
        let running = &mut self.running.log;
        applied.key("log.level", log.level != running.level);
        applied.key("log.access", log.access != running.access);
        applied.restart("log.format", log.format != running.format);
        *running = config::Log {
            format: running.format,
            ..log
        };
        control.apply(filter);
    }

    fn apply_server(&mut self, server: config::Server, applied: &mut Applied) {
        let running = &mut self.running.server;
        let late = server.handshake_timeout != running.handshake_timeout;
        let head = server.head_size != running.head_size;
        let sessions = server.sessions != running.sessions;
        applied.key("server.handshake_timeout", late);
        applied.key("server.head_size", head);
        applied.key("server.sessions", sessions);
        applied.restart("server.workers", server.workers != running.workers);
        *running = config::Server {
            workers: running.workers,
            ..server
        };
        if late || head {
            let connections = Connections::new(self.gate.clone(), &server);
            self.dispatcher.renew(connections);
        }
        if sessions {
            let (most, budget) = descriptors::shares(server.sessions, &self.workers);
            self.handle.allow_sessions(most);
            self.room.renew(budget);
        }
    }

    /// Opens the new listeners, and then closes the removed ones.
    async fn apply_listeners(
        &mut self,
        listen: &[config::Listen],
        added: Vec<BoundListener>,
        applied: &mut Applied,
    ) {
        for listener in added {
            applied.listeners_added.push(self.open(listener));
        }
        let is_wanted = |setting: &config::ListenAddress| {
            listen.iter().any(|listen| listen.address == *setting)
        };
        let listeners = std::mem::take(&mut self.listeners).into_iter();
        let (mut kept, removed): (Vec<_>, Vec<_>) =
            listeners.partition(|listener| is_wanted(&listener.setting));
        kept.sort_by_key(|listener| {
            let mut wanted = listen.iter();
            wanted.position(|listen| listen.address == listener.setting)
        });
        for listener in &kept {
            let differs = listener.differs_beside(listen);
            applied.restart("listen.address (IPv4 clients of [::])", differs);
        }
        self.listeners = kept;
        self.name_addresses();
        for listener in removed {
            tracing::info!(address = %listener.address, "no longer listening");
            self.warn_of_passed(&listener);
            applied.listeners_removed.push(listener.address.clone());
            listener.close().await;
        }
    }

    async fn apply_admin(
        &mut self,
        settings: Option<config::Admin>,
        added: Option<BoundListener>,
        applied: &mut Applied,
    ) {
        applied.key("admin", settings != self.running.admin);
        self.admin
            .ask_for(settings.as_ref().and_then(|admin| admin.token.clone()));
        let stays = settings
            .as_ref()
            .is_some_and(|admin| self.has_admin_at(&admin.address));
        self.running.admin = settings;
        let removed = match (stays, added) {
            (true, _) => None,
            (false, Some(listener)) => {
                let removed = self.admin_listener.take();
                self.open_admin(listener);
                removed
            }
            (false, None) => self.admin_listener.take(),
        };
        if let Some(listener) = removed {
            tracing::info!(address = %listener.address, "admin interface no longer listening");
            self.warn_of_passed(&listener);
            listener.close().await;
        }
    }

    /// Closing our copy refuses nobody.
    fn warn_of_passed(&self, removed: &OpenListener) {
        if self.passed.has(&removed.setting) {
            let address = &removed.address;
            tracing::warn!(
                %address,
                "whoever started the process holds this socket open: its clients wait for nobody"
            );
        }
    }
}
