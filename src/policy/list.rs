//! The policies of one route.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::custom::BoxedPolicy;
use super::rates::{Places, RateTables};
use super::refusal::PolicyRefusal;
use super::{address, origin};
use crate::auth::RouteAuth;
use crate::config::{AddressRules, HttpOrigin, PerIp, PerSubject, Route, Rule};
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
    Auth(Arc<RouteAuth>),
    Custom(BoxedPolicy),
    /// The last: any of the others may find out who the client is.
    SubjectRate,
}

/// A policy of the embedder's has so long to decide.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);

impl PolicyList {
    /// The policies that the route's settings ask for, and these behind them. What cannot refuse
    /// anybody is left out.
    pub(crate) fn new(
        route: &Route,
        auth: Option<RouteAuth>,
        custom: impl IntoIterator<Item = BoxedPolicy>,
    ) -> Self {
        let address = (route.address != AddressRules::default()).then_some(Check::Address);
        let rate = (route.limits.per_ip != PerIp::default()).then_some(Check::Rate);
        let auth = auth.map(|auth| Check::Auth(Arc::new(auth)));
        let own = [address, Some(Check::Origin), rate, auth].into_iter();
        let own = own.flatten();
        let custom = custom.into_iter().map(Check::Custom);
        let counts_subjects = route.limits.per_subject != PerSubject::default();
        let last = counts_subjects.then_some(Check::SubjectRate);
        Self {
            policies: own.chain(custom).chain(last).collect(),
        }
    }

    /// Lets a request in by every policy, or refuses it by the first that does not.
    ///
    /// What the embedder's policies give goes into the handshake; what its rates give is returned,
    /// for the session. Rates count sessions, so that a plain request takes none of them.
    pub(crate) async fn admit(
        &self,
        handshake: &mut Handshake,
        rates: &RateTables,
    ) -> Result<Places, PolicyRefusal> {
        let mut places = Places::default();
        for policy in &self.policies {
            match policy {
                Check::Address => {
                    address::check(&handshake.settings().address, handshake.client())?;
                }
                Check::Origin => check_origin(handshake)?,
                Check::Rate if handshake.is_websocket() => {
                    let (route, client) = (handshake.settings(), handshake.client());
                    let admitted = rates.admit_address(route, client, &mut places);
                    admitted.await.map_err(by_rate)?;
                }
                Check::SubjectRate if handshake.is_websocket() => {
                    let admitted = rates.admit_subject(handshake, &mut places);
                    admitted.await.map_err(by_rate)?;
                }
                Check::Rate | Check::SubjectRate => {}
                Check::Auth(auth) => {
                    // Behind a pointer: a question to another server is bigger than all else here, and most routes
                    // ask none. It waits for nothing for longer than the settings allow.
                    let checked = Box::pin(auth.check(handshake));
                    checked.await.map_err(by_auth)?;
                }
                Check::Custom(policy) => {
                    let decision = timeout(DECISION_TIMEOUT, policy.check(handshake)).await;
                    let grant = decision.map_err(|_elapsed| Rejection::PolicyTimeout)??;
                    handshake.add_grant(grant);
                }
            }
        }
        Ok(places)
    }
}

/// Whether the page that sent the request is allowed, if it was a page.
///
/// Browsers protect plain HTTP by CORS, so that a route has to ask for the check there. A browser sends no
/// Origin with a page's own plain GET requests: its absence says nothing.
fn check_origin(handshake: &Handshake) -> Result<(), PolicyRefusal> {
    if !handshake.is_websocket()
        && (handshake.settings().http.origin == HttpOrigin::Ignore
            || matches!(handshake.origin(), SingleLine::Missing))
    {
        return Ok(());
    }
    let checked = origin::check(
        handshake.origin(),
        &handshake.settings().origin,
        handshake.host(),
        handshake.port(),
        handshake.is_secure(),
    );
    checked.map_err(|rejection| PolicyRefusal {
        rule: origin::rule(handshake.origin(), &rejection),
        rejection,
    })
}

fn by_auth(rejection: Rejection) -> PolicyRefusal {
    match rejection {
        Rejection::ClaimRefused => PolicyRefusal::by(Rule::AuthRequire, rejection),
        _ => PolicyRefusal::by(Rule::Auth, rejection),
    }
}

fn by_rate(rejection: Rejection) -> PolicyRefusal {
    match rejection {
        Rejection::TooManySessions => PolicyRefusal::by(Rule::Connections, rejection),
        Rejection::SubjectSessions => PolicyRefusal::by(Rule::SubjectConnections, rejection),
        Rejection::SubjectHandshakes { .. } => {
            PolicyRefusal::by(Rule::SubjectHandshakes, rejection)
        }
        Rejection::LimitsUnavailable => rejection.into(),
        _ => PolicyRefusal::by(Rule::Handshakes, rejection),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use http::Request;

    use super::super::Policy;
    use super::*;
    use crate::config::ClientIp;
    use crate::request::{ClientIdentity, Grant};
    use crate::types::ClientAddr;

    struct Undecided;

    impl Policy for Undecided {
        async fn check(&self, _: &Handshake) -> Result<Grant, Rejection> {
            pending().await
        }
    }

    fn handshake(route: &Arc<Route>) -> Handshake {
        let request = Request::get("/ws")
            .header("host", "a.test")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let parts = request.body(()).unwrap().into_parts().0;
        let client = ClientIdentity {
            ip: "192.0.2.1".parse().unwrap(),
            peer: ClientAddr::Unix,
            trusted: None,
        };
        Handshake::websocket(&parts, client, route).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_that_does_not_decide_has_refused() {
        let route = Arc::new(Route::for_tests("chat", "/ws"));
        let undecided: BoxedPolicy = Arc::new(Undecided);
        let list = PolicyList::new(&route, None, [undecided]);
        let rates = RateTables::new(&ClientIp::default(), None);
        let admitted = list.admit(&mut handshake(&route), &rates).await;
        assert_eq!(admitted.unwrap_err(), Rejection::PolicyTimeout.into());
    }

    #[test]
    fn what_refuses_nobody_is_not_in_the_list() {
        let route = Route::for_tests("chat", "/ws");
        assert_eq!(PolicyList::new(&route, None, []).policies.len(), 1);
    }
}
