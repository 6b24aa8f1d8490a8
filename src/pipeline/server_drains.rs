//! Servers whose sessions are being closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::session::SessionMetadata;

/// The servers whose sessions are being closed, by upstream and server.
#[derive(Debug, Default)]
pub(crate) struct ServerDrains {
    closing: Mutex<ClosingServers>,
}

pub(crate) type ClosingServers = HashMap<(Arc<str>, Arc<str>), Option<AbortHandle>>;

impl ServerDrains {
    /// Whether the sessions of this session's server are being closed.
    pub(crate) fn is_closing(&self, metadata: &SessionMetadata) -> bool {
        let names = (Arc::clone(&metadata.upstream), Arc::clone(&metadata.server));
        self.lock().contains_key(&names)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ClosingServers> {
        // The map is whole at every moment, whatever panicked elsewhere.
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
