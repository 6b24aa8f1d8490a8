//! The files that settings name, such as certificates, and what was read of them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// A state of a file: a hash of its content, whatever links lead to it, or why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
pub(crate) enum Fingerprint {
    Content(u64),
    Unreadable(String),
}

/// A file that settings name, and its state when it was read for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) state: Fingerprint,
}

#[cfg_attr(not(feature = "tls"), allow(dead_code))]
impl Fingerprint {
    pub(crate) fn of<E: fmt::Display>(contents: &Result<Vec<u8>, E>) -> Self {
        match contents {
            Ok(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                Self::Content(hasher.finish())
            }
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}
