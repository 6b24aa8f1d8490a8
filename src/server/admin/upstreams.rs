//! `/upstreams`: the servers behind the gate, and taking one out of service.

use http::StatusCode;
use serde_json::{Value, json};

use super::AdminService;
use super::answer::{Answer, answer_json, error};
use super::query::{BadQuery, percent_decode};
use super::router::Asked;
use crate::proxy::{ServerInfo, UnknownServer, UpstreamInfo};

/// `GET /upstreams`
pub(super) fn list(admin: &AdminService) -> Answer {
    let upstreams = admin.inner.handle.upstreams();
    let upstreams: Vec<_> = upstreams.iter().map(describe).collect();
    answer_json(StatusCode::OK, &json!({ "upstreams": upstreams }))
}

/// `POST /upstreams/NAME/SERVER/drain`
pub(super) fn drain(admin: &AdminService, asked: &Asked<'_>) -> Result<Answer, BadQuery> {
    let handle = &admin.inner.handle;
    let over = asked.query.duration("over")?;
    let close = match (asked.query.flag("close")?, over) {
        (true, over) => Some(over.unwrap_or_else(|| handle.drain_spread())),
        (false, None) => None,
        (false, Some(_)) => {
            let close = "`over` spreads the closes of close=true, which is not there";
            return Err(BadQuery::Together(close));
        }
    };
    let (upstream, server) = names(asked);
    Ok(match handle.drain_server(&upstream, &server, close) {
        Ok(drained) => {
            let answer = json!({
                "draining": true,
                "sessions": drained.sessions,
                "closing": drained.closing,
            });
            answer_json(StatusCode::ACCEPTED, &answer)
        }
        Err(unknown) => refuse(&unknown),
    })
}

/// `POST /upstreams/NAME/SERVER/resume`
pub(super) fn resume(admin: &AdminService, asked: &Asked<'_>) -> Answer {
    let (upstream, server) = names(asked);
    match admin.inner.handle.resume_server(&upstream, &server) {
        Ok(()) => answer_json(StatusCode::OK, &json!({ "draining": false })),
        Err(unknown) => refuse(&unknown),
    }
}

/// The names in the path. What is no text is the name of nothing.
fn names(asked: &Asked<'_>) -> (String, String) {
    let name = |index: usize| {
        let segment = asked.segments.get(index);
        let name = segment.and_then(|segment| percent_decode(segment));
        name.unwrap_or_default()
    };
    (name(0), name(1))
}

/// Says which there are, and does not repeat what was asked for: nobody knows what that was.
fn refuse(unknown: &UnknownServer) -> Answer {
    let (status, what, known) = match unknown {
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
    error(status, &format!("{what} {}", known.join(", ")))
}

fn describe(upstream: &UpstreamInfo) -> Value {
    let servers: Vec<_> = upstream.servers.iter().map(describe_server).collect();
    json!({
        "name": &*upstream.upstream,
        "balance": upstream.balance,
        "servers": servers,
    })
}

fn describe_server(server: &ServerInfo) -> Value {
    json!({
        "server": &*server.server,
        "url": server.url,
        "weight": server.weight,
        "sessions": server.sessions,
        "connecting": server.connecting,
        "draining": server.draining,
        "failed_connects": server.failed_connects,
        "failed_handshakes": server.failed_handshakes,
    })
}
