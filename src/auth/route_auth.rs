//! Who may come in on one route, and as whom.

use std::sync::Arc;

use super::digest::digest;
use super::forward::ForwardAuth;
use super::requirement::{identity, meets};
use super::tickets::{Tickets, Unavailable};
use super::trusted_issuer::TrustedIssuer;
use crate::config::{AuthRules, Route};
use crate::jwt::{UnverifiedToken, looks_like_token};
use crate::rejection::{Rejection, TokenFault};
use crate::request::{Grant, Handshake, Identity};
use crate::wall_clock::WallClock;

/// Decides about the credentials of one route.
pub(crate) struct RouteAuth {
    route: Arc<Route>,
    issuers: Vec<TrustedIssuer>,
    tickets: Tickets,
    server: Option<ForwardAuth>,
    clock: WallClock,
}

impl RouteAuth {
    pub(super) fn new(
        route: &Arc<Route>,
        issuers: Vec<TrustedIssuer>,
        tickets: Tickets,
        server: Option<ForwardAuth>,
        clock: WallClock,
    ) -> Self {
        Self {
            route: Arc::clone(route),
            issuers,
            tickets,
            server,
            clock,
        }
    }

    /// Lets a request in with what its credential gives and then the authentication server, or refuses it.
    ///
    /// # Errors
    /// The rejection that the client is answered with.
    pub(crate) async fn check(&self, handshake: &mut Handshake) -> Result<(), Rejection> {
        if let Some(rules) = &self.route.auth
            && rules.takes_credentials()
        {
            let grant = self.check_credential(rules, handshake).await?;
            handshake.add_grant(grant);
        }
        if let Some(server) = &self.server
            && !handshake.is_explained()
        {
            let grant = server.check(handshake).await?;
            handshake.add_grant(grant);
        }
        Ok(())
    }

    async fn check_credential(
        &self,
        rules: &AuthRules,
        handshake: &Handshake,
    ) -> Result<Grant, Rejection> {
        let credential = handshake.credential()?;
        let credential = credential.ok_or(Rejection::CredentialMissing)?;
        let ticket = match rules.ticket_lifetime {
            Some(_) => self.tickets.take(&credential, &self.route.name).await,
            None => Ok(None),
        };
        if let Ok(Some(admitted)) = ticket {
            let grant = Grant::new().with_identity(admitted.identity);
            return Ok(match (admitted.session_expires, rules.expiry_code) {
                (Some(moment), Some(code)) => grant.expiring_at_with(moment, code),
                _ => grant,
            });
        }
        if let Some(keys) = &rules.keys
            && let Some(name) = keys.name(&digest(credential.as_bytes()))
        {
            let identity = Identity::new(&**name).with_issued_at(self.clock.now());
            return Ok(Grant::new().with_identity(identity));
        }
        ticket.map_err(|Unavailable| Rejection::AuthUnavailable)?;
        match !self.issuers.is_empty()
            && (looks_like_token(&credential) || takes_tokens_alone(rules))
        {
            true => self.check_token(rules, &credential, handshake).await,
            false => Err(Rejection::CredentialUnknown),
        }
    }

    async fn check_token(
        &self,
        rules: &AuthRules,
        text: &str,
        handshake: &Handshake,
    ) -> Result<Grant, Rejection> {
        let token = UnverifiedToken::read(text).map_err(Rejection::Token)?;
        let issuer = self.issuer_of(&token)?;
        let claims = issuer.verify(&token).await?;
        if !rules
            .require
            .iter()
            .all(|required| meets(required, &claims, handshake))
        {
            return Err(Rejection::ClaimRefused);
        }
        let identity = identity(&claims, &issuer.issuer.name, &rules.claims);
        let grant = Grant::new().with_identity(identity);
        Ok(match (claims.expires_at(), rules.expiry_code) {
            (Some(moment), Some(code)) => grant.expiring_at_with(moment, code),
            _ => grant,
        })
    }

    /// The issuer that the token names. Where none does, the only one says what is wrong with the token.
    fn issuer_of(&self, token: &UnverifiedToken<'_>) -> Result<&TrustedIssuer, Rejection> {
        let named = token.issuer();
        let mut issuers = self.issuers.iter();
        let found = issuers.find(|trusted| named == Some(&*trusted.issuer.rules.issuer));
        match (found, &self.issuers[..]) {
            (Some(issuer), _) | (None, [issuer]) => Ok(issuer),
            (None, _) => Err(Rejection::Token(TokenFault::Issuer)),
        }
    }
}

/// Whether a credential can be nothing but a token, so that a malformed one is best called that.
fn takes_tokens_alone(rules: &AuthRules) -> bool {
    rules.keys.is_none() && rules.ticket_lifetime.is_none()
}
