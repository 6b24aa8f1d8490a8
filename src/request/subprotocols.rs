//! `Sec-WebSocket-Protocol`: what the client offers to speak on top (RFC 6455 §1.9).

use std::collections::HashSet;
use std::fmt;

use http::HeaderValue;

use super::list;
use crate::rejection::Rejection;

/// The subprotocols of an offer, in the client's order of preference; each one once.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Subprotocols(Vec<String>);

impl Subprotocols {
    /// Reads an offer: over all its lines one list of tokens without repetition (RFC 6455 §4.1 (10)).
    /// An empty list offers nothing: some gateways add the header without a value.
    pub(crate) fn read(lines: &[&HeaderValue]) -> Result<Self, Rejection> {
        let tokens = list::tokens(lines.iter().copied()).map_err(|_| Rejection::Header)?;
        let mut seen = HashSet::new();
        match tokens.iter().all(|token| seen.insert(*token)) {
            true => Ok(Self(tokens.into_iter().map(str::to_owned).collect())),
            false => Err(Rejection::Header),
        }
    }

    pub(crate) fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Those that are not `taken`.
    pub(crate) fn without(&self, taken: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.iter().filter(|name| !taken(name));
        Self(kept.cloned().collect())
    }

    /// The offered one that the answer names; names are compared as they stand (RFC 6455 §11.5).
    pub(crate) fn find(&self, answer: &HeaderValue) -> Option<&str> {
        let answer = list::trim(answer.as_bytes());
        let mut offered = self.0.iter().map(String::as_str);
        offered.find(|name| name.as_bytes() == answer)
    }

    /// The header for the next hop; `None` where nothing is offered.
    pub(crate) fn to_header(&self) -> Option<HeaderValue> {
        match self.0.is_empty() {
            true => None,
            false => HeaderValue::try_from(self.0.join(", ")).ok(),
        }
    }
}

/// The names stay out: browsers have no other place for a bearer token.
impl fmt::Debug for Subprotocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subprotocols({})", self.0.len())
    }
}
