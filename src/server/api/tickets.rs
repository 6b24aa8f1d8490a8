//! One-time tickets for browsers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Described;
use super::library::{Handle, Identity, TicketError};
use super::response::{Json, Refusal};
use super::timestamp;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketRequest {
    /// The name of a route with [route.auth.tickets].
    route: String,
    /// Who comes in with the ticket.
    subject: String,
    /// What else is known of that client, for headers.
    #[serde(default)]
    claims: BTreeMap<String, String>,
    /// When the session ends, in RFC 3339; without it, not for this reason.
    #[serde(default, deserialize_with = "timestamp::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    session_expires: Option<SystemTime>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TicketAnswer {
    /// What the client shows, once.
    ticket: String,
    /// For so many seconds it may be used.
    expires_in: u64,
}

impl Described for TicketRequest {
    const FORM: &'static str = "an object with the strings `route` and `subject`, and if you like `claims`, an object of \
                                strings, and `session_expires`, a time of RFC 3339 such as \"2026-07-01T12:00:00Z\"";
}

/// Issues a ticket.
pub(crate) async fn issue(
    handle: &Handle,
    wanted: TicketRequest,
) -> Result<(StatusCode, Json<TicketAnswer>), Refusal> {
    if wanted.subject.is_empty() {
        let problem = "`subject` must not be empty";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, problem));
    }
    let identity = Identity::new(wanted.subject);
    let claims = wanted.claims.into_iter();
    let identity = claims.fold(identity, |identity, (name, value)| {
        identity.with_claim(name, value)
    });
    let issued = handle.issue_ticket(&wanted.route, identity, wanted.session_expires);
    let issued = issued.await.map_err(|error| {
        let status = match error {
            TicketError::UnknownRoute => StatusCode::NOT_FOUND,
            TicketError::NotTaken => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal::new(status, error.to_string())
    })?;
    let answer = TicketAnswer {
        ticket: issued.ticket,
        expires_in: issued.lifetime.as_secs(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
