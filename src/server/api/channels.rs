//! Channels and their members, as lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::library::{ChannelInfo, ChannelName, Handle, MemberInfo, SessionName};
use super::value;

#[derive(Deserialize, IntoParams)]
pub(crate) struct ChannelsQuery {
    /// Only channels whose names begin with this.
    #[serde(default)]
    #[param(default = "")]
    prefix: String,
    /// Only channels behind this one, in the order of their names.
    #[serde(default, deserialize_with = "value::channel")]
    #[param(value_type = String, required = false)]
    after: Option<ChannelName>,
    /// Channels on the page.
    #[serde(default = "page_size", deserialize_with = "value::page_size")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct MembersQuery {
    /// Only sessions behind this one.
    #[serde(default, deserialize_with = "value::session_name")]
    #[param(value_type = String, required = false)]
    after: Option<SessionName>,
    /// Sessions on the page.
    #[serde(default = "page_size", deserialize_with = "value::page_size")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Channels {
    /// In the order of their names.
    channels: Vec<Channel>,
    /// The value of `after` for the next page; null on the last one.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Channel {
    name: String,
    /// How many sessions are members.
    sessions: usize,
    /// How many publications wait for a session that joins.
    retained: usize,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Members {
    /// How many sessions are members, on all gates.
    sessions: usize,
    members: Vec<Member>,
    /// Other gates that have not answered in time: their members are missing.
    missing_gates: usize,
    /// The value of `after` for the next page; null on the last one.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Member {
    /// The name of the session.
    session: String,
    /// Who the client is; absent if no policy has found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    route: String,
}

/// A page of the channels that `takes` takes.
pub(crate) fn channels(
    handle: &Handle,
    query: ChannelsQuery,
    takes: impl Fn(&ChannelName) -> bool,
) -> Channels {
    let ChannelsQuery {
        prefix,
        after,
        limit,
    } = query;
    let mut found = handle.channels(|name| {
        name.starts_with(&prefix) && after.as_ref().is_none_or(|after| name > after) && takes(name)
    });
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|last| last.name.to_string());
    Channels {
        next: last.filter(|_| has_more),
        channels: found.into_iter().map(Channel::from).collect(),
    }
}

/// A page of the members of a channel.
pub(crate) async fn members(
    handle: &Handle,
    channel: &ChannelName,
    query: MembersQuery,
) -> Members {
    let page = handle.members(channel, query.after, query.limit).await;
    let last = page.members.last().map(|last| last.session.to_string());
    Members {
        sessions: page.total,
        next: last.filter(|_| page.has_more),
        members: page.members.into_iter().map(Member::from).collect(),
        missing_gates: page.missing_gates,
    }
}

fn page_size() -> usize {
    100
}

impl From<ChannelInfo> for Channel {
    fn from(info: ChannelInfo) -> Self {
        Self {
            name: info.name.to_string(),
            sessions: info.sessions,
            retained: info.retained,
        }
    }
}

impl From<MemberInfo> for Member {
    fn from(info: MemberInfo) -> Self {
        Self {
            session: info.session.to_string(),
            subject: info.subject,
            route: info.route.to_string(),
        }
    }
}
