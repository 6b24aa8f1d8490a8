//! The certificates that are ordered while the server runs: a task each, on a worker.

use std::io;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::workers::Worker;
use crate::acme::{Order, StateError, TryAgain};
use crate::config::{AcmeOrder, Config};
use crate::server::error::ServeError;

/// The orders that run.
#[derive(Debug)]
pub(super) struct Orders {
    worker: Worker,
    owner: TaskTracker,
    /// Cancelled when nothing is accepted any more: no authority could verify a name then.
    accepting: CancellationToken,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    order: AcmeOrder,
    ends: CancellationToken,
    try_again: TryAgain,
}

/// The orders of settings, and those of them that do not run.
#[derive(Debug)]
pub(super) struct WantedOrders {
    all: Vec<AcmeOrder>,
    new: Vec<AcmeOrder>,
}

/// Orders that are to begin, by settings that are about to be applied.
#[derive(Debug)]
pub(super) struct OpenedOrders {
    wanted: Vec<AcmeOrder>,
    new: Vec<(AcmeOrder, Order)>,
}

impl WantedOrders {
    /// Opens those that do not run, which reads and writes files.
    ///
    /// # Errors
    /// [`StateError`] if the folder of one cannot be read and written.
    pub(super) fn open(self) -> Result<OpenedOrders, StateError> {
        let new = self.new.into_iter().map(|order| {
            let opened = Order::open(&order)?;
            Ok((order, opened))
        });
        let new = new.collect::<Result<_, StateError>>()?;
        let wanted = self.all;
        Ok(OpenedOrders { wanted, new })
    }

    /// The same on a thread of its own.
    pub(super) async fn open_elsewhere(self) -> Result<OpenedOrders, ServeError> {
        let opened = spawn_blocking(|| self.open()).await;
        Ok(opened.map_err(|panicked| ServeError::System(io::Error::other(panicked)))??)
    }
}

impl Orders {
    pub(super) fn new(worker: Worker, owner: TaskTracker, accepting: CancellationToken) -> Self {
        Self {
            worker,
            owner,
            accepting,
            running: Vec::new(),
        }
    }

    /// What these settings want, whose listeners get the certificates of the orders that run.
    pub(super) fn wanted(&self, config: &mut Config) -> WantedOrders {
        config.keep_orders(self.running.iter().map(|running| &running.order));
        let all: Vec<_> = config.orders().cloned().collect();
        let new = all
            .iter()
            .filter(|order| !self.has(order))
            .cloned()
            .collect();
        WantedOrders { all, new }
    }

    /// Has the orders that have failed tried again, where no authority has asked for a pause.
    pub(super) fn try_again(&self) {
        for running in &self.running {
            running.try_again.now();
        }
    }

    /// Ends the orders that are not wanted any more, and begins the new ones. Returns whether there was another one.
    pub(super) fn apply(&mut self, opened: OpenedOrders) -> bool {
        let OpenedOrders { wanted, new } = opened;
        let before = self.running.len();
        self.running.retain(|running| {
            let stays = wanted.contains(&running.order);
            if !stays {
                running.ends.cancel();
            }
            stays
        });
        let has_changed = self.running.len() < before || !new.is_empty();
        for (order, opened) in new {
            let (ends, try_again) = (self.accepting.child_token(), opened.try_again());
            let ended = ends.clone();
            self.worker.spawn(&self.owner, async move {
                tokio::select! {
                    () = ended.cancelled() => {}
                    never = opened.keep() => match never {},
                }
            });
            self.running.push(Running {
                order,
                ends,
                try_again,
            });
        }
        has_changed
    }

    fn has(&self, order: &AcmeOrder) -> bool {
        self.running.iter().any(|running| running.order == *order)
    }
}
