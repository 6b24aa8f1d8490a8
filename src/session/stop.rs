//! Why the relay of one direction stops.

use std::time::Duration;

use crate::close::{CloseCode, CloseReason};

/// Why a walk ended before the buffer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The sender's close frame, which was passed on if anything still is.
    Closed {
        code: Option<CloseCode>,
        passed: bool,
    },
    /// The sender's stream has become meaningless.
    Violation(CloseReason),
    /// The sender may not go on.
    Policy(CloseReason),
    /// Nothing may pass for so long.
    Wait(Duration),
}
