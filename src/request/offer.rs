//! What a client offers in its opening handshake, as a server reads it (RFC 6455 §4.2.1).

use http::request::Parts;
use http::{HeaderValue, Method, Version, header};
use tungstenite::handshake::derive_accept_key;

use super::extensions::{self, Deflate};
use super::lines::{Line, Lines};
use super::subprotocols::Subprotocols;
use super::{list, protocol};
use crate::rejection::Rejection;

/// Whether a request asks for a WebSocket at all: its `Upgrade` list holds `websocket`, or from HTTP/2 on it is
/// an extended CONNECT for that protocol (RFC 8441 §5).
///
/// What does not is plain HTTP, whatever else it holds. Whether what does is a right handshake
/// is for [`Offer::read`] to say.
pub(crate) fn is_websocket(parts: &Parts) -> bool {
    match parts.version < Version::HTTP_2 {
        true => list::has_token(parts.headers.get_all(header::UPGRADE), "websocket"),
        false => parts.method == Method::CONNECT && protocol::is_websocket(parts),
    }
}

/// A valid request for a WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) acceptance: Acceptance,
    pub(crate) subprotocols: Subprotocols,
    pub(crate) deflate: Vec<Deflate>,
}

/// How a handshake is accepted. It is the handshake's own property, because not every version of
/// HTTP does it alike.
#[derive(Clone, Debug)]
pub(crate) enum Acceptance {
    /// HTTP/1.1: a 101 whose `Sec-WebSocket-Accept` answers the client's key (RFC 6455 §4.2.2).
    SwitchingProtocols {
        /// The value for the client's key.
        accept: HeaderValue,
    },
    /// HTTP/2: a 200 on the stream, which then is the WebSocket's (RFC 8441 §5).
    Stream,
}

impl Offer {
    /// Checks the whole request, and says what is wrong with it first. The order is fixed:
    ///
    /// 1. HTTP/1.1, as HTTP/1.0 has no `Upgrade` (RFC 9110 §7.8): [`Rejection::NotUpgradable`]
    /// 2. the method is GET: [`Rejection::Method`]
    /// 3. no `Transfer-Encoding`, which hides a `Content-Length` from us:
    ///    [`Rejection::TransferEncoding`]
    /// 4. no body: [`Rejection::Framing`]
    /// 5. `Upgrade` holds `websocket` and `Connection` holds `upgrade`: [`Rejection::NotUpgrade`]
    /// 6. `Connection` is a list of tokens and names none of the gate's own headers, and no
    ///    header imitates one: [`Rejection::Header`], [`Rejection::ConnectionNominates`],
    ///    [`Rejection::HeaderAlias`]
    /// 7. one `Sec-WebSocket-Version`, and it is 13: [`Rejection::Version`]
    /// 8. one `Sec-WebSocket-Key` of 16 bytes: [`Rejection::KeyMissing`], [`Rejection::KeyInvalid`]
    /// 9. subprotocols and extensions are of their grammar: [`Rejection::Header`]
    ///
    /// An extended CONNECT of HTTP/2 has neither 5 nor a key: one with a key was put into HTTP/2 by somebody who does not
    /// know RFC 8441, and is a [`Rejection::Header`].
    ///
    /// `Host` and the path are the [`Target`](super::Target)'s; the Origin is policy.
    pub(crate) fn read(parts: &Parts, lines: &Lines<'_>) -> Result<Self, Rejection> {
        if parts.version >= Version::HTTP_2 {
            return Self::read_connect(lines);
        }
        if parts.version != Version::HTTP_11 {
            return Err(Rejection::NotUpgradable);
        }
        if parts.method != Method::GET {
            return Err(Rejection::Method);
        }
        check_framing(lines)?;
        if !lines.upgrades_to_websocket || !lines.connection_upgrades {
            return Err(Rejection::NotUpgrade);
        }
        lines.check_names()?;
        check_version(lines)?;
        let acceptance = Acceptance::SwitchingProtocols {
            accept: accept(lines.key)?,
        };
        Self::with_choices(acceptance, lines)
    }

    /// Checks an extended CONNECT.
    fn read_connect(lines: &Lines<'_>) -> Result<Self, Rejection> {
        check_framing(lines)?;
        lines.check_names()?;
        check_version(lines)?;
        if !matches!(lines.key, Line::Missing) {
            return Err(Rejection::Header);
        }
        Self::with_choices(Acceptance::Stream, lines)
    }

    fn with_choices(acceptance: Acceptance, lines: &Lines<'_>) -> Result<Self, Rejection> {
        Ok(Self {
            acceptance,
            subprotocols: Subprotocols::read(&lines.subprotocols)?,
            deflate: extensions::offers(lines.extensions.iter().copied())?,
        })
    }

    /// The offer of a request that is looked at for nothing else.
    #[cfg(test)]
    pub(crate) fn of(parts: &Parts) -> Result<Self, Rejection> {
        Self::read(parts, &Lines::read(&parts.headers))
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub(crate) fn subprotocols(&self) -> &[String] {
        self.subprotocols.as_slice()
    }
}

fn check_version(lines: &Lines<'_>) -> Result<(), Rejection> {
    match lines.version.once() {
        Some(version) if version == "13" => Ok(()),
        _ => Err(Rejection::Version),
    }
}

fn check_framing(lines: &Lines<'_>) -> Result<(), Rejection> {
    if !lines.transfer_encoding.is_empty() {
        return Err(Rejection::TransferEncoding);
    }
    match lines.content_length {
        Line::Missing => Ok(()),
        Line::Once(length) if length == "0" => Ok(()),
        Line::Once(_) | Line::Repeated => Err(Rejection::Framing),
    }
}

fn accept(key: Line<'_>) -> Result<HeaderValue, Rejection> {
    match key.once().map(|key| list::trim(key.as_bytes())) {
        None | Some([]) => Err(Rejection::KeyMissing),
        Some(key) if !is_key(key) => Err(Rejection::KeyInvalid),
        Some(key) => {
            HeaderValue::try_from(derive_accept_key(key)).map_err(|_| Rejection::KeyInvalid)
        }
    }
}

/// Base64 (RFC 4648 §4) of 16 bytes: 22 characters and the padding. The last one has four bits to
/// spare, which decoders pass over (§3.5), and so do we.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.strip_suffix(b"==") {
        Some(digits) => digits.len() == 22 && digits.iter().all(is_digit),
        None => false,
    }
}

#[cfg(test)]
mod tests;
