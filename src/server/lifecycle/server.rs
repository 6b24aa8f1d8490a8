//! The running gate: what it owns, its start and its end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_layer::Layer;

use super::certificates;
use super::interfaces::{BoundInterfaces, InterfaceSettings, Interfaces};
use super::orders::Orders;
use super::reload::counts::ReloadCounts;
use super::reload::requests::ReloadRequests;
use super::workers::{Worker, Workers};
use crate::config::{self, Config};
use crate::server::admin::AdminContext;
use crate::server::error::ServeError;
use crate::server::http::connection::{Connections, ListenerSettings};
use crate::server::http::forward::{Forward, KeepAlivePool, OldServers, Page};
use crate::server::http::health::HealthPage;
use crate::server::http::limiter::ConnectionLimiter;
use crate::server::listener::accept::{Dispatch, Vacancy};
use crate::server::listener::address::BoundAddress;
use crate::server::listener::descriptors;
use crate::server::listener::dispatch::{Dispatcher, WorkerSlot};
use crate::server::listener::open::{BoundListener, ListenerTokens, Listeners, OpenListener};
use crate::server::listener::own_servers;
use crate::server::listener::passed::PassedSockets;
use crate::server::logging::LogControl;
use crate::server::traces::Traces;
use crate::tls::Tickets;
use crate::{Drained, Gate, Handle};

/// A running gate: listeners, workers and what runs on them. Dropping it cuts all connections off;
/// [`Server::shutdown`] drains them first.
pub struct Server {
    pub(super) gate: Gate,
    pub(super) handle: Handle,
    pub(super) running: RunningSettings,
    pub(super) reload_counts: Arc<ReloadCounts>,
    pub(super) limiter: Arc<ConnectionLimiter>,
    pub(super) health: Arc<HealthPage>,
    pub(super) tickets: Arc<Tickets>,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) listeners: Listeners,
    pub(super) orders: Orders,
    addresses: Vec<BoundAddress>,
    pub(super) interfaces: Interfaces,
    pub(super) log: Option<LogControl>,
    traces: Traces,
    tasks: Tasks,
    pub(super) workers: Workers,
}

/// The settings that the process runs by, beside the gate's own, the listeners and the interfaces.
pub(super) struct RunningSettings {
    pub(super) log: config::Log,
    pub(super) server: config::Server,
    pub(super) listeners: ListenerSettings,
}

/// What the program gives its server beside the settings.
#[derive(Default)]
pub(super) struct ServerContext {
    pub(super) log: Option<LogControl>,
    pub(super) reloads: Option<ReloadRequests>,
    pub(super) page: Option<Page>,
    pub(super) plain_hint: Option<&'static str>,
    pub(super) passed: PassedSockets,
    /// Of the process that this one succeeds.
    pub(super) tickets: Option<Tickets>,
    pub(super) traces: Traces,
}

/// How long connections may take to their first response when another process accepts the next ones:
/// usually a handshake through two networks and one server.
const ARRIVAL: Duration = Duration::from_secs(5);

/// The owners of all tasks, and the tokens that end them.
#[derive(Debug, Default)]
struct Tasks {
    /// Cancelled to stop accepting.
    accepting: CancellationToken,
    /// Cancelled to end connections that are not sessions after their current request.
    closing: CancellationToken,
    acceptors: TaskTracker,
    connections: TaskTracker,
    /// Tasks that live as long as the workers.
    background: TaskTracker,
}

impl Server {
    /// Binds all listeners, and serves once all are bound.
    pub fn start(config: Config) -> Result<Self, ServeError> {
        Self::start_with(config, ServerContext::default())
    }

