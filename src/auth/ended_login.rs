//! A login that its provider has ended.

use std::time::SystemTime;

/// Whose login has ended, and when.
pub(crate) struct EndedLogin {
    pub(crate) subject: String,
    /// The `sid` of its tokens. Without one, all logins of the subject have ended.
    pub(crate) login: Option<String>,
    pub(crate) at: SystemTime,
}
