//! Requests for a reload, from anywhere in the process.

use tokio::sync::{mpsc, oneshot};

use super::applied::Applied;
use super::rejected::Rejected;

/// The outcome of a reload.
pub(super) type Outcome = Result<Applied, Rejected>;

/// Takes the outcome of the requested reload.
pub(super) type Request = oneshot::Sender<Outcome>;

/// Requests reloads; clones share one reloader.
#[derive(Clone, Debug)]
pub(crate) struct ReloadRequests {
    requests: mpsc::Sender<Request>,
}

/// Reloads that may wait for the current one.
const WAITING: usize = 4;

impl ReloadRequests {
    /// The requests, and the end that receives them.
    pub(super) fn channel() -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(WAITING);
        (Self { requests }, receiver)
    }

    /// Reads the file again. `None` if the process is stopping.
    pub(crate) async fn request(&self) -> Option<Outcome> {
        let (reply, outcome) = oneshot::channel();
        self.requests.send(reply).await.ok()?;
        outcome.await.ok()
    }
}
