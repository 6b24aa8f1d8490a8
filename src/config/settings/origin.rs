//! `[route.origin]`: which web pages may open a session.

use serde::{Deserialize, Serialize};

use crate::config::values::{OriginPattern, Verdict};

/// Which web pages may open a session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OriginRules {
    /// `same-origin`, `https://example.com`, `https://*.example.com`,
    /// `https://example.com:8443`, `http://localhost:*`, `moz-extension://*` or `*`.
    pub allow: Vec<OriginPattern>,
    /// A request without an Origin header, which no browser sends: allow or deny.
    #[serde(rename = "missing", with = "Verdict")]
    pub allow_missing: bool,
    /// A request with "Origin: null": allow or deny.
    #[serde(rename = "null", with = "Verdict")]
    pub allow_null: bool,
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
