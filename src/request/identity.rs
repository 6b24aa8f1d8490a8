//! Who a client is.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Who a client is, as a policy has found out.
///
/// A session holds it to its end: it is small, and cheap to keep.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The subject, the id of the token and the login, one behind the other: one piece of memory for all three.
    words: Box<str>,
    subject_end: usize,
    token_id_end: usize,
    claims: Box<[(Box<str>, Box<str>)]>,
    issuer: Option<Arc<str>>,
    issued_at: Option<SystemTime>,
}

impl Identity {
    /// An identity with this subject: the user's name or number.
    pub fn new(subject: impl Into<String>) -> Self {
        let words = subject.into().into_boxed_str();
        Self {
            subject_end: words.len(),
            token_id_end: words.len(),
            words,
            claims: Box::default(),
            issuer: None,
            issued_at: None,
        }
    }

    /// Adds what else is known of the client; a claim of the same name is replaced.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into().into_boxed_str());
        match self.claims.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, known)) => *known = value,
            None => {
                let mut claims = self.claims.into_vec();
                claims.push((name.into_boxed_str(), value));
                self.claims = claims.into_boxed_slice();
            }
        }
        self
    }

    /// Adds the issuer of the token that this comes from, by its name in the settings.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<Arc<str>>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Adds what tells the token apart: its `jti` (RFC 7519 §4.1.7), and the `sid` of its login (OpenID Connect
    /// Back-Channel Logout 1.0 §2.1). An empty one is none.
    #[must_use]
    pub fn with_token(mut self, id: Option<&str>, login: Option<&str>) -> Self {
        let (id, login) = (id.unwrap_or_default(), login.unwrap_or_default());
        self.token_id_end = self.subject_end + id.len();
        self.words = [self.subject(), id, login].concat().into_boxed_str();
        self
    }

    /// Adds when this became known: when the token was issued, or the user was looked up. A
    /// [`Revocation`](crate::Revocation) takes what became known before it; what does not say when is taken for a day.
    #[must_use]
    pub fn with_issued_at(mut self, moment: SystemTime) -> Self {
        self.issued_at = Some(moment);
        self
    }

    /// The user's name or number. It is empty if the client is known by something else, such as a token without
    /// a subject.
    pub fn subject(&self) -> &str {
        &self.words[..self.subject_end]
    }

    /// What else is known of the client under this name.
    pub fn claim(&self, name: &str) -> Option<&str> {
        let claim = self.claims.iter().find(|(known, _)| **known == *name);
        claim.map(|(_, value)| &**value)
    }

    /// All that is known of the client besides the subject: names and values.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &str)> {
        let claims = self.claims.iter();
        claims.map(|(name, value)| (&**name, &**value))
    }

    /// Who has issued the token that this comes from, by the name in the settings.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The `jti` of the token that this comes from, which revokes it alone.
    pub fn token_id(&self) -> Option<&str> {
        Some(&self.words[self.subject_end..self.token_id_end]).filter(|id| !id.is_empty())
    }

    /// The `sid` of the login that the token comes from, which all tokens of one login have in common.
    pub fn login(&self) -> Option<&str> {
        Some(&self.words[self.token_id_end..]).filter(|login| !login.is_empty())
    }

    /// When this became known: when the token was issued, say.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }
}

/// Neither the subject nor the claims show: they are personal data.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("claims", &self.claims.len())
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_replaced_and_nothing_of_a_person_shows() {
        let identity = Identity::new("canary")
            .with_claim("team", "blue")
            .with_claim("team", "canary")
            .with_issuer("main")
            .with_token(Some("canary-id"), Some("canary-login"));
        assert_eq!(identity.claim("team"), Some("canary"));
        assert_eq!(identity.claim("room"), None);
        assert_eq!(identity.token_id(), Some("canary-id"));
        assert_eq!(identity.login(), Some("canary-login"));
        assert_eq!(identity.subject(), "canary");
        let other = identity.clone().with_token(None, Some("b"));
        assert_eq!((other.token_id(), other.login()), (None, Some("b")));
        assert_eq!(Identity::new("a").token_id(), None);
        assert!(!format!("{identity:?}").contains("canary"));
    }
}
