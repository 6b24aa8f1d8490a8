//! `[route.timeouts]`: how long a session may do nothing, or anything.

use std::time::Duration;

/// The time-outs of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// No data frame in either direction; `None` is for ever.
    pub(crate) idle: Option<Duration>,
    /// Of the whole session; `None` is for ever.
    pub(crate) lifetime: Option<Duration>,
    /// A peer that takes no byte for so long is a slow reader.
    pub(crate) write: Duration,
    /// How long a peer may take to answer a close frame.
    pub(crate) close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: None,
            lifetime: None,
            write: Duration::from_secs(10),
            close: Duration::from_secs(5),
        }
    }
}
