//! `/channels/NAME/sessions/SESSION`: who is in a channel, decided by the application.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::interface::Shared;
use super::target::{Member, MemberPath, NewMember};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Json, Refusal, WrongQuery};

#[derive(Serialize, ToSchema)]
pub(super) struct Joined {
    /// False if it was a member already.
    joined: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Left {
    /// False if it was no member.
    left: bool,
}

/// Makes a session a member of a channel, and sends it what the channel retains.
///
/// The token needs the channel and `direct`: who adds a session can reach it.
#[utoipa::path(put, path = "/channels/{name}/sessions/{session}", operation_id = "joinChannel",
    params(MemberPath),
    responses(
        (status = 200, description = "It is a member.", body = Joined),
        WrongQuery,
        (status = 404, description = "There has never been such a session.", body = Error),
        (status = 409, description = "The session is in too many channels.", body = Error),
        (status = 410, description = "The session has ended.", body = Error),
    ))]
pub(super) async fn join(
    State(interface): Shared,
    NewMember(Member { channel, session }): NewMember,
    _: Query<NoKeys>,
) -> Result<Json<Joined>, Refusal> {
    let joined = interface.handle.join(session, &channel).await?;
    Ok(Json(Joined { joined }))
}

/// Takes a session out of a channel.
#[utoipa::path(delete, path = "/channels/{name}/sessions/{session}", operation_id = "leaveChannel",
    params(MemberPath),
    responses(
        (status = 200, description = "It is no member.", body = Left),
        WrongQuery,
        (status = 404, description = "There has never been such a session.", body = Error),
        (status = 410, description = "The session has ended.", body = Error),
    ))]
pub(super) async fn leave(
    State(interface): Shared,
    Member { channel, session }: Member,
    _: Query<NoKeys>,
) -> Result<Json<Left>, Refusal> {
    let left = interface.handle.leave(session, &channel).await?;
    Ok(Json(Left { left }))
}
