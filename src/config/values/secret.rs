//! A string that no log, error or `Debug` shows.

use std::fmt;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::error::ValueError;
use super::text::{Text, text};

/// A secret from the settings. Its `Debug` and its `Serialize` give `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands in the place of a secret.
pub(in crate::config) const MASK: &str = "***";

impl Secret {
    /// Keeps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself: compare it in constant time, and show it to nobody.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(secret: T) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Text for Secret {
    type Value = Self;
    const FORM: &'static str = "a string";

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(Self::new(text))
    }

    fn print(_: &Self) -> String {
        MASK.to_owned()
    }
}

text!(Secret);

/// Serde's `with` for an `Option<Secret>` that is a bearer token.
pub(in crate::config) struct Token;

impl Token {
    /// Whether it fits into `Authorization: Bearer …`.
    pub(in crate::config) fn check(Secret(text): &Secret) -> Result<(), ValueError> {
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(()),
            false => Err(ValueError::new("this cannot be a token")
                .help("a token is not empty and has visible ASCII characters only")),
        }
    }

    pub(in crate::config) fn deserialize<'de, D>(
        deserializer: D,
    ) -> Result<Option<Secret>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let token: Option<Secret> = Deserialize::deserialize(deserializer)?;
        (token.iter().try_for_each(Self::check)).map_err(ValueError::into_serde)?;
        Ok(token)
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        token: &Option<Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        token.serialize(serializer)
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
            assert_eq!(Token::check(&text.into()).is_ok(), expected, "{text:?}");
        }
    }
}
