//! `"allow"` or `"deny"`.

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// Serde's `with` for a `bool`: whether something is allowed.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Verdict {
    Allow,
    Deny,
}

impl Verdict {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<bool, D::Error>
    where
        D: Deserializer<'de>,
    {
        let verdict = <Self as Deserialize>::deserialize(deserializer)?;
        Ok(matches!(verdict, Self::Allow))
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        allowed: &bool,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let verdict = match allowed {
            true => Self::Allow,
            false => Self::Deny,
        };
        Serialize::serialize(&verdict, serializer)
    }
}
