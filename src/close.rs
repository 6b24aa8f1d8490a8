//! Why a session ends: the close code on the wire and the word in the log, in one table.

use std::fmt;

/// A close code that may stand in a close frame (RFC 6455 §7.4).
///
/// 1005, 1006 and 1015 only ever describe a close to an application and never travel; 1004 has no
/// meaning; 0–999 and 5000 upwards do not exist (§7.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1007: a text message was not UTF-8.
    pub const INVALID_TEXT: Self = Self(1007);
    /// 1008: the peer broke a policy.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message was too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: an unexpected condition on this side.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1013: the endpoint cannot serve for now, and the client may try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 4401: the right to the session is over. It is the gate's own, made after the status 401
    /// (RFC 6455 §7.4.2 leaves 4000 to 4999 to applications).
    pub const EXPIRED: Self = Self(4401);
    /// 4403: the right to the session was taken away. It is the gate's own, made after the status 403.
    pub const FORBIDDEN: Self = Self(4403);

    /// A code that may be sent; `None` for any other.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The code as a number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most bytes that a close frame's reason may have: 125 less the code (RFC 6455 §5.5).
pub const MAX_REASON: usize = 123;

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed, with this code or with none.
    ClientClosed(Option<CloseCode>),
    /// The upstream closed, with this code or with none.
    UpstreamClosed(Option<CloseCode>),
    /// The client's connection ended without a close frame.
    ClientLost,
    /// The upstream's connection ended without a close frame; the client gets this code.
    UpstreamLost(CloseCode),
    /// The client broke the framing rules, in the way that the word says.
    ClientProtocol(&'static str),
    /// The upstream broke the framing rules, in the way that the word says.
    UpstreamProtocol(&'static str),
    /// The client sent a text message that is not UTF-8, on a route that validates.
    ClientInvalidText,
    /// The upstream did.
    UpstreamInvalidText,
    /// The client sent a message over the route's limit.
    ClientMessageTooBig,
    /// The upstream did.
    UpstreamMessageTooBig,
    /// The client sent one message in endless fragments.
    ClientFragments,
    /// The upstream did.
    UpstreamFragments,
    /// The client sent messages too fast, or pings and pongs.
    MessageRate,
    /// The client sent bytes too fast.
    ByteRate,
    /// The client took no byte within the write time-out.
    SlowClient,
    /// The upstream took no byte within the write time-out.
    SlowUpstream,
    /// The client did not take the publications of its channels in time, so that its queue was full.
    ChannelSlow,
    /// The client answered no ping and sent nothing else.
    ClientPingTimeout,
    /// The upstream did not.
    UpstreamPingTimeout,
    /// The client began a frame and fell silent in the middle of it, where no pong can stand.
    ClientFrameTimeout,
    /// The upstream did.
    UpstreamFrameTimeout,
    /// No data frame in either direction for the idle time-out.
    Idle,
    /// The session reached its lifetime.
    Lifetime,
    /// A policy's grant came to its end, or the expiry that an operator set; the client gets this code.
    Expired(CloseCode),
    /// The right to the session was revoked.
    Revoked,
    /// The right to the session was checked again, and refused.
    AccessDenied,
    /// The right to the session could not be checked again for too long.
    AuthUnavailable,
    /// The gate is draining.
    Drain(CloseCode),
    /// New settings have no route with the name of the session's route.
    RouteRemoved(CloseCode),
    /// The server that serves it is being drained.
    ServerDrained(CloseCode),
    /// An operator closed this session through the handle.
    Kicked {
        /// The code for the client.
        code: CloseCode,
        /// The reason for the client.
        reason: Box<str>,
    },
    /// The route's message filter closed it.
    Filter {
        /// The code for the client.
        code: CloseCode,
        /// The reason for the client.
        reason: Box<str>,
    },
    /// The session was still open when the drain's deadline came.
    Cut,
    /// A bug in the gate (or in a filter) ended the session.
    Internal,
}

/// What a reason means for one leg: a code and the words that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloseFrame<'a> {
    pub(crate) code: CloseCode,
    pub(crate) reason: &'a str,
}

