//! A string that no log, error or `Debug` shows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::error::ValueError;
use super::text::text;

/// A secret from the settings. What it prints, shows and serializes is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands in the place of a secret.
pub(in crate::config) const MASK: &str = "***";

impl Secret {
    /// Keeps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself: compare it in constant time, and never show it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl FromStr for Secret {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Ok(Self::new(text))
    }
}

text!(Secret, "a string");

/// Serde's `deserialize_with` for a bearer token.
pub(in crate::config) fn token<'de, D>(deserializer: D) -> Result<Option<Secret>, D::Error>
where
    D: Deserializer<'de>,
{
    let token: Option<Secret> = Deserialize::deserialize(deserializer)?;
    (token.iter().try_for_each(check_token)).map_err(ValueError::into_serde)?;
    Ok(token)
}

/// The same for one that must be there.
pub(in crate::config) fn required_token<'de, D>(deserializer: D) -> Result<Secret, D::Error>
where
    D: Deserializer<'de>,
{
    let token = Secret::deserialize(deserializer)?;
    check_token(&token).map_err(ValueError::into_serde)?;
    Ok(token)
}

/// Whether a token fits into `Authorization: Bearer …`.
pub(in crate::config) fn check_token(Secret(text): &Secret) -> Result<(), ValueError> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(ValueError::new("this cannot be a token")
            .help("a token is not empty and has visible ASCII characters only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_into_a_header() {
        for (text, expected) in [
            ("chat_v2-b", true),
            ("a,b", true),
            ("a b", false),
            ("", false),
            ("a\nb", false),
            ("ä", false),
        ] {
            assert_eq!(check_token(&text.into()).is_ok(), expected, "{text:?}");
        }
    }
}
