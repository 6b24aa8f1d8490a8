//! The interface for applications, which publish to sessions and put them into channels.
//!
//! `router.rs` is the table of what it answers to; the handlers stand in a file for each topic. `access.rs` decides whose
//! token allows what, `target.rs` reads whom a request is about, and `message.rs` what is published. `refusals.rs` counts
//! what is refused. How its connections are served is in `api/`.

mod access;
mod batch;
mod channels;
mod interface;
mod library;
mod members;
mod message;
mod openapi;
mod publications;
pub(crate) mod refusals;
mod router;
mod target;
mod tickets;

use std::sync::Arc;

use self::access::Access;
use self::interface::Interface;
use self::library::{Handle, Publish};
use self::refusals::RefusalCounts;
use self::router::router;
use crate::server::api::service::ApiService;

/// The publish interface of the process, wherever it listens.
pub(crate) struct PublishService {
    service: ApiService<Access>,
}

impl PublishService {
    /// With so many places for connections, and nobody who may use it.
    pub(crate) fn new(handle: Handle, refusals: Arc<RefusalCounts>, places: usize) -> Self {
        let access = Access::new(refusals);
        let router = router(Arc::new(Interface {
            handle,
            access: access.clone(),
        }));
        Self {
            service: ApiService::new(access, router, places),
        }
    }

    /// What serves its connections.
    pub(crate) fn service(&self) -> &ApiService<Access> {
        &self.service
    }

    /// Goes by these settings from now on, on connections that are open already as well.
    pub(crate) fn apply(&self, settings: Option<&Publish>) {
        self.service.own().apply(settings);
    }
}

#[cfg(test)]
mod tests;
