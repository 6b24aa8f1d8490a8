//! `/channels`: which channels there are, and who is in one.

use axum::extract::{FromRequestParts, State};
use http::StatusCode;
use http::request::Parts;
use utoipa::IntoParams;

use super::interface::Shared;
use super::library::ChannelName;
use crate::server::api::channels::{self, Channels, ChannelsQuery, Members, MembersQuery};
use crate::server::api::path::segment;
use crate::server::api::query::Query;
use crate::server::api::response::{Json, Refusal, WrongQuery};

/// The channel of `/channels/{name}`.
pub(super) struct Channel(ChannelName);

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: it is read as a Channel")]
pub(super) struct ChannelPath {
    /// The name of a channel.
    name: String,
}

/// The channels, page by page.
#[utoipa::path(get, path = "/channels", operation_id = "listChannels", params(ChannelsQuery),
    responses((status = 200, description = "A page.", body = Channels), WrongQuery))]
pub(super) async fn list(
    State(interface): Shared,
    Query(query): Query<ChannelsQuery>,
) -> Json<Channels> {
    Json(channels::channels(&interface.handle, query, |_| true))
}

/// The members of a channel, page by page.
#[utoipa::path(get, path = "/channels/{name}", operation_id = "listMembers",
    params(ChannelPath, MembersQuery),
    responses((status = 200, description = "A page.", body = Members), WrongQuery))]
pub(super) async fn members(
    State(interface): Shared,
    Channel(channel): Channel,
    Query(query): Query<MembersQuery>,
) -> Json<Members> {
    Json(channels::members(&interface.handle, &channel, query).await)
}

impl<S: Sync> FromRequestParts<S> for Channel {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let name = segment(head, 1, "the channel")?.parse();
        let wrong = |problem: String| Refusal::new(StatusCode::BAD_REQUEST, problem);
        name.map(Self)
            .map_err(|error: <ChannelName as std::str::FromStr>::Err| wrong(error.to_string()))
    }
}
