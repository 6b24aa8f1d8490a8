//! The admin interface: is the process alive, is it ready, who is connected.
//!
//! `router.rs` is the table of what it answers to; the handlers stand in a file for each topic. `access.rs` decides who
//! may use it. How its connections are served is in `api/`.

mod access;
mod channels;
mod drain;
mod event;
mod events;
mod expiry;
mod exposition;
mod interface;
mod library;
mod logout;
mod metadata;
mod metrics;
mod openapi;
mod probes;
mod reload;
mod router;
mod sessions;
mod settings;
mod stream;
mod tickets;
mod upstreams;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::access::Access;
use self::interface::Interface;
use self::library::{Handle, Secret};
use self::router::router;
use crate::server::api::service::ApiService;
use crate::server::http::limiter::ConnectionLimiter;
use crate::server::lifecycle::reload::counts::ReloadCounts;
use crate::server::lifecycle::reload::requests::ReloadRequests;
use crate::server::logging::queue::LogQueue;
use crate::server::publish::refusals::RefusalCounts;

/// The admin interface of the process, wherever it listens.
pub(super) struct AdminService {
    service: ApiService<Access>,
    streams: TaskTracker,
}

/// What the interface shows and changes.
pub(super) struct AdminContext {
    pub(super) handle: Handle,
    /// `None` where the settings came from no file.
    pub(super) reloads: Option<ReloadRequests>,
    pub(super) reload_counts: Arc<ReloadCounts>,
    /// `None` where the log is that of another program.
    pub(super) log: Option<LogQueue>,
    /// Owns what the interface starts.
    pub(super) tasks: TaskTracker,
    /// Looked at only, as is the limiter.
    pub(super) connections: TaskTracker,
    pub(super) limiter: Arc<ConnectionLimiter>,
}

/// For so long the process waits for the end of an events stream to be taken.
const END_TIMEOUT: Duration = Duration::from_secs(1);

impl AdminService {
    pub(super) fn new(context: AdminContext, publish_refusals: Arc<RefusalCounts>) -> Self {
        let places = context.limiter.budget().admin_connections();
        let streams = TaskTracker::new();
        let interface = Interface {
            handle: context.handle,
            drain_requested: AtomicBool::new(false),
            reloads: context.reloads,
            reload_counts: context.reload_counts,
            log: context.log,
            tasks: context.tasks,
            connections: context.connections,
            limiter: context.limiter,
            publish_refusals,
            streams: streams.clone(),
            started: SystemTime::now(),
        };
        let router = router(Arc::new(interface));
        Self {
            service: ApiService::new(Access::default(), router, places),
            streams,
        }
    }

    /// What serves its connections.
    pub(super) fn service(&self) -> &ApiService<Access> {
        &self.service
    }

    /// Requires this token from now on; `None` is none.
    pub(super) fn require_token(&self, token: Option<Secret>) {
        self.service.own().require(token);
    }

    /// Waits for the event streams, which end when a drain does.
    pub(super) async fn streams_ended(&self) {
        self.streams.close();
        if timeout(END_TIMEOUT, self.streams.wait()).await.is_err() {
            tracing::debug!("an events stream was cut off");
        }
    }
}

#[cfg(test)]
mod tests;
