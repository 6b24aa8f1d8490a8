//! The live sessions that an operator selects.

use std::fmt;
use std::sync::Arc;

use crate::config::{Network, networks_contain};
use crate::observe::SessionInfo;
use crate::request::Identity;
use crate::session::{Revocation, SessionEntry};
use crate::types::SessionId;

/// A choice of live sessions: all, unless a field narrows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only sessions of the route of this name.
    pub route: Option<String>,
    /// Only sessions of clients in this network.
    pub client: Option<Network>,
    /// Only sessions with the upstream of this name.
    pub upstream: Option<String>,
    /// Only sessions of clients with this subject.
    pub subject: Option<String>,
    /// Only sessions of clients with a token of this issuer, by its name in the settings.
    pub issuer: Option<String>,
    /// Only sessions of clients with the token of this `jti`.
    pub token_id: Option<String>,
}

/// Some of the sessions of a selection: [`Handle::page`](super::Handle::page).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// Oldest first.
    pub sessions: Vec<SessionInfo>,
    /// How many sessions the selection has in all.
    pub total: usize,
    /// Whether there are more behind these.
    pub has_more: bool,
}

impl Selection {
    /// Whether it narrows nothing, so that it selects all sessions.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// What to revoke for this selection: a user or a token is revoked, if nothing but the issuer is beside it.
    pub fn revocation(&self) -> Option<Revocation> {
        let Self {
            route: None,
            client: None,
            upstream: None,
            subject,
            issuer,
            token_id,
        } = self
        else {
            return None;
        };
        let revocation = match (subject, token_id) {
            (Some(subject), None) => Revocation::of_subject(subject),
            (None, Some(token)) => Revocation::of_token(token),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        Some(match issuer {
            Some(issuer) => revocation.by_issuer(issuer),
            None => revocation,
        })
    }

    pub(super) fn takes(&self, entry: &SessionEntry) -> bool {
        let metadata = &entry.metadata;
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| *wanted == *name)
        };
        let identity = metadata.identity.as_deref();
        let is_known = |wanted: &Option<String>, known: fn(&Identity) -> Option<&str>| {
            let wanted = wanted.as_deref();
            wanted.is_none() || identity.and_then(known) == wanted
        };
        is(&self.route, &metadata.route)
            && is_known(&self.subject, |identity| Some(identity.subject()))
            && is_known(&self.issuer, Identity::issuer)
            && is_known(&self.token_id, Identity::token_id)
            && is(&self.upstream, &metadata.upstream)
            && (self.client).is_none_or(|network| networks_contain(&[network], metadata.client))
    }
}

/// The subject and the token stay out: they are personal data.
impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection")
            .field("route", &self.route)
            .field("client", &self.client)
            .field("upstream", &self.upstream)
            .field("has_subject", &self.subject.is_some())
            .field("issuer", &self.issuer)
            .field("has_token_id", &self.token_id.is_some())
            .finish()
    }
}

impl Page {
    pub(super) fn of(mut entries: Vec<Arc<SessionEntry>>, after: SessionId, most: usize) -> Self {
        let total = entries.len();
        entries.retain(|entry| entry.id > after);
        let has_more = entries.len() > most;
        if has_more {
            // Of a hundred thousand only those that are shown are put in order.
            entries.select_nth_unstable_by_key(most, |entry| entry.id);
            entries.truncate(most);
        }
        entries.sort_unstable_by_key(|entry| entry.id);
        let sessions = entries.iter().map(|entry| entry.info());
        Self {
            sessions: sessions.collect(),
            total,
            has_more,
        }
    }
}
