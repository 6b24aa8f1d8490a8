//! `"50/s"` or `{ rate = "50/s", burst = 200 }`.

use std::time::Duration;

/// So many in a span of time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many the span allows; at least 1.
    pub count: u64,
    /// The span: a second, a minute or an hour.
    pub per: Duration,
    /// How many at once after a quiet time; at least 1, and [`Rate::count`] unless set.
    pub burst: u64,
}
