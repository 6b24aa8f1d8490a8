//! Words that every level shares.

mod body;
mod session_name;
mod utf8_bytes;

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::Version;

pub use body::Body;
pub use session_name::{NodeId, SessionId, SessionName, SessionNameError};
pub use utf8_bytes::Utf8Bytes;

/// The transport address of the peer that opened the connection.
///
/// The host puts one into the extensions of every request that it hands to the gate. It is the
/// address of the *socket*: the gate itself finds the client behind trusted proxies.
/// A request without one is refused (500), because no address policy could hold for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAddr {
    /// A TCP peer.
    Tcp(SocketAddr),
    /// A peer on a unix socket: a process on this machine that the socket's file mode allows.
    Unix,
}

impl ClientAddr {
    /// The peer's IP address; a unix peer counts as the IPv4 loopback address.
    ///
    /// IPv4-mapped IPv6 addresses (`::ffff:192.0.2.1`) come back as IPv4, so that a dual-stack
    /// listener and an IPv4 one see the same client under the same rules.
    pub fn ip(&self) -> IpAddr {
        match self {
            Self::Tcp(address) => address.ip().to_canonical(),
            Self::Unix => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

impl From<SocketAddr> for ClientAddr {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// The address that a client connected to: of this host, or of a proxy in front of it.
///
/// A host may put it into the extensions of each request, beside [`ClientAddr`]. Servers that get a PROXY header
/// find it there as the destination; without it they find the address of the server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalAddr(pub SocketAddr);

/// Says that a request came over TLS, and what the handshake has shown of the client.
///
/// A host that ends TLS puts it into the extensions of each such request, beside [`ClientAddr`]:
/// the upstream then sees `https`, and `same-origin` leaves out pages that came over plain HTTP.
/// Nothing in the request itself can say so, because a client may write `https://` into its target
/// whatever it speaks.
///
/// ```
/// use wsgate::OverTls;
///
/// let shown = OverTls::new().server_name("chat.example.com").client_subject("CN=a client");
/// # let _ = shown;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OverTls {
    server_name: Option<Arc<str>>,
    client_subject: Option<Arc<str>>,
    version: Option<&'static str>,
}

impl OverTls {
    /// Nothing more is known than that it was TLS.
    pub fn new() -> Self {
        Self::default()
    }

    /// The host that the client named in its handshake (SNI, RFC 6066 §3). A request for another host is refused
    /// with 421 (RFC 9110 §15.5.20). By default any host may be requested.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The subject of the client's certificate, which the host has verified: the value of `{tls.subject}`. By default
    /// there is none.
    #[must_use]
    pub fn client_subject(mut self, subject: impl Into<Arc<str>>) -> Self {
        self.client_subject = Some(subject.into());
        self
    }

    /// The version of TLS that was agreed, such as `1.3`, for the log and the list of sessions. By default it is not known.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    /// The word for logs: the version, or `unknown`.
    pub(crate) fn word(&self) -> &'static str {
        self.version.unwrap_or("unknown")
    }

    /// Whether a request for this host (in lower case, without a port) may come by the connection.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let without_root = |name: &str| name.strip_suffix('.').unwrap_or(name).len();
        self.server_name.as_deref().is_none_or(|name| {
            let (name, host) = (&name[..without_root(name)], &host[..without_root(host)]);
            name.eq_ignore_ascii_case(host)
        })
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.client_subject.as_deref()
    }
}

/// What a host knows of a client, in a type of its own.
///
/// A host, or a layer before the gate, puts it into the extensions of a WebSocket's request. The session
/// keeps it: filters, observers and [`Handle::close_where`](crate::Handle::close_where) find it in
/// [`SessionInfo::context`](crate::SessionInfo::context). A clone is the same value.
///
/// ```
/// use wsgate::SessionContext;
///
/// struct Account { id: u64 }
///
/// let context = SessionContext::new(Account { id: 7 });
/// assert_eq!(context.get::<Account>().map(|account| account.id), Some(7));
/// assert!(context.get::<String>().is_none());
/// ```
#[derive(Clone)]
pub struct SessionContext(Arc<dyn Any + Send + Sync>);

impl SessionContext {
    /// Keeps a value for as long as a session or an event has it.
    pub fn new(value: impl Any + Send + Sync) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if it is of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// The value stays out: it may be secret.
impl fmt::Debug for SessionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionContext")
    }
}

/// How the log and the settings name a version of HTTP: `h1` or `h2`.
pub(crate) fn http_word(version: Version) -> &'static str {
    match version < Version::HTTP_2 {
        true => "h1",
        false => "h2",
    }
}

/// One of a session's two legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The leg to the client, on which the gate is the server.
    Client,
    /// The leg to the upstream server, on which the gate is the client.
    Upstream,
}

impl Side {
    /// The leg across.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Upstream,
            Self::Upstream => Self::Client,
        }
    }

    /// The word for logs: `client` or `upstream`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
