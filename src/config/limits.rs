//! `[route.limits]`: how much a client may do.

use super::Rate;

/// The limits of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) per_ip: PerIp,
    pub(crate) per_connection: PerConnection,
    pub(crate) on_exceed: OnExceed,
    /// The largest message in bytes on the wire, fragments summed; in both directions.
    pub(crate) message_size: u64,
}

/// Limits of one client address ([`ClientIp`](super::ClientIp) says what that is), summed over its
/// sessions on the route. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerIp {
    pub(crate) connections: Option<u32>,
    pub(crate) handshakes: Option<Rate>,
    pub(crate) messages: Option<Rate>,
    pub(crate) bytes: Option<Rate>,
}

/// Limits of one session, client to upstream. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerConnection {
    pub(crate) messages: Option<Rate>,
    pub(crate) bytes: Option<Rate>,
}

/// What happens to a client over its message or byte rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnExceed {
    /// The session is closed with 1008.
    #[default]
    Close,
    /// The client is not read until it is within its rate again.
    Delay,
    /// The message is dropped whole. A compressed session is closed instead, because a missing
    /// message would spoil the ones behind it (RFC 7692 §7.1.1).
    Drop,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_ip: PerIp::default(),
            per_connection: PerConnection::default(),
            on_exceed: OnExceed::default(),
            message_size: 16 * 1024 * 1024,
        }
    }
}
