//! `/upstreams`: the servers behind the gate, and taking one out of service.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use http::StatusCode;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use utoipa::openapi::Object;
use utoipa::{IntoParams, ToSchema};

use super::interface::Shared;
use super::library::{ServerInfo, UnknownServer, UpstreamInfo};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Json, Refusal, WrongQuery};
use crate::server::api::schema::one_of;
use crate::server::api::value;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ServerPath {
    /// The name of an upstream.
    name: String,
    /// Host and port of a server, its URL as the settings write it (percent-encoded), or its place
    /// in the list, from 0 on.
    server: String,
}

#[derive(Deserialize, IntoParams)]
pub(super) struct DrainQuery {
    /// Whether the sessions of the server are closed.
    #[serde(default, deserialize_with = "value::flag")]
    #[param(default = false)]
    close: bool,
    /// The time to spread their closes over, such as `10s`; `drain.spread` by default.
    #[serde(default, deserialize_with = "value::duration")]
    #[param(value_type = String, required = false)]
    over: Option<Duration>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Upstreams {
    upstreams: Vec<Upstream>,
}

#[derive(Serialize, ToSchema)]
struct Upstream {
    name: String,
    #[schema(schema_with = balance)]
    balance: &'static str,
    /// In the order of the settings.
    servers: Vec<Server>,
}

#[derive(Serialize, ToSchema)]
struct Server {
    /// As the settings write it; the label of the metrics.
    server: String,
    /// Its URL, in full.
    url: String,
    weight: u32,
    /// Sessions that are open with it.
    sessions: u64,
    /// Handshakes and plain requests that are under way with it.
    connecting: u64,
    /// Whether it gets no new sessions.
    draining: bool,
    /// Whether it has failed lately, and other servers are tried before it.
    failing: bool,
    /// Connections of HTTP/2 to it, which sessions share.
    http2_connections: usize,
    failed_connects: u64,
    failed_handshakes: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ServerDrain {
    draining: bool,
    /// Sessions that are open with the server.
    sessions: usize,
    /// How many of them are being closed.
    closing: usize,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ServerResumed {
    draining: bool,
}

/// Every server of every upstream.
#[utoipa::path(get, path = "/upstreams", operation_id = "listUpstreams",
    responses(
        (status = 200, description = "In the order of the settings.", body = Upstreams),
        WrongQuery,
    ))]
pub(super) async fn list(State(interface): Shared, _: Query<NoKeys>) -> Json<Upstreams> {
    let upstreams = interface.handle.upstreams();
    Json(Upstreams {
        upstreams: upstreams.into_iter().map(Upstream::from).collect(),
    })
}

/// Sends no new sessions to a server, and closes those that it has if `close` is `true`.
#[utoipa::path(post, path = "/upstreams/{name}/{server}/drain", operation_id = "drainServer",
    params(ServerPath, DrainQuery),
    responses(
        (status = 202, description = "It gets no new sessions.", body = ServerDrain),
        WrongQuery,
        (status = 404, description = "There is no such server; the sentence says which there are.",
            body = Error),
        (status = 409, description = "Servers of different names are at this address.",
            body = Error),
    ))]
pub(super) async fn drain(
    State(interface): Shared,
    path: ServerPath,
    Query(query): Query<DrainQuery>,
) -> Result<(StatusCode, Json<ServerDrain>), Refusal> {
    let handle = &interface.handle;
    let close = match (query.close, query.over) {
        (true, over) => Some(over.unwrap_or_else(|| handle.drain_spread())),
        (false, None) => None,
        (false, Some(_)) => {
            let problem = "`over` spreads the closes of close=true, which is not there";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, problem));
        }
    };
    let drained = handle.drain_server(&path.name, &path.server, close)?;
    let answer = ServerDrain {
        draining: true,
        sessions: drained.sessions,
        closing: drained.closing,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Sends sessions to a server again.
#[utoipa::path(post, path = "/upstreams/{name}/{server}/resume", operation_id = "resumeServer",
    params(ServerPath),
    responses(
        (status = 200, description = "It gets sessions.", body = ServerResumed),
        WrongQuery,
        (status = 404, description = "There is no such server; the sentence says which there are.",
            body = Error),
        (status = 409, description = "Servers of different names are at this address.",
            body = Error),
    ))]
pub(super) async fn resume(
    State(interface): Shared,
    path: ServerPath,
    _: Query<NoKeys>,
) -> Result<Json<ServerResumed>, Refusal> {
    interface.handle.resume_server(&path.name, &path.server)?;
    Ok(Json(ServerResumed { draining: false }))
}

/// What is no text is the name of nothing.
impl<S: Sync> FromRequestParts<S> for ServerPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let mut segments = parts.uri.path().split('/').skip(2);
        let mut name = || {
            let name = percent_decode_str(segments.next().unwrap_or_default());
            name.decode_utf8().unwrap_or_default().into_owned()
        };
        Ok(Self {
            name: name(),
            server: name(),
        })
    }
}

fn balance() -> Object {
    one_of(["least_connections", "round_robin", "random_two", "ip_hash"])
}

/// Says which there are, and does not repeat what the client wrote, which may be anything.
impl From<UnknownServer> for Refusal {
    fn from(unknown: UnknownServer) -> Self {
        let (status, problem, known) = match unknown {
            UnknownServer::Upstream { known, .. } => {
                (StatusCode::NOT_FOUND, "no such upstream: there is", known)
            }
            UnknownServer::Server { known, .. } => {
                (StatusCode::NOT_FOUND, "no such server: there is", known)
            }
            UnknownServer::Ambiguous { known, .. } => (
                StatusCode::CONFLICT,
                "more than one server is there: say which of",
                known,
            ),
        };
        Self::new(status, format!("{problem} {}", known.join(", ")))
    }
}

impl From<UpstreamInfo> for Upstream {
    fn from(info: UpstreamInfo) -> Self {
        Self {
            name: info.upstream.to_string(),
            balance: info.balance,
            servers: info.servers.into_iter().map(Server::from).collect(),
        }
    }
}

impl From<ServerInfo> for Server {
    fn from(info: ServerInfo) -> Self {
        Self {
            server: info.server.to_string(),
            url: info.url,
            weight: info.weight,
            sessions: info.sessions,
            connecting: info.connecting,
            draining: info.draining,
            failing: info.failing,
            http2_connections: info.http2_connections,
            failed_connects: info.failed_connects,
            failed_handshakes: info.failed_handshakes,
        }
    }
}
