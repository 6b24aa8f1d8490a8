//! The whole program below its command line: from its settings to its last session.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::pin;

use tokio::runtime;

use super::certificates;
use super::handover::{Handover, Takeover};
use super::notify::ServiceManager;
use super::reload::{Reloader, StopCause};
use super::server::{Server, ServerContext};
use super::signals::{Signals, StopSignal};
use super::workers;
use crate::config::Config;
use crate::server::error::ServeError;
use crate::server::http::forward::Page;
use crate::server::listener::address::BoundAddress;
use crate::server::listener::passed::PassedSockets;
use crate::server::listener::{descriptors, own_servers};
use crate::server::logging::{self, LogCopy};
use crate::server::traces::{self, Traces};

/// Serves until a signal to stop, and then until the sessions are gone or the drain's deadline
/// is over. A second signal ends it at once.
///
/// Settings from a file are read again on SIGHUP, when the file changes, and on request of the admin
/// interface.
///
/// The log and the panics of the process go to standard error by a queue, so that nothing waits where
/// nobody reads. The rest of it is written at the end, within two seconds.
pub fn run(config: Config, start: Start<'_>) -> Result<(), ServeError> {
    let (log_queue, _written_at_the_end) =
        logging::start(&config.log, start.log_copy).map_err(ServeError::System)?;
    let log = logging::install(&config.log, &log_queue)?;
    let traces = Traces::from_environment()?;
    let (takeover, passed, tickets) = match start.handover {
        Some(path) => {
            let (takeover, passed, tickets) = Takeover::begin(path, &start.passed)?;
            (Some(takeover), passed, tickets)
        }
        None => (None, start.passed, None),
    };
    block_on(async {
        let mut signals = Signals::listen().map_err(ServeError::System)?;
        let (reloader, reloads) = Reloader::new(start.file);
        let context = ServerContext {
            log,
            reloads,
            page: start.page,
            plain_hint: start.plain_hint,
            passed,
            tickets,
            traces,
        };
        let manager = ServiceManager::from_environment();
        let server = Server::start_with(config, context)?;
        if let Some(introduction) = start.introduction {
            log_queue.push(introduction.text(server.addresses()).as_bytes());
        }
        let handover = match takeover {
            Some(takeover) => takeover.finish(&server.listeners)?,
            None => Handover::default(),
        };
        let reloader = reloader.with_manager(manager).with_handover(handover);
        serve_until_stopped(server, reloader, &mut signals).await
    })
}

/// What a process starts with, beside its settings.
#[derive(Debug, Default)]
pub struct Start<'a> {
    /// The file of the settings, if they come from one.
    pub file: Option<&'a Path>,
    /// Listening sockets that are bound already. They are served instead of new ones.
    pub passed: PassedSockets,
    /// The path where a running process hands its listening sockets over to this one, and this one later
    /// to the next.
    pub handover: Option<&'a Path>,
    /// A page that the process serves itself, ahead of all routes.
    pub page: Option<Page>,
    /// What to write to standard error, beside the log, once the listeners are open.
    pub introduction: Option<Introduction>,
    /// A second place for the lines of the log.
    pub log_copy: Option<LogCopy>,
    /// A sentence for the person who sends a plain request where only WebSockets are served (426).
    pub plain_hint: Option<&'static str>,
}

/// The first lines of a process, which depend on the addresses that it serves.
pub struct Introduction(Box<IntroductionLines>);

type IntroductionLines = dyn FnOnce(&[BoundAddress]) -> String;

impl Introduction {
    /// Lines, each with its end.
    pub fn new(lines: impl FnOnce(&[BoundAddress]) -> String + 'static) -> Self {
        Self(Box::new(lines))
    }

    fn text(self, addresses: &[BoundAddress]) -> String {
        (self.0)(addresses)
    }
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introduction").finish_non_exhaustive()
    }
}

/// Checks whether [`run`] would take these settings, as far as that is known without running. Returns what
/// an operator should know of them on this system.
///
/// # Errors
/// [`ServeError`] if the log or the environment's settings of traces are wrong.
pub fn check(config: &Config) -> Result<Vec<String>, ServeError> {
    logging::check(&config.log)?;
    traces::check()?;
    let server = &config.server;
    let workers = workers::count(server.workers);
    let warning = descriptors::check(server.sessions, workers, config.publish.is_some());
    Ok(warning
        .into_iter()
        .chain(own_servers::check(config))
        .chain(certificates::check(config))
        .collect())
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
    let mut informed = pin!(manager.keep_informed(&workers, || gate.handle().open_sessions()));
    let stop = tokio::select! {
        stop = reloader.serve(&mut server, signals) => stop,
        never = &mut informed => match never {},
    };
    match stop {
        StopCause::Signal(signal) => tracing::info!(%signal, "stopping"),
        StopCause::Succeeded => tracing::info!("stopping: the next process serves"),
    }
    // A process that has the sockets will serve them, even if it has not confirmed it, and needs their
    // files.
    if stop == StopCause::Succeeded || reloader.is_handing_over() {
        server.listeners.hand_over();
    }
    // A process that requests the sockets from now on is refused, and binds its own.
    drop(reloader);
    manager.stopping(server.handle().drain_deadline(), server.sessions());
    tokio::select! {
        _drained = server.shutdown() => {
            tracing::info!("stopped");
            Ok(())
        }
        signal = second_signal(stop, signals) => Err(ServeError::Interrupted(signal)),
        never = informed => match never {},
    }
}

/// Waits for the signal that ends a drain at once: the second to stop.
async fn second_signal(stop: StopCause, signals: &mut Signals) -> StopSignal {
    if stop == StopCause::Succeeded {
        // An operator who started the next process may end this one by hand: that is no second signal.
        let signal = signals.stop().await;
        tracing::warn!(%signal, "stopping already: another signal ends the process at once");
    }
    signals.stop().await
}

/// Runs the tasks of the main thread: signals, reloads, and the wait for the end.
fn block_on<T>(task: impl Future<Output = Result<T, ServeError>>) -> Result<T, ServeError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::System)?;
    let done = runtime.block_on(task);
    // A plain drop would wait for a file that cannot be read.
    runtime.shutdown_background();
    done
}