impl CloseReason {
    /// The word for logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ClientClosed(_) | Self::UpstreamClosed(_) => "closed",
            Self::ClientLost => "client_lost",
            Self::UpstreamLost(_) => "upstream_lost",
            Self::ClientProtocol(violation) | Self::UpstreamProtocol(violation) => violation,
            Self::ClientInvalidText | Self::UpstreamInvalidText => "bad_utf8",
            Self::ClientMessageTooBig | Self::UpstreamMessageTooBig => "too_big",
            Self::ClientFragments | Self::UpstreamFragments => "frag_limit",
            Self::MessageRate => "frame_rate",
            Self::ByteRate => "byte_rate",
            Self::SlowClient => "slow_client",
            Self::SlowUpstream => "slow_upstream",
            Self::ChannelSlow => "channel_slow",
            Self::ClientPingTimeout | Self::UpstreamPingTimeout => "ping_timeout",
            Self::ClientFrameTimeout | Self::UpstreamFrameTimeout => "frame_timeout",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Expired(_) => "expired",
            Self::Revoked => "revoked",
            Self::AccessDenied => "access_denied",
            Self::AuthUnavailable => "auth_unavailable",
            Self::Drain(_) => "drain",
            Self::RouteRemoved(_) => "route_removed",
            Self::ServerDrained(_) => "server_drained",
            Self::Kicked { .. } => "kicked",
            Self::Filter { .. } => "filter",
            Self::Cut => "cut",
            Self::Internal => "internal",
        }
    }

    /// The side that closed: `client`, `upstream` or `gate`.
    pub fn closed_by(&self) -> &'static str {
        match self {
            Self::ClientClosed(_)
            | Self::ClientLost
            | Self::ClientProtocol(_)
            | Self::ClientInvalidText
            | Self::ClientMessageTooBig
            | Self::ClientFragments
            | Self::MessageRate
            | Self::ByteRate
            | Self::SlowClient
            | Self::ChannelSlow
            | Self::ClientPingTimeout
            | Self::ClientFrameTimeout => "client",
            Self::UpstreamClosed(_)
            | Self::UpstreamLost(_)
            | Self::UpstreamProtocol(_)
            | Self::UpstreamInvalidText
            | Self::UpstreamMessageTooBig
            | Self::UpstreamFragments
            | Self::SlowUpstream
            | Self::UpstreamPingTimeout
            | Self::UpstreamFrameTimeout => "upstream",
            Self::Idle
            | Self::Lifetime
            | Self::Expired(_)
            | Self::Revoked
            | Self::AccessDenied
            | Self::AuthUnavailable
            | Self::Drain(_)
            | Self::RouteRemoved(_)
            | Self::ServerDrained(_)
            | Self::Kicked { .. }
            | Self::Filter { .. }
            | Self::Cut
            | Self::Internal => "gate",
        }
    }

    /// The code that the client saw, where it saw one.
    pub fn client_code(&self) -> Option<CloseCode> {
        match self {
            Self::ClientClosed(code) | Self::UpstreamClosed(code) => *code,
            _ => self.to_client().map(|frame| frame.code),
        }
    }

    /// The close frame that we originate towards the client; `None` where a peer's own is relayed
    /// or no peer is left to read one.
    pub(crate) fn to_client(&self) -> Option<CloseFrame<'_>> {
        let (code, reason) = match self {
            Self::ClientClosed(_) | Self::UpstreamClosed(_) | Self::ClientLost | Self::Cut => {
                return None;
            }
            Self::UpstreamLost(code) => (*code, "upstream lost"),
            Self::ClientProtocol(_) => (CloseCode::PROTOCOL_ERROR, "protocol error"),
            Self::UpstreamProtocol(_) => (CloseCode::INTERNAL_ERROR, "upstream protocol error"),
            Self::ClientInvalidText => (CloseCode::INVALID_TEXT, "text is not UTF-8"),
            Self::UpstreamInvalidText => (CloseCode::INTERNAL_ERROR, "upstream text is not UTF-8"),
            Self::ClientMessageTooBig => (CloseCode::TOO_BIG, "message too big"),
            Self::UpstreamMessageTooBig => (CloseCode::TOO_BIG, "upstream message too big"),
            Self::ClientFragments => (CloseCode::POLICY, "message in too many fragments"),
            Self::UpstreamFragments => (
                CloseCode::INTERNAL_ERROR,
                "upstream message in too many fragments",
            ),
            Self::MessageRate => (CloseCode::POLICY, "message rate exceeded"),
            Self::ByteRate => (CloseCode::POLICY, "byte rate exceeded"),
            Self::SlowClient => (CloseCode::POLICY, "slow reader"),
            Self::ChannelSlow => (CloseCode::POLICY, "slow reader of channels"),
            Self::SlowUpstream => (CloseCode::INTERNAL_ERROR, "upstream too slow"),
            Self::ClientPingTimeout => (CloseCode::GOING_AWAY, "ping timeout"),
            Self::UpstreamPingTimeout => (CloseCode::GOING_AWAY, "upstream ping timeout"),
            Self::ClientFrameTimeout => (CloseCode::GOING_AWAY, "frame timeout"),
            Self::UpstreamFrameTimeout => (CloseCode::GOING_AWAY, "upstream frame timeout"),
            Self::Idle => (CloseCode::GOING_AWAY, "idle timeout"),
            Self::Lifetime => (CloseCode::GOING_AWAY, "lifetime over"),
            Self::Expired(code) => (*code, "login expired"),
            Self::Revoked => (CloseCode::FORBIDDEN, "access revoked"),
            Self::AccessDenied => (CloseCode::FORBIDDEN, "access denied"),
            Self::AuthUnavailable => (
                CloseCode::TRY_AGAIN_LATER,
                "access cannot be checked, try again later",
            ),
            Self::Drain(code) => (*code, "server is shutting down"),
            Self::RouteRemoved(code) => (*code, "route removed"),
            Self::ServerDrained(code) => (*code, "server is being drained"),
            Self::Kicked { code, reason } | Self::Filter { code, reason } => (*code, &**reason),
            Self::Internal => (CloseCode::INTERNAL_ERROR, "internal error"),
        };
        Some(CloseFrame { code, reason })
    }

    /// The close frame that we originate towards the upstream; `None` likewise.
    pub(crate) fn to_upstream(&self) -> Option<CloseFrame<'_>> {
        let (code, reason) = match self {
            Self::ClientClosed(_) | Self::UpstreamClosed(_) | Self::UpstreamLost(_) | Self::Cut => {
                return None;
            }
            Self::ClientLost => (CloseCode::GOING_AWAY, "client lost"),
            Self::UpstreamProtocol(_) => (CloseCode::PROTOCOL_ERROR, "protocol error"),
            Self::UpstreamInvalidText => (CloseCode::INVALID_TEXT, "text is not UTF-8"),
            Self::UpstreamMessageTooBig => (CloseCode::TOO_BIG, "message too big"),
            Self::UpstreamFragments => (CloseCode::POLICY, "message in too many fragments"),
            Self::SlowUpstream => (CloseCode::POLICY, "slow reader"),
            Self::UpstreamPingTimeout => (CloseCode::GOING_AWAY, "ping timeout"),
            Self::UpstreamFrameTimeout => (CloseCode::GOING_AWAY, "frame timeout"),
            Self::ClientProtocol(_)
            | Self::ClientInvalidText
            | Self::ClientMessageTooBig
            | Self::ClientFragments
            | Self::MessageRate
            | Self::ByteRate
            | Self::SlowClient
            | Self::ChannelSlow
            | Self::ClientPingTimeout
            | Self::ClientFrameTimeout
            | Self::Idle
            | Self::Lifetime
            | Self::Expired(_)
            | Self::Revoked
            | Self::AccessDenied
            | Self::AuthUnavailable
            | Self::Drain(_)
            | Self::RouteRemoved(_)
            | Self::ServerDrained(_)
            | Self::Kicked { .. }
            | Self::Filter { .. }
            | Self::Internal => (CloseCode::GOING_AWAY, ""),
        };
        Some(CloseFrame { code, reason })
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_never_travel_cannot_be_made() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert_eq!(CloseCode::new(code), None, "{code}");
        }
        for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), Some(code));
        }
    }

    #[test]
    fn our_own_reasons_fit_a_close_frame() {
        let kicked = CloseReason::Kicked {
            code: CloseCode::POLICY,
            reason: "bye".into(),
        };
        for reason in [
            CloseReason::UpstreamPingTimeout,
            CloseReason::UpstreamInvalidText,
            kicked,
        ] {
            assert!(reason.to_client().unwrap().reason.len() <= MAX_REASON);
        }
    }
}
