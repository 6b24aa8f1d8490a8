//! The client's side of the opening handshake, as a server reads it (RFC 6455 §4.2.1).

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use tungstenite::handshake::derive_accept_key;

use super::extensions::{self, Deflate};
use super::subprotocols::Subprotocols;
use super::{fields, list};
use crate::rejection::Rejection;

/// Whether a request asks for a WebSocket at all: its `Upgrade` list holds `websocket`.
///
/// What does not is plain HTTP, whatever else it holds. Whether what does is a right handshake
/// is for [`Upgrade::of`] to say.
pub(crate) fn is_websocket(parts: &Parts) -> bool {
    list::has_token(&parts.headers, &header::UPGRADE, "websocket")
}

/// A valid request for a WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct Upgrade {
    /// The `Sec-WebSocket-Accept` for the client's key.
    pub(super) accept: HeaderValue,
    pub(super) subprotocols: Subprotocols,
    pub(super) deflate: Vec<Deflate>,
}

impl Upgrade {
    /// Checks the whole request, and says what is wrong with it first. The order is fixed:
    ///
    /// 1. HTTP/1.1, as no other version has `Upgrade` (RFC 9110 §7.8): [`Rejection::NotUpgradable`]
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
    /// `Host` and the path are the [`Target`](super::Target)'s; the Origin is policy.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Rejection> {
        let headers = &parts.headers;
        if parts.version != Version::HTTP_11 {
            return Err(Rejection::NotUpgradable);
        }
        if parts.method != Method::GET {
            return Err(Rejection::Method);
        }
        check_framing(headers)?;
        if !is_websocket(parts) || !list::has_token(headers, &header::CONNECTION, "upgrade") {
            return Err(Rejection::NotUpgrade);
        }
        fields::check(headers)?;
        match only(headers, &header::SEC_WEBSOCKET_VERSION) {
            Some(version) if version == "13" => {}
            _ => return Err(Rejection::Version),
        }
        Ok(Self {
            accept: accept(headers)?,
            subprotocols: Subprotocols::of(headers)?,
            deflate: extensions::offers(headers)?,
        })
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub(crate) fn subprotocols(&self) -> &[String] {
        self.subprotocols.as_slice()
    }
}

/// The value of a header that may stand there only once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Some(line),
        _ => None,
    }
}

fn check_framing(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Rejection::TransferEncoding);
    }
    match (
        headers.contains_key(header::CONTENT_LENGTH),
        only(headers, &header::CONTENT_LENGTH),
    ) {
        (false, _) => Ok(()),
        (true, Some(length)) if length == "0" => Ok(()),
        (true, _) => Err(Rejection::Framing),
    }
}

fn accept(headers: &HeaderMap) -> Result<HeaderValue, Rejection> {
    let key = only(headers, &header::SEC_WEBSOCKET_KEY).map(|key| list::trim(key.as_bytes()));
    match key {
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
