//! The same limits, where all gates together count.

use std::net::IpAddr;

use tokio::time::Instant;

use super::counters::{Counters, Lenders, Quota, UsedUp};
use super::shard::{RateKey, Who};
use super::{Admission, RateTable};
use crate::config::Route;
use crate::rejection::Rejection;
use crate::request::Identity;
use crate::shared::{Counted, SharedParts, SharedRates, Verdict, Wanted};

impl RateTable {
    /// As [`RateTable::admit`], for limits of which these gates share some.
    pub(in crate::policy) async fn admit_among_gates(
        &self,
        route: &Route,
        ip: IpAddr,
        shared: &SharedRates,
    ) -> Result<Admission, Rejection> {
        let address = self.inner.address_of(ip);
        let quota = Quota::from(&route.limits.per_ip);
        let counted = Counted::address(&route.name, address);
        let client = (&quota, Who::Address(address), counted);
        self.admit_shared(route, client, shared).await
    }

    /// As [`RateTable::admit_subject`].
    pub(in crate::policy) async fn admit_subject_among_gates(
        &self,
        route: &Route,
        identity: &Identity,
        shared: &SharedRates,
    ) -> Result<Option<Admission>, Rejection> {
        let quota = Quota::from(&route.limits.per_subject);
        if quota == Quota::default() || identity.subject().is_empty() {
            return Ok(None);
        }
        let counted = Counted::subject(&route.name, identity.issuer(), identity.subject());
        let client = (&quota, self.inner.subject_of(identity), counted);
        self.admit_shared(route, client, shared).await.map(Some)
    }

    /// First what this gate counts for itself and costs nothing, then what all count, and then the session.
    async fn admit_shared(
        &self,
        route: &Route,
        (quota, who, counted): (&Quota, Who, Counted),
        shared: &SharedRates,
    ) -> Result<Admission, Rejection> {
        let parts = shared.parts();
        let rules = self.inner.rules_of(&route.name, quota, parts);
        let key = RateKey {
            route: rules.id,
            who,
        };
        let lenders = || Lenders {
            messages: parts.messages.then(|| shared.messages_lender(counted)),
            bytes: parts.bytes.then(|| shared.bytes_lender(counted)),
        };
        let refuse = |used_up| self.inner.counted.rejection(used_up);
        let (begun, _) = self.count(key, &rules, lenders, |counters| {
            if parts.handshakes {
                counters.refusal(Instant::now()).map_or(Ok(()), Err)?;
            } else {
                counters.count_handshake()?;
            }
            Ok(Admission::of(counters))
        });
        // It holds the buckets, so that they are the same when the session is counted.
        let begun = begun.map_err(refuse)?;
        let (messages, bytes) = (begun.messages(), begun.bytes());
        let wanted = Wanted {
            handshakes: quota.handshakes.filter(|_| parts.handshakes),
            sessions: quota.connections.filter(|_| parts.connections),
            messages: messages.as_deref(),
            bytes: bytes.as_deref(),
            is_one_of_two: has_limits(&route.limits.per_ip)
                && has_limits(&route.limits.per_subject),
        };
        // What is left to be counted here: all of it, where the gate is alone.
        let (lease, left) = match shared.admit(counted, &wanted).await {
            Verdict::Within(lease) => (lease, SharedParts::default()),
            Verdict::Alone(lease) => (lease, parts),
            Verdict::Handshakes { retry_after } => {
                let note = |counters: &mut Counters| counters.refuse_for(retry_after);
                self.count(key, &rules, lenders, note);
                return Err(refuse(UsedUp::Handshakes { retry_after }));
            }
            Verdict::Sessions => return Err(refuse(UsedUp::Sessions)),
            Verdict::Unknown => return Err(Rejection::LimitsUnavailable),
        };
        let mut admission = self.enter(key, &rules, lenders, |counters| {
            if left.handshakes {
                counters.count_handshake()?;
            }
            let counts_sessions = left.connections || !parts.connections;
            counters.count_session(quota.connections.filter(|_| counts_sessions))
        })?;
        admission.set_lease(lease);
        Ok(admission)
    }
}

fn has_limits<'s, S>(settings: &'s S) -> bool
where
    Quota: From<&'s S>,
{
    Quota::from(settings) != Quota::default()
}
