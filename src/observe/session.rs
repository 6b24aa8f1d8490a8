//! A session, as operators and observers see it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Version;

use crate::request::Identity;
use crate::types::{ClientAddr, SessionContext, SessionId, SessionName};

/// One session, as it was at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id, for [`Handle::close`](crate::Handle::close).
    pub id: SessionId,
    /// The same among all gates, for [`Audience::Session`](crate::Audience).
    pub name: SessionName,
    /// The name of its route.
    pub route: Arc<str>,
    /// What the route's path captured.
    pub path_parameters: PathParameters,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// The socket's peer: the client, or the nearest proxy.
    pub peer: ClientAddr,
    /// The version of TLS that the client speaks, such as `1.3`; `unknown` if the host did not say it, and none without TLS.
    pub tls: Option<&'static str>,
    /// The version of HTTP in which the client opened it.
    pub http_version: Version,
    /// Who the client is, if a policy has found out.
    pub identity: Option<Arc<Identity>>,
    /// What the host has put into the extensions of the request.
    pub context: Option<SessionContext>,
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server that serves it, as the settings name it.
    pub server: Arc<str>,
    /// When it was opened.
    pub opened: SystemTime,
    /// When its right ends, by the wall clock; none if it does not.
    pub expires: Option<SystemTime>,
    /// How long it has been open.
    pub age: Duration,
    /// For how long no data frame has passed in either direction, as `timeouts.idle` counts it:
    /// pings are none, and a big frame counts as it comes.
    pub idle: Duration,
    /// Messages from the client.
    pub messages_from_client: u64,
    /// Bytes passed on from the client, frame headers included.
    pub bytes_from_client: u64,
    /// Messages from the upstream.
    pub messages_from_upstream: u64,
    /// Bytes passed on from the upstream, frame headers included.
    pub bytes_from_upstream: u64,
}

/// What the path of a session's route captured: `room` in `/rooms/{room}`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PathParameters {
    /// A pointer, because most routes capture nothing and idle sessions are many.
    captured: Option<Arc<[(String, String)]>>,
}

impl PathParameters {
    pub(crate) fn new(captured: Vec<(String, String)>) -> Self {
        Self {
            captured: (!captured.is_empty()).then(|| captured.into()),
        }
    }

    /// The value under this name, as it stood in the request.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(captured, value)| (captured == name).then_some(value))
    }

    /// Names and values, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let captured = self.captured.iter().flat_map(|captured| captured.iter());
        captured.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The values stay out: a path may hold a secret.
impl std::fmt::Debug for PathParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
impl SessionInfo {
    /// A session that has moved nothing.
    pub(crate) fn for_tests(route: &str) -> Self {
        Self {
            id: SessionId::from(1),
            name: SessionName::new(crate::types::NodeId::random(), SessionId::from(1)),
            route: route.into(),
            path_parameters: PathParameters::default(),
            client: std::net::Ipv4Addr::LOCALHOST.into(),
            peer: ClientAddr::Unix,
            tls: None,
            http_version: Version::HTTP_11,
            identity: None,
            context: None,
            upstream: "upstream".into(),
            server: "server".into(),
            opened: SystemTime::UNIX_EPOCH,
            expires: None,
            age: Duration::ZERO,
            idle: Duration::ZERO,
            messages_from_client: 0,
            bytes_from_client: 0,
            messages_from_upstream: 0,
            bytes_from_upstream: 0,
        }
    }
}
