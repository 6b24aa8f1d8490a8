//! A string that no log, error or `Debug` shows.

use std::fmt;

/// A secret from the settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself: compare it in constant time, and show it to nobody.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
