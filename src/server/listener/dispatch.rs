//! Which worker serves an accepted connection.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Accepted;
use crate::config::ListenAddress;
use crate::server::http::connection::{Connections, GatedForward};
use crate::server::http::limiter::ConnectionLimiter;
use crate::server::lifecycle::workers::Worker;

/// Gives each accepted connection to the worker with the fewest tasks. It runs on the first worker, which
/// accepts for all.
pub(crate) struct Dispatcher {
    /// In the order of the workers.
    slots: Vec<WorkerSlot>,
    /// Read once a connection.
    connections: RwLock<Connections>,
    limiter: Arc<ConnectionLimiter>,
    owner: TaskTracker,
}

/// A worker, and the handler of its requests.
pub(crate) struct WorkerSlot {
    pub(crate) worker: Worker,
    pub(crate) handler: GatedForward,
}

impl Dispatcher {
    /// A dispatcher whose connections belong to `owner`.
    pub(crate) fn new(
        slots: Vec<WorkerSlot>,
        connections: Connections,
        limiter: Arc<ConnectionLimiter>,
        owner: TaskTracker,
    ) -> Self {
        Self {
            slots,
            connections: RwLock::new(connections),
            limiter,
            owner,
        }
    }

    /// Serves connections from now on by other settings. What is open by a listener that lets others in than before
    /// takes no further request.
    pub(crate) fn set_connections(&self, connections: Connections) {
        let current = self.connections.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *current, connections.clone());
        drop(current);
        // After the change: a client that connects again gets the new settings.
        connections.end_former_access(&former);
    }

    /// Serves a connection, which ends after its current request when `listener_closing` is cancelled, or a reload changes
    /// who may connect.
    pub(crate) fn dispatch(
        &self,
        accepted: Accepted,
        listener: &ListenAddress,
        listener_closing: &CancellationToken,
    ) {
        let Some(permit) = self.limiter.admit() else {
            self.refuse(accepted);
            return;
        };
        let slots = self.slots.iter().enumerate();
        let Some((index, slot)) = slots.min_by_key(|(_, slot)| slot.worker.load()) else {
            return;
        };
        let connections = self.connections();
        let Some(opening) = connections.opening_of(listener) else {
            return;
        };
        let (handler, closing) = (slot.handler.clone(), opening.closing(listener_closing));
        if index == 0 {
            // This is the worker.
            let connection = connections.serve(accepted, opening, permit, handler, closing);
            slot.worker.spawn(&self.owner, connection);
            return;
        }
        let lost = |error| tracing::error!(%error, "a connection was lost between workers");
        match accepted.detach() {
            Ok(accepted) => slot.worker.spawn(&self.owner, async move {
                match accepted.attach() {
                    Ok(accepted) => {
                        let connection =
                            connections.serve(accepted, opening, permit, handler, closing);
                        connection.await;
                    }
                    Err(error) => lost(error),
                }
            }),
            Err(error) => lost(error),
        }
    }

    /// Refuses a connection over the limit. Without a free slot it is not waited for until its client has
    /// read the answer.
    fn refuse(&self, accepted: Accepted) {
        let refusal = self.connections().refuse(accepted);
        match (self.limiter.refuse(), self.slots.first()) {
            // It was accepted on the first worker.
            (Some(slot), Some(first)) => {
                first.worker.spawn(&self.owner, refusal.carry_out(slot));
            }
            _ => refusal.carry_out_at_once(),
        }
    }

    /// The settings by which connections are served now.
    pub(crate) fn connections(&self) -> Connections {
        let connections = self.connections.read();
        connections.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