    pub(super) fn start_with(
        mut config: Config,
        context: ServerContext,
    ) -> Result<Self, ServeError> {
        for warning in config.warnings().chain(own_servers::check(&config)) {
            tracing::warn!("{warning}");
        }
        let passed = context.passed;
        passed.check(&config)?;
        let mut workers = Workers::start(config.server.workers).map_err(ServeError::System)?;
        let mut open = Listeners {
            passed,
            ..Listeners::default()
        };
        let listeners =
            BoundListener::bind_new(&config.listen, &[], &open.passed, workers.first())?;
        let interface_settings = InterfaceSettings::of(&config);
        let bound_interfaces =
            BoundInterfaces::bind_new(&interface_settings, &open, workers.first())?;
        let tasks = Tasks::default();
        let orders = Orders::new(
            workers.first().clone(),
            tasks.background.clone(),
            tasks.accepting.child_token(),
        );
        let opened_orders = orders.wanted(&mut config).open()?;
        open.passed.started();
        certificates::log_new(&Config::default(), &config);
        let running = RunningSettings {
            log: config.log.clone(),
            server: config.server.clone(),
            listeners: ListenerSettings::of(&config),
        };
        let tickets = match context.tickets {
            Some(tickets) => tickets,
            None => Tickets::random().map_err(ServeError::System)?,
        };
        let tickets = Arc::new(tickets);
        let (sessions, budget) = descriptors::shares(
            running.server.sessions,
            workers.count(),
            interface_settings.has_publish(),
        );
        let shares = config.shared.is_some();
        let gate = Gate::builder(config)
            .max_sessions(sessions)
            .tracing(context.traces.tracing())
            .build()?;
        let limiter = ConnectionLimiter::new(gate.clone(), budget);
        let health = HealthPage::new(gate.handle(), &running.server.health_path);
        let health = Arc::new(health);
        let reload_counts = Arc::new(ReloadCounts::since(SystemTime::now()));
        let (background, connections) = (tasks.background.clone(), tasks.connections.clone());
        let reminders = certificates::remind_daily(gate.handle());
        workers.first().spawn(&background, reminders);
        {
            let _on_a_worker = workers.first().runtime().enter();
            gate.handle().fetch_keys();
        }
        if shares {
            connect_engine(&mut workers, &gate.handle())?;
        }
        let mut server = Self {
            dispatcher: Arc::new(Dispatcher::new(
                slots(
                    &gate,
                    &workers,
                    &limiter,
                    &tasks,
                    &context.page,
                    context.plain_hint,
                ),
                Connections::new(
                    gate.clone(),
                    &running.server,
                    &running.listeners,
                    &tickets,
                    Arc::clone(&health),
                    None,
                ),
                Arc::clone(&limiter),
                connections.clone(),
            )),
            listeners: open,
            orders,
            addresses: Vec::new(),
            interfaces: Interfaces::new(AdminContext {
                handle: gate.handle(),
                reloads: context.reloads,
                reload_counts: Arc::clone(&reload_counts),
                log: context.log.as_ref().map(LogControl::queue).cloned(),
                tasks: background,
                connections,
                limiter: Arc::clone(&limiter),
            }),
            log: context.log,
            traces: context.traces,
            handle: gate.handle(),
            gate,
            running,
            reload_counts,
            limiter,
            health,
            tickets,
            tasks,
            workers,
        };
        for listener in listeners {
            server.open(listener);
        }
        server.orders.apply(opened_orders);
        server.interfaces.apply(interface_settings, &server.tickets);
        server.open_interfaces(bound_interfaces);
        Ok(server)
    }

    /// Where the server listens, in the order of the settings.
    pub fn addresses(&self) -> &[BoundAddress] {
        &self.addresses
    }

    /// Where the admin interface listens, if there is one.
    pub fn admin_address(&self) -> Option<&BoundAddress> {
        self.listeners.admin.as_ref().map(|open| &open.address)
    }

    /// Where the publish interface listens, if there is one.
    pub fn publish_address(&self) -> Option<&BoundAddress> {
        self.listeners.publish.as_ref().map(|open| &open.address)
    }

