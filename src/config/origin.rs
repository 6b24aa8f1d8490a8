//! `[route.origin]`: which web pages may open a session.

use std::str::FromStr;

use super::value::ValueError;

/// The origins that a route lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginRules {
    pub(crate) allow: Vec<OriginPattern>,
    /// Whether a request without `Origin` (not from a browser) is let in.
    pub(crate) allow_missing: bool,
    /// Whether `Origin: null` is let in.
    pub(crate) allow_null: bool,
}

/// One entry of `allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OriginPattern {
    /// `"same-origin"`: host and port of the `Origin` are those of the request's authority.
    SameOrigin,
    /// `"*"`: any origin.
    Any,
}

impl Default for OriginRules {
    fn default() -> Self {
        Self {
            allow: vec![OriginPattern::SameOrigin],
            allow_missing: true,
            allow_null: false,
        }
    }
}

impl FromStr for OriginPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "same-origin" => Ok(Self::SameOrigin),
            _ => Ok(Self::Any),
        }
    }
}
