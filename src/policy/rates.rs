//! The two tables of rates, and what a session holds of them.

use std::net::IpAddr;
use std::sync::Arc;

use super::rate::{Admission, RateTable};
use crate::config::{ClientIp, Route};
use crate::limit::Limit;
use crate::rejection::Rejection;
use crate::request::Handshake;
use crate::shared::SharedRates;

/// What addresses and subjects have done on every route.
///
/// Each has a table of its own, so that no flood of addresses takes the places of subjects.
#[derive(Debug)]
pub(crate) struct RateTables {
    pub(crate) addresses: RateTable,
    pub(crate) subjects: RateTable,
    /// What all gates together count.
    shared: Option<SharedRates>,
}

/// The places of a session in both. They are given back on drop.
#[derive(Debug, Default)]
pub(crate) struct Places {
    address: Admission,
    /// A pointer, because most routes count no subjects and idle sessions are many.
    subject: Option<Box<Admission>>,
}

impl RateTables {
    pub(crate) fn new(settings: &ClientIp, shared: Option<SharedRates>) -> Self {
        Self {
            addresses: RateTable::new(settings),
            subjects: RateTable::of_subjects(settings),
            shared,
        }
    }

    /// The same tables, as long as these settings let them be.
    pub(crate) fn followed_by(&self, settings: &ClientIp, shared: Option<SharedRates>) -> Self {
        let followed = |table: &RateTable| match table.matches(settings) {
            true => table.clone(),
            false => table.rebuilt(settings),
        };
        Self {
            addresses: followed(&self.addresses),
            subjects: followed(&self.subjects),
            shared,
        }
    }

    /// As [`RateTable::keep_routes`].
    pub(crate) fn keep_routes(&self, routes: &[Arc<Route>]) {
        self.addresses.keep_routes(routes);
        self.subjects.keep_routes(routes);
    }

    /// As [`RateTable::sweep`].
    pub(crate) fn sweep(&self) {
        self.addresses.sweep();
        self.subjects.sweep();
    }

    /// Only where gates share limits is there anything to wait for, and that is behind a pointer.
    pub(super) async fn admit_address(
        &self,
        route: &Route,
        ip: IpAddr,
        places: &mut Places,
    ) -> Result<(), Rejection> {
        places.address = match &self.shared {
            None => self.addresses.admit(route, ip)?,
            Some(shared) => {
                let admitted = (self.addresses).admit_among_gates(route, ip, shared);
                Box::pin(admitted).await?
            }
        };
        Ok(())
    }

    /// For a client whom no policy has found out, it counts nothing.
    pub(super) async fn admit_subject(
        &self,
        handshake: &Handshake,
        places: &mut Places,
    ) -> Result<(), Rejection> {
        let Some(identity) = handshake.identity() else {
            return Ok(());
        };
        let route = handshake.settings();
        let admitted = match &self.shared {
            None => self.subjects.admit_subject(route, identity)?,
            Some(shared) => {
                let subjects = &self.subjects;
                let admitted = subjects.admit_subject_among_gates(route, identity, shared);
                Box::pin(admitted).await?
            }
        };
        places.subject = admitted.map(Box::new);
        Ok(())
    }
}

impl Places {
    /// The message rates that the session shares with others: of its address, and of its subject.
    pub(crate) fn messages(&self) -> [Option<Arc<Limit>>; 2] {
        let subject = self.subject.as_ref();
        [
            self.address.messages(),
            subject.and_then(|subject| subject.messages()),
        ]
    }

    /// The byte rates, likewise.
    pub(crate) fn bytes(&self) -> [Option<Arc<Limit>>; 2] {
        let subject = self.subject.as_ref();
        [
            self.address.bytes(),
            subject.and_then(|subject| subject.bytes()),
        ]
    }
}
