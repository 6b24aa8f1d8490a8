//! The standalone program: a plain HTTP/1.1 server with the gate in it.
//!
//! ```text
//! signals ─► Server ─► accept loop ─► the worker with the least to do ─► connection
//!                                        ├─ WebSocket ─► gate
//!                                        └─ plain HTTP ─► forward
//! ```
//!
//! [`run`] is the whole program below its command line. [`Server`] is the same without signals
//! and log, for a process that has its own.

mod accept;
mod admin;
mod arguments;
mod connection;
mod demo;
mod descriptors;
mod dispatch;
mod forward;
mod listen;
mod logging;
mod process;
mod signals;
mod terminal;
mod workers;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_layer::Layer;

pub use arguments::{Arguments, Command, RunSource, Usage};
pub use demo::demo;
pub use listen::{BindError, BoundAddress};
pub use logging::LogError;
pub use signals::StopSignal;
pub use terminal::{complain, has_color};

use accept::{Acceptor, Dispatch};
use admin::AdminService;
use connection::Connections;
use dispatch::{Dispatcher, Station};
use forward::{Forward, Page, Pool};
use listen::Listener;
use signals::Signals;
use workers::{Worker, Workers};

use crate::config::{self, Config, ConfigErrors};
use crate::proxy::{BuildError, Drained, Gate, Handle};

/// Serves until a signal to stop, and then until the sessions are gone or the drain's deadline
/// is over. A second signal ends it at once.
pub fn run(config: Config) -> Result<(), ServeError> {
    logging::install(&config.log)?;
    on_this_thread(async {
        let mut signals = Signals::listen().map_err(ServeError::System)?;
        let server = Server::start(config)?;
        serve_until_stopped(server, &mut signals).await
    })
}

/// Whether [`run`] would take these settings, as far as can be told without running.
pub fn check(config: &Config) -> Result<(), ServeError> {
    Ok(logging::check(&config.log)?)
}

async fn serve_until_stopped(server: Server, signals: &mut Signals) -> Result<(), ServeError> {
    let signal = signals.stop().await;
    tracing::info!(%signal, "stopping");
    tokio::select! {
        _drained = server.shutdown() => {
            tracing::info!("stopped");
            Ok(())
        }
        signal = signals.stop() => Err(ServeError::Interrupted(signal)),
    }
}

/// Runs what the process has one of: signals, and the wait for the end.
fn on_this_thread<T>(task: impl Future<Output = Result<T, ServeError>>) -> Result<T, ServeError> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::System)?
        .block_on(task)
}

