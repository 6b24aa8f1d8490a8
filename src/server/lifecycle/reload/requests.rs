//! Requests for a reload, from anywhere in the process.

use tokio::sync::{mpsc, oneshot};

use super::applied::Applied;
use super::rejected::Rejected;

/// What a reload came to.
pub(super) type Outcome = Result<Applied, Rejected>;

/// Takes the outcome of the reload that it asks for.
pub(super) type Request = oneshot::Sender<Outcome>;

/// Asks for reloads; a clone asks the same reloader.
#[derive(Clone, Debug)]
pub(crate) struct Reloads {
    requests: mpsc::Sender<Request>,
}

/// Reloads that may wait for the one under way.
const WAITING: usize = 4;

impl Reloads {
    /// A way to ask, and where that is heard.
    pub(super) fn channel() -> (Self, mpsc::Receiver<Request>) {
        let (requests, heard) = mpsc::channel(WAITING);
        (Self { requests }, heard)
    }

    /// Reads the file again. `None` if nobody does that any more.
    pub(crate) async fn ask(&self) -> Option<Outcome> {
        let (tell, told) = oneshot::channel();
        self.requests.send(tell).await.ok()?;
        told.await.ok()
    }
}
