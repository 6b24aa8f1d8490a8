//! What a reload does to the running server.

use std::sync::Arc;
use std::time::SystemTime;

use tracing_subscriber::EnvFilter;

use super::applied::Applied;
use crate::config::{self, Config};
use crate::server::error::ServeError;
use crate::server::http::connection::{Connections, ListenerSettings};
use crate::server::lifecycle::certificates;
use crate::server::lifecycle::interfaces::{BoundInterfaces, InterfaceSettings};
use crate::server::lifecycle::server::{Server, connect_engine};
use crate::server::listener::bind::BindError;
use crate::server::listener::descriptors;
use crate::server::listener::open::{BoundListener, OpenListener};
use crate::server::listener::own_servers;
use crate::server::logging;

impl Server {
    /// Replaces the server's settings without losing a session.
    ///
    /// See [`Handle::reload`](crate::Handle::reload) for what becomes of sessions and limits. New
    /// listeners are all bound first. A removed one accepts no more; sessions that came by it go on.
    ///
    /// # Errors
    /// [`ServeError`] if a listener cannot be bound, the folder of a certificate that is ordered cannot be written, or
    /// a setting of the log or the gate is wrong. Nothing has changed then.
    pub async fn reload(&mut self, config: Config) -> Result<Applied, ServeError> {
        let outcome = self.apply(config).await;
        self.reload_counts
            .add(outcome.as_ref().ok(), SystemTime::now());
        outcome
    }

    /// The same without counting it.
    pub(super) async fn apply(&mut self, mut config: Config) -> Result<Applied, ServeError> {
        let log_filter = logging::filter(&config.log)?;
        let worker = self.workers.first();
        let not_bound = |error: BindError| error.beside(self.listeners.addresses());
        let added = BoundListener::bind_new(
            &config.listen,
            &self.listeners.clients,
            &self.listeners.passed,
            worker,
        );
        let added = added.map_err(not_bound)?;
        let interfaces = InterfaceSettings::of(&config);
        let bound = BoundInterfaces::bind_new(&interfaces, &self.listeners, worker);
        let bound = bound.map_err(not_bound)?;
        let orders = self.orders.wanted(&mut config).open_elsewhere().await?;
        if config.shared.is_some() {
            // Before there is one to connect with: it is where the gate connects from then on.
            connect_engine(&mut self.workers, &self.handle)?;
        }
        let (before, settings) = (self.handle.config(), config.clone());
        let mut applied = Applied {
            gate: self.handle.reload(config)?,
            ..Applied::default()
        };
        for warning in settings.warnings().chain(own_servers::check(&settings)) {
            tracing::warn!("{warning}");
        }
        certificates::log_new(&before, &settings);
        let listeners = ListenerSettings::of(&settings);
        // After the orders: what TLS shows may be that of one that runs.
        let interfaces = InterfaceSettings::of(&settings);
        applied.key("acme", self.orders.apply(orders));
        self.apply_log(settings.log, log_filter, &mut applied);
        let publishes = interfaces.has_publish();
        self.apply_server(settings.server, listeners, publishes, &mut applied);
        self.apply_listeners(&settings.listen, added, &mut applied)
            .await;
        self.apply_interfaces(interfaces, bound, &mut applied).await;
        applied.name_keys();
        Ok(applied)
    }

    fn apply_log(&mut self, log: config::Log, filter: EnvFilter, applied: &mut Applied) {
        let Some(control) = &self.log else {
            return;
        };
        let running = &mut self.running.log;
        applied.key("log.level", log.level != running.level);
        applied.key("log.access", log.access != running.access);
        applied.key("log.subject", log.subject != running.subject);
        applied.restart("log.format", log.format != running.format);
        *running = config::Log {
            format: running.format,
            ..log
        };
        control.apply(filter);
    }

    fn apply_server(
        &mut self,
        server: config::Server,
        listeners: ListenerSettings,
        publishes: bool,
        applied: &mut Applied,
    ) {
        let changes = listeners.changes_since(&self.running.listeners);
        applied.key("listen.http", changes.http);
        applied.key("listen.proxy_protocol", changes.proxy_protocol);
        applied.key("listen.tls", changes.tls);
        let opens_otherwise = listeners.differs_from(&self.running.listeners);
        self.running.listeners = listeners;
        let running = &mut self.running.server;
        let late = server.handshake_timeout != running.handshake_timeout;
        let kept_alive = server.keepalive_timeout != running.keepalive_timeout;
        let head = server.head_size != running.head_size;
        let health = server.health_path != running.health_path;
        let sessions = server.sessions != running.sessions;
        applied.key("server.handshake_timeout", late);
        applied.key("server.keepalive_timeout", kept_alive);
        applied.key("server.health_path", health);
        applied.key("server.head_size", head);
        applied.key("server.sessions", sessions);
        applied.restart("server.workers", server.workers != running.workers);
        *running = config::Server {
            workers: running.workers,
            ..server.clone()
        };
        if health {
            self.health.set_path(&server.health_path);
        }
        if late || kept_alive || head || opens_otherwise {
            let connections = Connections::new(
                self.gate.clone(),
                &server,
                &self.running.listeners,
                &self.tickets,
                Arc::clone(&self.health),
                Some(&self.dispatcher.connections()),
            );
            self.dispatcher.set_connections(connections);
        }
        if sessions || publishes != self.interfaces.settings.has_publish() {
            let workers = self.workers.count();
            let (most, budget) = descriptors::shares(server.sessions, workers, publishes);
            self.handle.set_max_sessions(most);
            self.limiter.set_budget(budget);
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
        let listeners = std::mem::take(&mut self.listeners.clients).into_iter();
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
        self.listeners.clients = kept;
        self.name_addresses();
        for listener in removed {
            self.warn_of_passed(&listener);
            let address = listener.address.clone();
            listener.close().await;
            tracing::info!(%address, "no longer listening");
            applied.listeners_removed.push(address);
        }
    }

    async fn apply_interfaces(
        &mut self,
        settings: InterfaceSettings,
        bound: BoundInterfaces,
        applied: &mut Applied,
    ) {
        for key in settings.changed_keys(&self.interfaces.settings) {
            applied.key(key, true);
        }
        self.interfaces.apply(settings, &self.tickets);
        for (name, removed) in self.open_interfaces(bound) {
            self.warn_of_passed(&removed);
            let address = removed.address.clone();
            removed.close().await;
            tracing::info!(%address, "{name} interface no longer listening");
        }
    }

    /// Closing our copy of a passed socket does not refuse its clients.
    fn warn_of_passed(&self, removed: &OpenListener) {
        if self.listeners.passed.has(&removed.setting) {
            let address = &removed.address;
            tracing::warn!(
                %address,
                "the process that passed this socket still holds it open: no process accepts its clients"
            );
        }
    }
}
