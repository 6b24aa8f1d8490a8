//! The events.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, Version};

use super::session::SessionInfo;
use crate::close::CloseCode;
use crate::request::Identity;
use crate::types::ClientAddr;

/// Something that happened at the gate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request was refused.
    Refused(Refused),
    /// A client hung up before its handshake was answered.
    Abandoned {
        /// The name of its route, if that was found.
        route: Option<Arc<str>>,
    },
    /// A handshake was accepted: its session begins.
    Opened(Opened),
    /// A session is over: both of its legs are shut.
    Closed(Closed),
    /// A plain request that was forwarded is over, or its client hung up before it was answered.
    Forwarded(Forwarded),
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestKind {
    /// A WebSocket: it is an opening handshake.
    WebSocket,
    /// A plain response.
    Plain,
}

/// A request that was refused, as far as it was known by then.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Refused {
    /// Whether it is a handshake; none where not even the head could be read.
    pub kind: Option<RequestKind>,
    /// The word of the log, in the style of `origin_denied`.
    pub reason: &'static str,
    /// The status of the answer; none where the head was so wrong that the HTTP server itself
    /// answered it.
    pub status: Option<StatusCode>,
    /// The name of its route.
    pub route: Option<Arc<str>>,
    /// Its method, at most 32 characters of it.
    pub method: Option<String>,
    /// Its path without the query, at most 256 characters of it; what no path has is escaped.
    pub path: Option<String>,
    /// The version of HTTP that its client speaks; none where not even the head could be read.
    pub http_version: Option<Version>,
    /// The header that it was refused for.
    pub header: Option<String>,
    /// The key of the rule that refused it, in the table of its route: `origin.allow`.
    pub rule: Option<&'static str>,
    /// The line of that rule in the file of settings; none where it is a default, or there is no file.
    pub line: Option<usize>,
    /// The client's address, behind trusted proxies.
    pub client: Option<IpAddr>,
    /// The socket's peer.
    pub peer: Option<ClientAddr>,
    /// Who the client is, if a policy had found out before.
    pub identity: Option<Arc<Identity>>,
    /// The upstream whose server failed.
    pub upstream: Option<Arc<str>>,
    /// The server that failed.
    pub server: Option<Arc<str>>,
    /// How the server failed, down to the last cause.
    pub error: Option<String>,
}

/// A session that begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The session.
    pub session: SessionInfo,
    /// From its request to its acceptance.
    pub handshake: Duration,
}

/// A session that is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// The session, with all that it has moved.
    pub session: SessionInfo,
    /// Who closed it: `client`, `upstream` or `gate`.
    pub closed_by: &'static str,
    /// The close code that the client got or sent; none where there was no close frame.
    pub code: Option<CloseCode>,
    /// The word of the log, in the style of `idle`.
    pub reason: &'static str,
}

/// A plain request that was forwarded, and is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Forwarded {
    /// The word of the log: `forwarded` where all of the response was passed on, otherwise why not, in the
    /// style of `client_lost`.
    pub reason: &'static str,
    /// The status that the client got: the server's. None where the client hung up before it was answered.
    pub status: Option<StatusCode>,
    /// The name of its route.
    pub route: Arc<str>,
    /// Its method, at most 32 characters of it.
    pub method: String,
    /// Its path without the query, at most 256 characters of it; what no path has is escaped.
    pub path: String,
    /// The version of HTTP that its client speaks.
    pub http_version: Version,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// The socket's peer: the client, or the nearest proxy.
    pub peer: ClientAddr,
    /// The version of TLS that the client speaks, such as `1.3`; `unknown` if the host did not say it, and none without TLS.
    pub tls: Option<&'static str>,
    /// Who the client is, if a policy has found out.
    pub identity: Option<Arc<Identity>>,
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server that it was sent to last; none if it was sent to none.
    pub server: Option<Arc<str>>,
    /// From its head to the end of the response.
    pub duration: Duration,
    /// From its head to the head of the response.
    pub response_head: Option<Duration>,
    /// Bytes of its body.
    pub bytes_from_client: u64,
    /// Bytes of the response's body.
    pub bytes_from_upstream: u64,
    /// How the server failed, down to the last cause.
    pub error: Option<String>,
}

/// The kinds of events that a [subscription](crate::Handle::subscribe) chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// [`Event::Opened`].
    Opened,
    /// [`Event::Closed`].
    Closed,
    /// [`Event::Refused`].
    Refused,
    /// [`Event::Forwarded`].
    Forwarded,
}

impl RequestKind {
    /// The word for it: `websocket` or `plain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Plain => "plain",
        }
    }
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Closed, Self::Refused, Self::Forwarded];

    /// All but [`EventKind::Forwarded`], of which there may be thousands a second.
    pub const DEFAULT: [Self; 3] = [Self::Opened, Self::Closed, Self::Refused];

    /// The word for it: `open`, `close`, `reject` or `forward`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "open",
            Self::Closed => "close",
            Self::Refused => "reject",
            Self::Forwarded => "forward",
        }
    }
}

impl Event {
    /// Its kind, if it is one that is subscribed to.
    pub fn kind(&self) -> Option<EventKind> {
        match self {
            Self::Refused(_) => Some(EventKind::Refused),
            Self::Abandoned { .. } => None,
            Self::Opened(_) => Some(EventKind::Opened),
            Self::Closed(_) => Some(EventKind::Closed),
            Self::Forwarded(_) => Some(EventKind::Forwarded),
        }
    }

    /// The name of its route, if that was found.
    pub fn route(&self) -> Option<&Arc<str>> {
        match self {
            Self::Refused(refused) => refused.route.as_ref(),
            Self::Abandoned { route } => route.as_ref(),
            Self::Opened(opened) => Some(&opened.session.route),
            Self::Closed(closed) => Some(&closed.session.route),
            Self::Forwarded(forwarded) => Some(&forwarded.route),
        }
    }
}
