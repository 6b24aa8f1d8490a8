//! `POST /logout/ISSUER`: an identity provider says that a login has ended (OpenID Connect Back-Channel Logout 1.0 §2.5).
//!
//! It needs no token of the interface: that of the provider is verified as those of clients are.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use utoipa::ToSchema;

use super::interface::Shared;
use super::library::LogoutError;
use crate::server::api::body::{WrongBody, bytes_of};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Json, Refusal};

#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: a form is read by hand")]
pub(super) struct LogoutForm {
    /// The token of the logout.
    logout_token: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct EndedLogins {
    /// How many sessions are being closed.
    closed: usize,
}

/// The longest token, with escapes.
const LONGEST: usize = 16 * 1024;

/// Ends the sessions of a login, by the logout token of its issuer. It needs no token of this interface.
#[utoipa::path(post, path = "/logout/{issuer}", operation_id = "endLogin",
    params(("issuer" = String, Path, description = "The name of an [issuer.NAME].")),
    request_body(content = LogoutForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Its sessions are being closed.", body = EndedLogins),
        WrongBody,
        (status = 404, description = "There is no such issuer.", body = Error),
    ),
    security(()))]
pub(super) async fn end_login(
    State(interface): Shared,
    issuer: Result<Path<String>, PathRejection>,
    _: Query<NoKeys>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EndedLogins>, Refusal> {
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "there is no such issuer");
    let Ok(Path(issuer)) = issuer else {
        return Err(unknown());
    };
    let wrong = |problem: &str| Refusal::new(StatusCode::BAD_REQUEST, problem);
    if !is_form(&headers) {
        return Err(wrong("the body must be application/x-www-form-urlencoded"));
    }
    let form = bytes_of(body, LONGEST).await?;
    let token = logout_token(&form);
    let token = token.ok_or_else(|| wrong("the body must be a form with one `logout_token`"))?;
    match interface.handle.end_login(&issuer, &token).await {
        Ok(closed) => {
            tracing::info!(issuer, closed, "a login has ended");
            Ok(Json(EndedLogins { closed }))
        }
        Err(LogoutError::UnknownIssuer) => Err(unknown()),
        Err(error) => {
            let status = match &error {
                LogoutError::Refused(rejection) if rejection.status().is_server_error() => {
                    rejection.status()
                }
                _ => StatusCode::BAD_REQUEST,
            };
            Err(Refusal::new(status, error.to_string()))
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The token in a form; `None` if there is none, or more than one.
fn logout_token(form: &[u8]) -> Option<String> {
    let form = std::str::from_utf8(form).ok()?;
    let mut values = form
        .split('&')
        .filter_map(|pair| pair.strip_prefix("logout_token="));
    let token = values.next()?;
    if values.next().is_some() {
        return None;
    }
    let token = percent_decode_str(token).decode_utf8().ok()?;
    Some(token.into_owned())
}
