//! What the answers are made of.

use std::sync::Arc;

use axum::extract::State;

use super::access::Access;
use super::library::Handle;

/// What a handler takes it as.
pub(super) type Shared = State<Arc<Interface>>;

/// The state of the interface, which every address of it shares.
pub(super) struct Interface {
    pub(super) handle: Handle,
    pub(super) access: Access,
}
