//! What is allowed in settings and probably not meant.

use std::fmt;

use super::entry::ConfigError;
use super::listing::Listing;

/// The warnings of one set of settings, in the order of the file: all of them, or the first 50.
#[derive(Clone, Default)]
pub(in crate::config) struct Warnings(pub(super) Listing);

impl Warnings {
    pub(in crate::config) fn new(name: &str, masked: String, warnings: Vec<ConfigError>) -> Self {
        Self(Listing::new(name, masked, warnings))
    }

    /// One line for each, `file:line:column: message`, and how many are not among them.
    pub(in crate::config) fn lines(&self) -> impl Iterator<Item = String> {
        let left_out = self.0.found() - self.0.entries().len();
        let rest = (left_out > 0).then(|| format!("and {left_out} more like these"));
        self.0.lines().chain(rest)
    }
}

impl fmt::Debug for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the text of the file.
        f.debug_list().entries(self.lines()).finish()
    }
}
