//! `Sec-WebSocket-Extensions` (RFC 6455 §9.1), of which permessage-deflate (RFC 7692) is the one
//! that the gate understands.
//!
//! A frame whose extension is not understood cannot be relayed honestly, so no other is ever
//! offered to an upstream: a server that declines it is what a client has to expect anyway.

mod grammar;

use http::HeaderValue;

use self::grammar::Extension;
use crate::rejection::Rejection;

/// The parameters of permessage-deflate, in an offer or in an answer (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deflate {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer the value may be missing: the client can do it, and proposes none.
    client_max_window_bits: Option<Option<u8>>,
}

/// The offers of permessage-deflate in a request, in order of preference.
///
/// # Errors
/// [`Rejection::Header`] for a header that is not of its grammar. An offer of another extension, or
/// one whose parameters RFC 7692 §7.1 has a server decline, is declined: it is left out.
pub(super) fn offers<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> Result<Vec<Deflate>, Rejection> {
    let extensions = grammar::parse(lines).map_err(|_| Rejection::Header)?;
    Ok(extensions.iter().filter_map(Deflate::read).collect())
}

/// The header that makes these offers; `None` where there are none.
pub(crate) fn to_header(offers: &[Deflate]) -> Option<HeaderValue> {
    let offers: Vec<String> = offers.iter().map(ToString::to_string).collect();
    match offers.is_empty() {
        true => None,
        false => HeaderValue::try_from(offers.join(", ")).ok(),
    }
}

/// What the upstream chose out of these offers; `None` where it chose nothing.
///
/// # Errors
/// [`Rejection::UpstreamBadExtension`] for anything that no offer of ours allows.
pub(crate) fn chosen<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    offers: &[Deflate],
) -> Result<Option<Deflate>, Rejection> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let extensions = grammar::parse(lines).map_err(|_| Rejection::UpstreamBadExtension)?;
    let extension = match extensions.as_slice() {
        [extension] => extension,
        _ => return Err(Rejection::UpstreamBadExtension),
    };
    match Deflate::from_answer(extension) {
        Some(answer) if offers.iter().any(|offer| answer.accepts(offer)) => Ok(Some(answer)),
        _ => Err(Rejection::UpstreamBadExtension),
    }
}

impl Deflate {
    fn from_answer(extension: &Extension) -> Option<Self> {
        // An answer sets the client's window; to only name it is for offers (§7.1.2.2).
        Self::read(extension).filter(|answer| answer.client_max_window_bits != Some(None))
    }

    /// Whether this answer is one to this offer.
    ///
    /// The parameters that an offer demands of the server have to come back (§7.1.1.1, §7.1.2.1);
    /// the client's window may only be set where the client can do so (§7.1.2.2). What the offer
    /// says of the client itself is a hint that an answer may pass over.
    fn accepts(&self, offer: &Self) -> bool {
        let server_context = self.server_no_context_takeover || !offer.server_no_context_takeover;
        let server_window = match (self.server_max_window_bits, offer.server_max_window_bits) {
            (Some(answered), Some(offered)) => answered <= offered,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let client_window =
            self.client_max_window_bits.is_none() || offer.client_max_window_bits.is_some();
        server_context && server_window && client_window
    }

    /// `None` for another extension, or for parameters that are unknown, doubled or have a wrong
    /// value (§7.1).
    fn read(extension: &Extension) -> Option<Self> {
        if !extension.name.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let mut deflate = Self::default();
        for (name, value) in &extension.parameters {
            let value = value.as_deref();
            let unseen = match name.to_ascii_lowercase().as_str() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    value.is_none()
                        && !std::mem::replace(&mut deflate.server_no_context_takeover, true)
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    value.is_none()
                        && !std::mem::replace(&mut deflate.client_no_context_takeover, true)
                }
                SERVER_MAX_WINDOW_BITS => {
                    let bits = window_bits(value?)?;
                    deflate.server_max_window_bits.replace(bits).is_none()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    deflate.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !unseen {
                return None;
            }
        }
        Some(deflate)
    }
}

impl std::fmt::Display for Deflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        if self.client_no_context_takeover {
            write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
            Some(None) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            None => Ok(()),
        }
    }
}

/// 8 to 15, in decimal without leading zeros (§7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

#[cfg(test)]
mod tests;
