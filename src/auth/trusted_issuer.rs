//! An issuer of tokens, and its keys of the moment.

use std::sync::Arc;

use super::key_source::KeySource;
use crate::config::{Issuer, IssuerKeys};
use crate::jwt::{Claims, KeySet, UnverifiedToken};
use crate::rejection::{Rejection, TokenFault};
use crate::wall_clock::WallClock;

/// An issuer whose tokens let in.
pub(super) struct TrustedIssuer {
    pub(super) issuer: Arc<Issuer>,
    keys: Keys,
    clock: WallClock,
}

enum Keys {
    Fixed(Arc<KeySet>),
    Fetched(KeySource),
}

impl TrustedIssuer {
    /// The keys of a URL are those of `source`.
    pub(super) fn new(
        issuer: &Arc<Issuer>,
        source: impl FnOnce() -> Option<KeySource>,
        clock: &WallClock,
    ) -> Option<Self> {
        let keys = match &issuer.keys {
            IssuerKeys::Fixed(keys) => Keys::Fixed(Arc::clone(keys)),
            IssuerKeys::Url(..) => Keys::Fetched(source()?),
        };
        Some(Self {
            issuer: Arc::clone(issuer),
            keys,
            clock: clock.clone(),
        })
    }

    /// Verifies a token that is to let somebody in.
    ///
    /// # Errors
    /// [`Rejection::Token`], and [`Rejection::AuthUnavailable`] where no keys are to be had.
    pub(super) async fn verify(&self, token: &UnverifiedToken<'_>) -> Result<Claims, Rejection> {
        let now = self.clock.now();
        let rules = &self.issuer.rules;
        self.with_keys(|keys| rules.verify(token, keys, now)).await
    }

    /// The same of a token that ends logins.
    ///
    /// # Errors
    /// As [`TrustedIssuer::verify`].
    pub(super) async fn verify_logout(
        &self,
        token: &UnverifiedToken<'_>,
    ) -> Result<Claims, Rejection> {
        let now = self.clock.now();
        let rules = &self.issuer.rules;
        self.with_keys(|keys| rules.verify_logout(token, keys, now))
            .await
    }

    /// Verifies with the keys of the moment, and once more with newer ones if those may be the reason of a fault.
    async fn with_keys(
        &self,
        verify: impl Fn(&KeySet) -> Result<Claims, TokenFault>,
    ) -> Result<Claims, Rejection> {
        let source = match &self.keys {
            Keys::Fixed(keys) => return verify(keys).map_err(Rejection::Token),
            Keys::Fetched(source) => source,
        };
        let keys = source.keys().await;
        let keys = keys.map_err(|_| Rejection::AuthUnavailable)?;
        let renewed = match verify(&keys) {
            Err(TokenFault::Key | TokenFault::Signature) => source.renewed_after(&keys).await,
            verified => return verified.map_err(Rejection::Token),
        };
        match renewed.map_err(|_| Rejection::AuthUnavailable)? {
            Some(newer) => verify(&newer),
            None => verify(&keys),
        }
        .map_err(Rejection::Token)
    }
}
