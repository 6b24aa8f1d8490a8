//! What an application and an identity provider tell the gate: tickets to issue, logins that have ended.

use std::time::{Duration, SystemTime};

use super::handle::Handle;
use crate::auth::NotIssued;
use crate::rejection::Rejection;
use crate::request::Identity;
use crate::session::Revocation;

/// A ticket for one handshake: [`Handle::issue_ticket`].
#[derive(Clone)]
#[non_exhaustive]
pub struct IssuedTicket {
    /// What the client shows where `auth.from` of the route looks. It is a secret: letters, digits, `-` and `_`.
    pub ticket: String,
    /// How long it may be used (`auth.tickets.lifetime`).
    pub lifetime: Duration,
}

/// Why there is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// The settings have no route of this name.
    #[error("there is no such route")]
    UnknownRoute,
    /// The route takes no tickets.
    #[error("the route takes no tickets: it has no [route.auth.tickets]")]
    NotTaken,
    /// As many tickets wait as may.
    #[error("too many tickets were issued and not used")]
    TooMany,
    /// The engine that gates share (`[shared]`) has not taken the ticket in time.
    #[error("the engine of [shared] does not take the ticket at the moment: try again")]
    Unavailable,
}

/// Why a token ends no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogoutError {
    /// No route takes tokens of an issuer of this name.
    #[error("there is no such issuer")]
    UnknownIssuer,
    /// The token is not to be believed, or cannot be verified at the moment.
    #[error("the token is refused: {}", .0.message())]
    Refused(Rejection),
}

impl Handle {
    /// Begins to fetch the keys of issuers, so that they are there for the first client. Without this call the first request
    /// does it. Call it within a tokio runtime, which then renews them.
    pub fn fetch_keys(&self) {
        self.core().auth.start();
    }

    /// Issues a ticket: whoever shows it first, in its time, comes in on this route as `identity`. The session ends at
    /// `session_expires` as it would with a token.
    ///
    /// Tickets are kept in this process alone, 100,000 at most; with `[shared]` the engine keeps them, and the client may
    /// show one at any gate that shares it.
    ///
    /// # Errors
    /// [`TicketError`] if the route takes none, too many wait, or the engine does not take it.
    pub async fn issue_ticket(
        &self,
        route: &str,
        identity: Identity,
        session_expires: Option<SystemTime>,
    ) -> Result<IssuedTicket, TicketError> {
        let core = self.core();
        let settings = core.settings();
        let mut routes = settings.config.routes.iter();
        let route = routes.find(|known| *known.name == *route);
        let route = route.ok_or(TicketError::UnknownRoute)?;
        let lifetime = route.auth.as_ref().and_then(|rules| rules.ticket_lifetime);
        let lifetime = lifetime.ok_or(TicketError::NotTaken)?;
        let issued = (core.auth).issue_ticket(&route.name, identity, session_expires, lifetime);
        match issued.await {
            Ok(ticket) => Ok(IssuedTicket { ticket, lifetime }),
            Err(NotIssued::TooMany) => Err(TicketError::TooMany),
            Err(NotIssued::Unavailable) => Err(TicketError::Unavailable),
        }
    }

    /// Ends the logins that a provider says have ended, by its logout token (OpenID Connect Back-Channel Logout 1.0
    /// §2.6), and returns how many sessions that closes. `issuer` is its name in the settings.
    ///
    /// It is as [`Handle::revoke`] with the token's `sid`, or else with its `sub`: tokens that were issued later come
    /// in again.
    ///
    /// # Errors
    /// [`LogoutError`] if the token is not to be believed.
    pub async fn end_login(&self, issuer: &str, logout_token: &str) -> Result<usize, LogoutError> {
        let core = self.core();
        let config = self.config();
        let verified = core.auth.verify_logout(&config, issuer, logout_token).await;
        let ended = verified
            .ok_or(LogoutError::UnknownIssuer)?
            .map_err(LogoutError::Refused)?;
        let revocation = match ended.login {
            Some(login) => Revocation::of_login(issuer, login),
            None => Revocation::of_subject(ended.subject).by_issuer(issuer),
        };
        Ok(self.revoke(&revocation.issued_until(ended.at)))
    }
}

/// The ticket stays out.
impl std::fmt::Debug for IssuedTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedTicket")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
