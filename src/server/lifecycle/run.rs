//! The whole program below its command line: from its settings to its last session.

use std::future::Future;
use std::path::Path;
use std::pin::pin;

use tokio::runtime;

use super::handover::{Handover, Takeover};
use super::notify::ServiceManager;
use super::reload::{Reloader, Stop};
use super::server::{Beside, Server};
use super::signals::{Signals, StopSignal};
use crate::config::Config;
use crate::server::error::ServeError;
use crate::server::http::forward::Page;
use crate::server::listener::address::BoundAddress;
use crate::server::listener::passed::PassedSockets;
use crate::server::logging;
use crate::server::traces::{self, Traces};

/// Serves until a signal to stop, and then until the sessions are gone or the drain's deadline
/// is over. A second signal ends it at once.
///
/// Settings that came from a file are read again on SIGHUP, when the file changes, and when the
/// admin interface is asked to.
pub fn run(config: Config, start: Start<'_>) -> Result<(), ServeError> {
    let log = logging::install(&config.log)?;
    let traces = Traces::from_environment()?;
    let (takeover, passed) = match start.handover {
        Some(path) => {
            let (takeover, passed) = Takeover::begin(path, &start.passed)?;
            (Some(takeover), passed)
        }
        None => (None, start.passed),
    };
    on_this_thread(async {
        let mut signals = Signals::listen().map_err(ServeError::System)?;
        let (reloader, reloads) = Reloader::new(start.file);
        let beside = Beside {
            log,
            reloads,
            page: start.page,
            passed,
            traces,
        };
        let manager = ServiceManager::from_environment();
        let server = Server::start_with(config, beside)?;
        if let Some(listening) = start.listening {
            listening(server.addresses());
        }
        let handover = match takeover {
            Some(takeover) => takeover.finish(&server.listeners)?,
            None => Handover::default(),
        };
        let reloader = reloader.told(manager).followed(handover);
        serve_until_stopped(server, reloader, &mut signals).await
    })
}

/// What a process starts with, beside its settings.
#[derive(Debug, Default)]
pub struct Start<'a> {
    /// The file of the settings, where they came from one.
    pub file: Option<&'a Path>,
    /// Listening sockets that are bound already. They are served in the place of new ones.
    pub passed: PassedSockets,
    /// The path where the process that serves now hands its listening sockets over to this one, if
    /// there is one, and this one to the next.
    pub handover: Option<&'a Path>,
    /// What the process answers itself, ahead of every route.
    pub page: Option<Page>,
    /// Is called once the listeners are open, with their addresses.
    pub listening: Option<fn(&[BoundAddress])>,
}

/// Whether [`run`] would take these settings, as far as can be told without running.
pub fn check(config: &Config) -> Result<(), ServeError> {
    logging::check(&config.log)?;
    Ok(traces::check()?)
}

async fn serve_until_stopped(
    mut server: Server,
    mut reloader: Reloader,
    signals: &mut Signals,
) -> Result<(), ServeError> {
    let gate = server.gate.clone();
    let workers: Vec<_> = server.workers.iter().cloned().collect();
    let manager = reloader.manager();
    manager.ready(server.sessions());
    let mut attended = pin!(manager.attend(&workers, || gate.handle().open_sessions()));
    let stop = tokio::select! {
        stop = reloader.serve(&mut server, signals) => stop,
        never = &mut attended => match never {},
    };
    match stop {
        Stop::Told(signal) => tracing::info!(%signal, "stopping"),
        Stop::Succeeded => tracing::info!("stopping: the next process serves"),
    }
    // Who has the sockets but has not said so goes on to serve them, and needs their files.
    if stop == Stop::Succeeded || reloader.hands_over() {
        server.listeners.hand_over();
    }
    // Who asks for sockets from now on is refused, and binds its own.
    drop(reloader);
    manager.stopping(server.handle().drain_deadline(), server.sessions());
    tokio::select! {
        _drained = server.shutdown() => {
            tracing::info!("stopped");
            Ok(())
        }
        signal = cut_short(stop, signals) => Err(ServeError::Interrupted(signal)),
        never = attended => match never {},
    }
}

/// Waits for the signal that ends a drain at once: the second to stop.
async fn cut_short(stop: Stop, signals: &mut Signals) -> StopSignal {
    if stop == Stop::Succeeded {
        // Whoever started the next process may well end the one before by hand.
        let signal = signals.stop().await;
        tracing::warn!(%signal, "stopping already: another signal ends the process at once");
    }
    signals.stop().await
}

/// Runs what the process has one of: signals, and the wait for the end.
fn on_this_thread<T>(task: impl Future<Output = Result<T, ServeError>>) -> Result<T, ServeError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::System)?;
    let done = runtime.block_on(task);
    // Not a plain drop: that would wait for a file that cannot be read.
    runtime.shutdown_background();
    done
}
