//! A string that no log, error or `Debug` shows.

use std::fmt;

/// A secret from the settings.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself: compare it in constant time, and show it to nobody.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
