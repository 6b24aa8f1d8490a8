//! The policies of one route.

use std::time::Duration;

use tokio::time::timeout;

use super::custom::BoxedPolicy;
use super::rate::{Admission, RateTable};
use super::{address, origin};
use crate::config::{AddressRules, PerIp, Route};
use crate::rejection::Rejection;
use crate::request::{Handshake, SingleLine};

/// The policies of one route, in their order. It is built when settings are loaded.
#[derive(Clone)]
pub(crate) struct PolicyList {
    policies: Box<[Check]>,
}

#[derive(Clone)]
enum Check {
    Address,
    Origin,
    Rate,
    Custom(BoxedPolicy),
}

/// A policy of the embedder's has so long to decide.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);

impl PolicyList {
    /// The policies that the route's settings ask for, and these behind them. What cannot refuse
    /// anybody is left out.
    pub(crate) fn new(route: &Route, custom: impl IntoIterator<Item = BoxedPolicy>) -> Self {
        let address = (route.address != AddressRules::default()).then_some(Check::Address);
        let rate = (route.limits.per_ip != PerIp::default()).then_some(Check::Rate);
        let own = [address, Some(Check::Origin), rate].into_iter().flatten();
        let custom = custom.into_iter().map(Check::Custom);
        Self {
            policies: own.chain(custom).collect(),
        }
    }

    /// Lets a request in by every policy, or refuses it by the first that does not.
    ///
    /// What the embedder's policies give goes into the handshake; what its rates give is returned,
    /// for the session. Rates count sessions, so that a plain request takes none of them.
    pub(crate) async fn admit(
        &self,
        handshake: &mut Handshake,
        rates: &RateTable,
    ) -> Result<Admission, Rejection> {
        let mut admission = Admission::default();
        for policy in &self.policies {
            match policy {
                Check::Address => {
                    address::check(&handshake.settings().address, handshake.client())?;
                }
                Check::Origin => check_origin(handshake)?,
                Check::Rate if handshake.is_websocket() => {
                    admission = rates.admit(handshake.settings(), handshake.client())?;
                }
                Check::Rate => {}
                Check::Custom(policy) => {
                    let decision = timeout(DECISION_TIMEOUT, policy.check(handshake)).await;
                    let grant = decision.map_err(|_elapsed| Rejection::PolicyTimeout)??;
                    handshake.add_grant(grant);
                }
            }
        }
        Ok(admission)
    }
}

/// Whether the page that sent the request is let in, if it was a page.
///
/// A browser sends no Origin with a page's own plain GET requests, so that its absence there says
/// nothing.
fn check_origin(handshake: &Handshake) -> Result<(), Rejection> {
    if !handshake.is_websocket() && matches!(handshake.origin(), SingleLine::Missing) {
        return Ok(());
    }
    origin::check(
        handshake.origin(),
        &handshake.settings().origin,
        handshake.host(),
        handshake.port(),
        handshake.is_secure(),
    )
}
