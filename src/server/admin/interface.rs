//! What the answers are made of.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use axum::extract::State;
use tokio_util::task::TaskTracker;

use super::library::Handle;
use crate::server::http::limiter::ConnectionLimiter;
use crate::server::lifecycle::reload::counts::ReloadCounts;
use crate::server::lifecycle::reload::requests::ReloadRequests;
use crate::server::logging::queue::LogQueue;
use crate::server::publish::refusals::RefusalCounts;

/// What a handler takes it as.
pub(super) type Shared = State<Arc<Interface>>;

/// The state of the interface, which every address of it shares.
pub(super) struct Interface {
    pub(super) handle: Handle,
    pub(super) drain_requested: AtomicBool,
    /// `None` where the settings came from no file.
    pub(super) reloads: Option<ReloadRequests>,
    pub(super) reload_counts: Arc<ReloadCounts>,
    /// `None` where the log is that of another program.
    pub(super) log: Option<LogQueue>,
    /// Owns what the interface starts.
    pub(super) tasks: TaskTracker,
    /// The connections of clients, to be counted.
    pub(super) connections: TaskTracker,
    pub(super) limiter: Arc<ConnectionLimiter>,
    /// What the publish interface has refused.
    pub(super) publish_refusals: Arc<RefusalCounts>,
    /// The event streams that are open.
    pub(super) streams: TaskTracker,
    pub(super) started: SystemTime,
}
