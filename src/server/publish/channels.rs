//! `/channels`: which there are, who is in one, and what happens to a whole one.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Publisher;
use super::interface::Shared;
use super::library::CloseCode;
use super::target::{Channel, ChannelPath};
use crate::server::api::channels::{self, Channels, ChannelsQuery, Members, MembersQuery};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Json, WrongQuery};
use crate::server::api::value;

#[derive(Deserialize, IntoParams)]
pub(super) struct CloseQuery {
    /// The close code for the clients: 1000 to 1003, 1007 to 1014 or 3000 to 4999.
    #[serde(default = "close_code", deserialize_with = "value::close_code")]
    #[param(value_type = u16, default = 1000)]
    code: CloseCode,
    /// The reason for the clients, of at most 123 bytes.
    #[serde(default, deserialize_with = "value::close_reason")]
    #[param(default = "")]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Closed {
    /// How many sessions are being closed, on all gates.
    closed: usize,
    /// Other gates that have not answered in time.
    missing_gates: usize,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Forgotten {
    /// How many publications there were.
    forgotten: usize,
}

/// The channels that the token takes, page by page.
#[utoipa::path(get, path = "/channels", operation_id = "listChannels", params(ChannelsQuery),
    responses((status = 200, description = "A page.", body = Channels), WrongQuery))]
pub(super) async fn list(
    State(interface): Shared,
    Extension(publisher): Extension<Arc<Publisher>>,
    Query(query): Query<ChannelsQuery>,
) -> Json<Channels> {
    let takes = |channel: &_| publisher.takes(channel);
    Json(channels::channels(&interface.handle, query, takes))
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

/// Closes every session that is a member of a channel.
#[utoipa::path(delete, path = "/channels/{name}/sessions", operation_id = "closeChannel",
    params(ChannelPath, CloseQuery),
    responses((status = 200, description = "They are being closed.", body = Closed), WrongQuery))]
pub(super) async fn close(
    State(interface): Shared,
    Extension(publisher): Extension<Arc<Publisher>>,
    Channel(channel): Channel,
    Query(query): Query<CloseQuery>,
) -> Json<Closed> {
    let handle = &interface.handle;
    let closed = handle
        .close_channel(&channel, query.code, &query.reason)
        .await;
    tracing::info!(
        token = publisher.name(),
        sessions = closed.count,
        code = %query.code,
        "sessions of a channel closed by a publisher"
    );
    Json(Closed {
        closed: closed.count,
        missing_gates: closed.missing_gates,
    })
}

/// Lets go of what a channel retains.
#[utoipa::path(delete, path = "/channels/{name}/retained", operation_id = "forgetRetained",
    params(ChannelPath),
    responses((status = 200, description = "It retains nothing.", body = Forgotten), WrongQuery))]
pub(super) async fn forget(
    State(interface): Shared,
    Channel(channel): Channel,
    _: Query<NoKeys>,
) -> Json<Forgotten> {
    let forgotten = interface.handle.forget_retained(&channel).await;
    Json(Forgotten { forgotten })
}

fn close_code() -> CloseCode {
    CloseCode::NORMAL
}