/// A running gate: listeners, workers and what runs on them. Dropping it cuts everything off;
/// [`Server::shutdown`] takes leave first.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<BoundAddress>,
    admin_address: Option<BoundAddress>,
    handle: Handle,
    drain_deadline: Duration,
    tasks: Tasks,
    workers: Workers,
}

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
        Self::start_with(config, None)
    }

    fn start_with(config: Config, page: Option<Page>) -> Result<Self, ServeError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let listeners = listen::bind_all(&config.listen)?;
        let admin = match &config.admin {
            Some(admin) => Some((admin.clone(), Listener::bind(&admin.address)?)),
            None => None,
        };
        let settings = config.server;
        let sessions = descriptors::sessions(settings.sessions, descriptors::raise_limit());
        let drain_deadline = config.drain.deadline;
        let gate = Gate::builder(config).max_sessions(sessions).build()?;
        let mut server = Self {
            addresses: Vec::new(),
            admin_address: None,
            handle: gate.handle(),
            drain_deadline,
            tasks: Tasks::default(),
            workers: Workers::start(settings.workers).map_err(ServeError::System)?,
        };
        let dispatch = server.dispatch(&gate, &settings, page);
        for listener in listeners {
            let address = listener.address.clone();
            server.accept(listener, dispatch.clone())?;
            tracing::info!(%address, "listening");
            server.addresses.push(address);
        }
        if let Some((admin, listener)) = admin {
            server.serve_admin(&admin, listener)?;
        }
        Ok(server)
    }

    fn dispatch(&self, gate: &Gate, settings: &config::Server, page: Option<Page>) -> Dispatch {
        let station = |worker: &Worker| {
            let pool = Pool::new(self.tasks.background.clone());
            worker.spawn(&self.tasks.background, pool.clone().sweep());
            let forward = Forward::new(gate.clone(), pool, page.clone());
            Station {
                worker: worker.clone(),
                answerer: gate.layer().layer(forward),
            }
        };
        let dispatcher = Dispatcher::new(
            self.workers.iter().map(station).collect(),
            Connections::new(gate.clone(), settings, self.tasks.closing.clone()),
            self.tasks.connections.clone(),
        );
        Arc::new(move |accepted| dispatcher.dispatch(accepted))
    }

    /// Serves the admin interface until the very end, so that it can be watched.
    fn serve_admin(
        &mut self,
        settings: &config::Admin,
        listener: Listener,
    ) -> Result<(), ServeError> {
        let address = listener.address.clone();
        let tasks = self.tasks.background.clone();
        let service = AdminService::new(
            settings,
            self.handle.clone(),
            self.drain_deadline,
            tasks.clone(),
            self.tasks.connections.clone(),
        );
        let acceptor = self.acceptor(listener)?;
        let dispatch = service.dispatch(self.workers.first().clone());
        self.workers.first().spawn(&tasks, acceptor.run(dispatch));
        tracing::info!(%address, "admin interface listening");
        self.admin_address = Some(address);
        Ok(())
    }

    fn accept(&self, listener: Listener, dispatch: Dispatch) -> Result<(), ServeError> {
        let acceptor = self.acceptor(listener)?;
        let accepting = self.tasks.accepting.clone();
        self.workers
            .first()
            .spawn(&self.tasks.acceptors, async move {
                accepting.run_until_cancelled(acceptor.run(dispatch)).await;
            });
        Ok(())
    }

    /// The accept loops run on the first worker: what it accepts for itself wakes nobody else.
    fn acceptor(&self, listener: Listener) -> Result<Acceptor, ServeError> {
        let _entered = self.workers.first().runtime().enter();
        Acceptor::new(listener).map_err(ServeError::System)
    }

    /// Where the server listens, in the order of the settings.
    pub fn addresses(&self) -> &[BoundAddress] {
        &self.addresses
    }

    /// Where the admin interface listens, if there is one.
    pub fn admin_address(&self) -> Option<&BoundAddress> {
        self.admin_address.as_ref()
    }

    /// The gate's handle: its sessions, and whether it is ready.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Stops accepting, sends the sessions away as `[drain]` says, lets plain requests finish,
    /// and ends what is left at the drain's deadline.
    pub async fn shutdown(self) -> Drained {
        let Self {
            handle,
            drain_deadline,
            tasks,
            workers,
            ..
        } = self;
        tasks.accepting.cancel();
        tasks.acceptors.close();
        tasks.acceptors.wait().await;
        tasks.closing.cancel();
        tasks.connections.close();
        let (drained, finished) = tokio::join!(
            handle.drain(drain_deadline),
            timeout(drain_deadline, tasks.connections.wait()),
        );
        if finished.is_err() {
            let connections = tasks.connections.len();
            tracing::warn!(connections, "plain connections were cut off");
        }
        workers.finish().await;
        drained
    }
}

/// Why the program does not serve, or no longer does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The settings of the log are wrong.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A listener could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The gate does not take the settings.
    #[error(transparent)]
    Gate(#[from] BuildError),
    /// The settings of the demo, which the command line may change, are wrong.
    #[error("the demo's settings are wrong")]
    Demo(#[from] ConfigErrors),
    /// The system refused what the process cannot be without: threads, timers, signals.
    #[error("the system refused what the process needs")]
    System(#[source] io::Error),
    /// A second signal came before the drain was over.
    #[error("stopped by a second {0}")]
    Interrupted(StopSignal),
}

impl ServeError {
    /// The exit code of a process that ends with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Log(_) | Self::Gate(_) | Self::Demo(_) => 1,
            Self::Bind(_) => 2,
            Self::System(_) => 3,
            Self::Interrupted(signal) => signal.exit_code(),
        }
    }

    /// What a person can do about it, where that is known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Bind(error) => error.help(),
            Self::Log(_) => Some(
                "a level is error, warn, info, debug or trace; a filter is like \"warn,wsgate=debug\"",
            ),
            Self::Gate(_) | Self::Demo(_) | Self::System(_) | Self::Interrupted(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
