//! The standalone program: a plain HTTP/1.1 server with the gate in it.
//!
//! ```text
//! signals ─► Server ─► accept loop ─► the worker with the least to do ─► connection
//!                                        ├─ WebSocket ─► gate
//!                                        └─ plain HTTP ─► forward
//! ```
//!
//! [`run`] is the whole program below its command line. [`Server`] is the same without signals and
//! log, for a process that has its own.

mod accept;
mod admin;
mod connection;
mod descriptors;
mod dispatch;
mod error;
mod forward;
mod handover;
mod listen;
mod logging;
mod notify;
mod open;
mod passed;
mod patience;
mod process;
mod reload;
mod room;
mod signals;
#[cfg_attr(not(feature = "otel"), path = "traces/none.rs")]
mod traces;
mod workers;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_layer::Layer;

pub use error::ServeError;
pub use forward::Page;
pub use handover::HandoverError;
pub use listen::{BindError, BoundAddress};
pub use logging::{LogError, has_color};
pub use passed::{PassedError, PassedSockets};
pub use reload::Applied;
pub use signals::StopSignal;
#[cfg(feature = "otel")]
pub use traces::TracesError;

use admin::AdminService;
use connection::Connections;
use dispatch::{Dispatcher, Station};
use forward::{Forward, Pool};
use handover::{Handover, Takeover};
use logging::LogControl;
use notify::ServiceManager;
use open::{BoundListener, OpenListener};
use reload::{ReloadCounts, Reloader, Reloads, Stop};
use room::Room;
use signals::Signals;
use traces::Traces;
use workers::{Worker, Workers};

use crate::config::{self, Config};
use crate::proxy::{Drained, Gate, Handle};

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
            Some(takeover) => takeover.finish(&server)?,
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
    traces::check()
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
    let mut attended = pin!(manager.attend(&workers, || gate.open_sessions()));
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
        server.hand_over();
    }
    // Who asks for sockets from now on is refused, and binds its own.
    drop(reloader);
    manager.stopping(server.handle.drain_deadline(), server.sessions());
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

/// A running gate: listeners, workers and what runs on them. Dropping it cuts everything off;
/// [`Server::shutdown`] takes leave first.
pub struct Server {
    gate: Gate,
    handle: Handle,
    running: Running,
    reload_counts: Arc<ReloadCounts>,
    room: Arc<Room>,
    dispatcher: Arc<Dispatcher>,
    listeners: Vec<OpenListener>,
    addresses: Vec<BoundAddress>,
    admin: AdminService,
    admin_listener: Option<OpenListener>,
    passed: PassedSockets,
    /// The next process accepts on the same sockets.
    handed_over: bool,
    log: Option<LogControl>,
    traces: Traces,
    tasks: Tasks,
    workers: Workers,
}

/// The settings that the process runs by, beside the gate's own and the listeners.
struct Running {
    admin: Option<config::Admin>,
    log: config::Log,
    server: config::Server,
}

/// What a program has beside its server.
#[derive(Default)]
struct Beside {
    log: Option<LogControl>,
    reloads: Option<Reloads>,
    page: Option<Page>,
    passed: PassedSockets,
    traces: Traces,
}

/// For how long connections may go on towards their first answer when others accept the next ones: a
/// handshake through two networks and one server, usually.
const ARRIVAL: Duration = Duration::from_secs(5);

/// Who owns which tasks, and how they learn that they are to end.
#[derive(Debug, Default)]
struct Tasks {
    /// Cancelled to stop accepting.
    accepting: CancellationToken,
    /// Cancelled for connections that are not sessions to end after the request that they are in.
    closing: CancellationToken,
    acceptors: TaskTracker,
    connections: TaskTracker,
    /// What lives as long as the workers.
    background: TaskTracker,
}

impl Server {
    /// Binds every listener, and only then serves the first of them.
    pub fn start(config: Config) -> Result<Self, ServeError> {
        Self::start_with(config, Beside::default())
    }

