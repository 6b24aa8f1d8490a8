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
            questions: questions(route),
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

/// How much the gate may ask the engine in a handshake on this route: about its address, its user and its ticket.
fn questions(route: &Route) -> u32 {
    let auth = route.auth.as_ref();
    let takes_tickets = auth.is_some_and(|auth| auth.ticket_lifetime.is_some());
    let each = [
        has_limits(&route.limits.per_ip),
        has_limits(&route.limits.per_subject),
        takes_tickets,
    ];
    each.into_iter().map(u32::from).sum()
}

fn has_limits<'s, S>(settings: &'s S) -> bool
where
    Quota: From<&'s S>,
{
    Quota::from(settings) != Quota::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn each_question_of_a_route_has_its_share_of_the_time() {
        let address = "limits.per_ip.connections = 1\n";
        let user = "limits.per_subject.handshakes = { rate = \"1/s\" }\n";
        let auth = "[route.auth]\nfrom = [\"query:ticket\"]\n";
        let tickets = "[route.auth.tickets]\nlifetime = \"30s\"\n";
        let cases = [
            (String::new(), 0),
            (address.to_owned(), 1),
            ([auth, tickets].concat(), 1),
            ([address, auth, tickets].concat(), 2),
            ([address, user, auth, tickets].concat(), 3),
        ];
        for (lines, expected) in cases {
            let text = format!(
                "[upstream.a]\nservers = [\"ws://127.0.0.1:9\"]\n[[route]]\nname = \"a\"\npath = \"/*\"\n\
                 upstream = \"a\"\n{lines}"
            );
            let Ok(config) = Config::from_toml("test.toml", &text) else {
                assert!(lines.contains("[route.auth]"), "only some builds have it");
                continue;
            };
            assert_eq!(questions(&config.routes[0]), expected, "{lines}");
        }
    }
}
