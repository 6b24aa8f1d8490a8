//! The servers that speak HTTP/1.0.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Version;

use crate::config::ServerAddress;

/// Servers whose last response was of HTTP/1.0; clones share them, so that what one worker has seen, all know.
#[derive(Clone, Default)]
pub(crate) struct OldServers(Arc<Mutex<HashSet<ServerAddress>>>);

/// Servers that are remembered.
const MOST: usize = 1024;

impl OldServers {
    pub(super) fn contains(&self, address: &ServerAddress) -> bool {
        self.addresses().contains(address)
    }

    /// Takes note of the version of a server's response.
    pub(super) fn note_version(&self, address: &ServerAddress, version: Version) {
        let mut addresses = self.addresses();
        if version < Version::HTTP_11 {
            // Reloads may name ever other servers. One that is forgotten costs its next request a second.
            if addresses.len() >= MOST {
                addresses.clear();
            }
            addresses.insert(address.clone());
        } else if !addresses.is_empty() {
            addresses.remove(address);
        }
    }

    fn addresses(&self) -> MutexGuard<'_, HashSet<ServerAddress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
