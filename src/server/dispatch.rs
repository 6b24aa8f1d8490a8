//! Which worker serves an accepted connection.

use std::sync::{Arc, PoisonError, RwLock};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Accepted;
use super::connection::{Answerer, Connections, linger};
use super::room::Room;
use super::workers::Worker;

/// Hands each accepted connection to the worker with the least to do. It is called on the first
/// worker, which accepts for all.
pub(super) struct Dispatcher {
    /// In the order of the workers.
    stations: Vec<Station>,
    /// Read once a connection.
    connections: RwLock<Connections>,
    room: Arc<Room>,
    owner: TaskTracker,
}

/// A worker, and what answers the connections that it serves.
pub(super) struct Station {
    pub(super) worker: Worker,
    pub(super) answerer: Answerer,
}

impl Dispatcher {
    /// A dispatcher whose connections belong to `owner`.
    pub(super) fn new(
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
    pub(super) fn renew(&self, connections: Connections) {
        let current = self.connections.write();
        *current.unwrap_or_else(PoisonError::into_inner) = connections;
    }

    /// `closing` is the end of the listener that accepted it.
    pub(super) fn dispatch(&self, accepted: Accepted, closing: &CancellationToken) {
        let Some(place) = self.room.enter() else {
            self.turn_away(accepted);
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

    fn turn_away(&self, accepted: Accepted) {
        let mut socket = self.connections().turn_away(accepted);
        match (self.room.take_leave(), self.stations.first()) {
            (Some(farewell), Some(station)) => station.worker.spawn(&self.owner, async move {
                linger(&mut socket).await;
                drop(farewell);
            }),
            // At least what is there already is thrown away.
            _ => {
                let _now = linger(&mut socket).now_or_never();
            }
        }
    }

    fn connections(&self) -> Connections {
        let connections = self.connections.read();
        connections.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
