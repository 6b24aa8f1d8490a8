//! Why a bucket gives nothing.

use std::time::Duration;

/// The bucket holds less than was to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// It will hold enough after this time.
    For(Duration),
    /// It never will: the burst is smaller.
    Ever,
    /// Whether it does is not known yet, and may be after this time. Nothing is refused.
    Soon(Duration),
}