    /// The gate's handle: its sessions, and whether it is ready.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        self.gate.handle().open_sessions()
    }

    /// Accepts connections for the gate.
    pub(super) fn open(&mut self, listener: BoundListener) -> BoundAddress {
        let tokens = ListenerTokens {
            accepting: self.tasks.accepting.child_token(),
            closing: self.tasks.closing.child_token(),
        };
        let (dispatcher, closing) = (Arc::clone(&self.dispatcher), tokens.closing.clone());
        let setting = listener.setting().clone();
        let dispatch: Dispatch =
            Arc::new(move |accepted| dispatcher.dispatch(accepted, &setting, &closing));
        let worker = self.workers.first();
        let listener = listener.limited_by(Vacancy::Limited(Arc::clone(&self.limiter)));
        let listener = listener.open(tokens, dispatch, worker, &self.tasks.acceptors);
        let address = listener.address.clone();
        tracing::info!(%address, "listening");
        self.listeners.clients.push(listener);
        self.name_addresses();
        address
    }

    /// Opens the interfaces that are bound, and returns the listeners of those that are no longer wanted.
    pub(super) fn open_interfaces(
        &mut self,
        bound: BoundInterfaces,
    ) -> Vec<(&'static str, OpenListener)> {
        let owner = &self.tasks.background;
        self.interfaces
            .open(bound, &mut self.listeners, &self.workers, owner)
    }

    pub(super) fn name_addresses(&mut self) {
        let addresses = self.listeners.clients.iter();
        self.addresses = addresses.map(|open| open.address.clone()).collect();
    }

    /// Stops accepting, closes the sessions with the settings of `[drain]`, lets plain requests finish,
    /// and aborts the rest at the drain's deadline.
    ///
    /// Where another process accepts on the same sockets, clients that have connected to this one are
    /// answered first.
    pub async fn shutdown(self) -> Drained {
        let Self {
            interfaces,
            handle,
            limiter,
            tasks,
            workers,
            listeners,
            traces,
            ..
        } = self;
        let drain_deadline = handle.drain_deadline();
        let began = Instant::now();
        tasks.accepting.cancel();
        tasks.acceptors.close();
        tasks.acceptors.wait().await;
        let Listeners {
            admin,
            publish,
            passed,
            handed_over,
            ..
        } = listeners;
        for listener in admin.into_iter().chain(publish) {
            if handed_over || passed.has(&listener.setting) {
                // Otherwise clients would reach this process or the next by chance.
                listener.close().await;
            }
        }
        if handed_over || passed.live_on() {
            drop(passed);
            let _late = timeout(ARRIVAL.min(drain_deadline / 4), limiter.quiet()).await;
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
        interfaces.admin.streams_ended().await;
        workers.finish().await;
        traces.finish().await;
        limiter.report();
        drained
    }
}

/// Connects with the engine that gates share, on a worker of its own.
pub(super) fn connect_engine(workers: &mut Workers, handle: &Handle) -> Result<(), ServeError> {
    let worker = workers.engine().map_err(ServeError::System)?;
    let _there = worker.runtime().enter();
    handle.connect_engine();
    Ok(())
}

/// The workers, with a pool of connections to servers for each.
fn slots(
    gate: &Gate,
    workers: &Workers,
    limiter: &Arc<ConnectionLimiter>,
    tasks: &Tasks,
    page: &Option<Page>,
    plain_hint: Option<&'static str>,
) -> Vec<WorkerSlot> {
    let old_servers = OldServers::default();
    let slot = |worker: &Worker| {
        let (tasks, limiter) = (tasks.background.clone(), Arc::clone(limiter));
        let pool = KeepAlivePool::new(tasks.clone(), limiter, old_servers.clone());
        worker.spawn(&tasks, pool.clone().sweep());
        let forward = Forward::new(gate.clone(), pool, page.clone(), plain_hint);
        WorkerSlot {
            worker: worker.clone(),
            handler: gate.layer().layer(forward),
        }
    };
    workers.iter().map(slot).collect()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .field("admin_address", &self.admin_address())
            .field("publish_address", &self.publish_address())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
