//! Why a client gets no ticket.

/// Why there is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotIssued {
    /// As many tickets wait as may.
    #[allow(dead_code, reason = "for the feature `auth`")]
    TooMany,
    /// The engine that gates share has not taken it.
    Unavailable,
}
