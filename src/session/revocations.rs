//! Which rights were taken away.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::request::Identity;

/// Takes the right away from sessions, and from what their clients showed: a user's, a token's or a login's.
///
/// ```
/// use wsgate::Revocation;
///
/// let user = Revocation::of_subject("alice").by_issuer("main");
/// let token = Revocation::of_token("b6c1…");
/// # let _ = (user, token);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Revocation {
    key: RevokedKey,
    issued_until: Option<SystemTime>,
}

/// What is revoked.
#[derive(Clone, PartialEq, Eq, Hash)]
struct RevokedKey {
    kind: Kind,
    /// Of any issuer if there is none.
    issuer: Option<Box<str>>,
    value: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Subject,
    Token,
    Login,
}

/// The revocations of the last day, so that what was revoked does not come back.
#[derive(Default)]
pub(crate) struct Revocations {
    /// How many there are; looked at before anything else.
    count: AtomicUsize,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    entries: HashMap<Arc<RevokedKey>, Entry>,
    /// From the oldest to the newest.
    order: BTreeMap<u64, Arc<RevokedKey>>,
    last_number: u64,
    has_warned: bool,
}

struct Entry {
    number: u64,
    added: Instant,
    /// Only tokens that were issued until then; all of them if there is none.
    issued_until: Option<SystemTime>,
}

/// The most that are kept; the oldest goes for the next one.
const MOST: usize = 10_000;

/// For so long each is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

impl Revocation {
    /// Of a user, by the subject of the identity.
    pub fn of_subject(subject: impl Into<String>) -> Self {
        Self::of(Kind::Subject, subject.into())
    }

    /// Of one token, by its `jti` (RFC 7519 §4.1.7).
    pub fn of_token(id: impl Into<String>) -> Self {
        Self::of(Kind::Token, id.into())
    }

    /// Of a login at this issuer, by the `sid` that its tokens have in common (OpenID Connect Back-Channel
    /// Logout 1.0 §2.1).
    pub fn of_login(issuer: impl Into<String>, login: impl Into<String>) -> Self {
        Self::of(Kind::Login, login.into()).by_issuer(issuer)
    }

    fn of(kind: Kind, value: String) -> Self {
        Self {
            key: RevokedKey {
                kind,
                issuer: None,
                value: value.into(),
            },
            issued_until: None,
        }
    }

    /// Only where this issuer, by its name in the settings, has issued the token.
    #[must_use]
    pub fn by_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.key.issuer = Some(issuer.into().into());
        self
    }

    /// Only where the token was issued at this moment or before it, or does not say when. Without it, a
    /// user's tokens count that were issued until the revocation, and all of a login.
    #[must_use]
    pub fn issued_until(mut self, moment: SystemTime) -> Self {
        self.issued_until = Some(moment);
        self
    }

    /// Its kind, issuer, value and moment, for other gates.
    pub(crate) fn parts(&self) -> (&'static str, Option<&str>, &str, Option<SystemTime>) {
        let RevokedKey {
            kind,
            issuer,
            value,
        } = &self.key;
        (kind.as_str(), issuer.as_deref(), value, self.issued_until)
    }

    /// What another gate's [`Revocation::parts`] say; `None` if there is no such kind.
    pub(crate) fn read(
        kind: &str,
        issuer: Option<String>,
        value: String,
        issued_until: Option<SystemTime>,
    ) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let mut revocation = Self::of(kind, value);
        revocation.key.issuer = issuer.map(String::into_boxed_str);
        revocation.issued_until = issued_until;
        Some(revocation)
    }

    /// Whether it takes the right of a session with this identity away.
    pub(crate) fn takes(&self, identity: &Identity) -> bool {
        let RevokedKey {
            kind,
            issuer,
            value,
        } = &self.key;
        let is_issuer =
            |issuer: &Option<Box<str>>| issuer.is_none() || issuer.as_deref() == identity.issuer();
        kind.of(identity) == Some(value)
            && is_issuer(issuer)
            && was_issued(identity, self.issued_until)
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::Subject, Self::Token, Self::Login];

    fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Token => "token",
            Self::Login => "login",
        }
    }

    /// What of an identity is revoked by this.
    fn of(self, identity: &Identity) -> Option<&str> {
        match self {
            // Who has none is nobody's user.
            Self::Subject => Some(identity.subject()).filter(|subject| !subject.is_empty()),
            Self::Token => identity.token_id(),
            Self::Login => identity.login(),
        }
    }
}

impl Revocations {
    /// Keeps a revocation that is made now.
    pub(crate) fn add(&self, revocation: &Revocation, wall: SystemTime, now: Instant) {
        let issued_until = match revocation.key.kind {
            Kind::Subject => Some(revocation.issued_until.unwrap_or(wall)),
            Kind::Token | Kind::Login => revocation.issued_until,
        };
        let mut list = self.lock();
        list.forget_old(now);
        list.add(revocation.key.clone(), issued_until, now);
        self.count.store(list.entries.len(), Ordering::Release);
    }

    /// Whether what the client has shown was revoked. It costs a load where nothing ever was.
    pub(crate) fn is_revoked(&self, identity: &Identity, now: Instant) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut list = self.lock();
        list.forget_old(now);
        self.count.store(list.entries.len(), Ordering::Release);
        list.is_revoked(identity)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        // No step of a change leaves more than an entry too much behind.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn add(&mut self, key: RevokedKey, issued_until: Option<SystemTime>, now: Instant) {
        let key = Arc::new(key);
        self.last_number += 1;
        let mut entry = Entry {
            number: self.last_number,
            added: now,
            issued_until,
        };
        if let Some(before) = self.entries.remove(&key) {
            self.order.remove(&before.number);
            // An earlier revocation is not taken back; all tokens are more than some.
            let both = entry.issued_until.zip(before.issued_until);
            entry.issued_until = both.map(|(one, other)| one.max(other));
        }
        self.order.insert(entry.number, Arc::clone(&key));
        self.entries.insert(key, entry);
        while self.entries.len() > MOST {
            self.forget_oldest();
            if !self.has_warned {
                self.has_warned = true;
                tracing::warn!(
                    most = MOST,
                    "more was revoked than is kept: the oldest revocations are forgotten"
                );
            }
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(oldest) = self.order.first_entry()
            && let Some(entry) = self.entries.get(oldest.get())
            && now.saturating_duration_since(entry.added) >= KEPT
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.entries.remove(&key);
        }
    }

    fn is_revoked(&self, identity: &Identity) -> bool {
        let issuers = [None, identity.issuer()];
        let keys = Kind::ALL.into_iter().flat_map(|kind| {
            let value = kind.of(identity);
            value.into_iter().flat_map(move |value| {
                issuers.map(|issuer| RevokedKey {
                    kind,
                    issuer: issuer.map(Box::from),
                    value: value.into(),
                })
            })
        });
        keys.into_iter()
            .filter_map(|key| self.entries.get(&key))
            .any(|entry| was_issued(identity, entry.issued_until))
    }
}

/// Whether a token was issued until then. One that does not say when may have been.
fn was_issued(identity: &Identity, until: Option<SystemTime>) -> bool {
    let issued = identity.issued_at().zip(until);
    issued.is_none_or(|(issued, until)| issued <= until)
}

/// Whom it is about stays out: that is personal data.
impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation")
            .field("kind", &self.key.kind)
            .field("issuer", &self.key.issuer)
            .field("issued_until", &self.issued_until)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