    fn start_with(config: Config, beside: Beside) -> Result<Self, ServeError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let mut passed = beside.passed;
        passed.check(&config)?;
        let workers = Workers::start(config.server.workers).map_err(ServeError::System)?;
        let listeners = BoundListener::bind_new(&config.listen, &[], &passed, workers.first())?;
        let admin_listener = (config.admin.as_ref())
            .map(|admin| BoundListener::bind(&admin.address, &passed, workers.first()))
            .transpose()?;
        passed.started();
        let running = Running {
            admin: config.admin.clone(),
            log: config.log.clone(),
            server: config.server,
        };
        let (sessions, budget) = descriptors::shares(running.server.sessions, &workers);
        let gate = Gate::builder(config)
            .max_sessions(sessions)
            .traced(beside.traces.tracing())
            .build()?;
        let room = Room::new(gate.clone(), budget);
        let reload_counts = Arc::new(ReloadCounts::since(SystemTime::now()));
        let tasks = Tasks::default();
        let (background, connections) = (tasks.background.clone(), tasks.connections.clone());
        let mut server = Self {
            dispatcher: Arc::new(Dispatcher::new(
                stations(&gate, &workers, &room, &tasks, &beside.page),
                Connections::new(gate.clone(), &running.server),
                Arc::clone(&room),
                connections.clone(),
            )),
            listeners: Vec::new(),
            addresses: Vec::new(),
            admin: AdminService::new(
                gate.handle(),
                beside.reloads,
                Arc::clone(&reload_counts),
                background,
                connections,
                Arc::clone(&room),
            ),
            admin_listener: None,
            passed,
            handed_over: false,
            log: beside.log,
            traces: beside.traces,
            handle: gate.handle(),
            gate,
            running,
            reload_counts,
            room,
            tasks,
            workers,
        };
        for listener in listeners {
            server.open(listener);
        }
        let token = server.running.admin.as_ref();
        server
            .admin
            .ask_for(token.and_then(|admin| admin.token.clone()));
        if let Some(listener) = admin_listener {
            server.open_admin(listener);
        }
        Ok(server)
    }

    /// Where the server listens, in the order of the settings.
    pub fn addresses(&self) -> &[BoundAddress] {
        &self.addresses
    }

    /// Where the admin interface listens, if there is one.
    pub fn admin_address(&self) -> Option<&BoundAddress> {
        self.admin_listener.as_ref().map(|open| &open.address)
    }

    /// The gate's handle: its sessions, and whether it is ready.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many there are.
    fn sessions(&self) -> usize {
        self.gate.open_sessions()
    }

    /// Stops accepting, sends the sessions away as `[drain]` says, lets plain requests finish,
    /// and ends what is left at the drain's deadline.
    ///
    /// Where listening sockets live on in another process, whoever has connected to this one is
    /// answered first.
    pub async fn shutdown(self) -> Drained {
        let Self {
            admin,
            handle,
            room,
            tasks,
            workers,
            admin_listener,
            passed,
            handed_over,
            traces,
            ..
        } = self;
        let drain_deadline = handle.drain_deadline();
        let began = Instant::now();
        tasks.accepting.cancel();
        tasks.acceptors.close();
        tasks.acceptors.wait().await;
        if let Some(listener) =
            admin_listener.filter(|open| handed_over || passed.has(&open.setting))
        {
            // Otherwise it would be chance who answers: this process or the next.
            listener.close().await;
        }
        if handed_over || passed.live_on() {
            drop(passed);
            let _late = timeout(ARRIVAL.min(drain_deadline / 4), room.is_quiet()).await;
        }
        tasks.closing.cancel();
        tasks.connections.close();
        let drain_deadline = drain_deadline.saturating_sub(began.elapsed());
        let (drained, finished) = tokio::join!(
            handle.drain(drain_deadline),
            timeout(drain_deadline, tasks.connections.wait()),
        );
        if finished.is_err() {
            let connections = tasks.connections.len();
            tracing::warn!(connections, "plain connections were cut off");
        }
        admin.streams_ended().await;
        workers.finish().await;
        traces.finish().await;
        room.report();
        drained
    }
}

/// The workers, with a pool of connections to servers for each.
fn stations(
    gate: &Gate,
    workers: &Workers,
    room: &Arc<Room>,
    tasks: &Tasks,
    page: &Option<Page>,
) -> Vec<Station> {
    let station = |worker: &Worker| {
        let pool = Pool::new(tasks.background.clone(), Arc::clone(room));
        worker.spawn(&tasks.background, pool.clone().sweep());
        let forward = Forward::new(gate.clone(), pool, page.clone());
        Station {
            worker: worker.clone(),
            answerer: gate.layer().layer(forward),
        }
    };
    workers.iter().map(station).collect()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("admin_address", &self.admin_address())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
