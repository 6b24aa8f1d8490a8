//! `POST /tickets`: one-time tickets for browsers.

use axum::extract::State;
use http::StatusCode;

use super::interface::Shared;
use crate::server::api::body::{JsonBody, WrongBody};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Json, Refusal};
use crate::server::api::tickets::{self, TicketAnswer, TicketRequest};

/// Issues a ticket: a client comes in with it once, in its time.
#[utoipa::path(post, path = "/tickets", operation_id = "issueTicket",
    request_body = TicketRequest,
    responses(
        (status = 201, description = "A ticket, which is a secret.", body = TicketAnswer),
        WrongBody,
        (status = 404, description = "There is no such route.", body = Error),
        (status = 409, description = "The route takes no tickets.", body = Error),
    ))]
pub(super) async fn issue(
    State(interface): Shared,
    _: Query<NoKeys>,
    JsonBody(wanted): JsonBody<TicketRequest>,
) -> Result<(StatusCode, Json<TicketAnswer>), Refusal> {
    tickets::issue(&interface.handle, wanted).await
}
