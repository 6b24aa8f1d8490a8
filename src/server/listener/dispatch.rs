//! Which worker serves an accepted connection.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Accepted;
use crate::server::http::connection::{Answerer, Connections};
use crate::server::http::limiter::Room;
use crate::server::lifecycle::workers::Worker;

/// Hands each accepted connection to the worker with the least to do. It is called on the first
/// worker, which accepts for all.
pub(crate) struct Dispatcher {
    /// In the order of the workers.
    stations: Vec<Station>,
    /// Read once a connection.
    connections: RwLock<Connections>,
    room: Arc<Room>,
    owner: TaskTracker,
}

/// A worker, and what answers the connections that it serves.
pub(crate) struct Station {
    pub(crate) worker: Worker,
    pub(crate) answerer: Answerer,
}

impl Dispatcher {
    /// A dispatcher whose connections belong to `owner`.
    pub(crate) fn new(
        stations: Vec<Station>,
        connections: Connections,
        room: Arc<Room>,
        owner: TaskTracker,
    ) -> Self {
        Self {
            stations,
            connections: RwLock::new(connections),
            room,
            owner,
        }
    }

    /// Serves connections that are accepted from now on in another way.
    pub(crate) fn renew(&self, connections: Connections) {
        let current = self.connections.write();
        *current.unwrap_or_else(PoisonError::into_inner) = connections;
    }

    /// `closing` is the end of the listener that accepted it.
    pub(crate) fn dispatch(&self, accepted: Accepted, closing: &CancellationToken) {
        let Some(place) = self.room.enter() else {
            self.refuse(accepted);
            return;
        };
        let stations = self.stations.iter().enumerate();
        let Some((index, station)) = stations.min_by_key(|(_, station)| station.worker.load())
        else {
            return;
        };
        let connections = self.connections();
        let (answerer, closing) = (station.answerer.clone(), closing.clone());
        if index == 0 {
            // It is here already.
            let connection = connections.serve(accepted, place, answerer, closing);
            station.worker.spawn(&self.owner, connection);
            return;
        }
        let lost = |error| tracing::error!(%error, "a connection was lost between workers");
        match accepted.detach() {
            Ok(accepted) => station.worker.spawn(&self.owner, async move {
                match accepted.attach() {
                    Ok(accepted) => connections.serve(accepted, place, answerer, closing).await,
                    Err(error) => lost(error),
                }
            }),
            Err(error) => lost(error),
        }
    }

    /// Refuses a connection for which there is no place. Without a slot for that it is only closed.
    fn refuse(&self, accepted: Accepted) {
        let refusal = self.connections().refuse(accepted);
        if let (Some(slot), Some(station)) = (self.room.refuse(), self.stations.first()) {
            // It was accepted on the first worker.
            station.worker.spawn(&self.owner, refusal.carry_out(slot));
        }
    }

    fn connections(&self) -> Connections {
        let connections = self.connections.read();
        connections.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
