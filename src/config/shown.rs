//! The settings as JSON: what a file with every default written out would say, without its secrets.

use serde_json::Value;

use super::checked::Config;

impl Config {
    /// The resolved settings in the form of the file, without `[defaults]`: they are in every route.
    ///
    /// Tokens, the password of an engine and the values of headers that are set are not shown, nor is a rewrite that an
    /// environment variable was filled into, nor what may be secret in the URLs of authentication.
    pub(crate) fn resolved(&self) -> Value {
        // Nothing in them is a value that JSON cannot hold.
        serde_json::to_value(self.settings()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
