//! One publication to many: what the scenario of that needs, and no other does.

pub(crate) mod channel;
pub(crate) mod members;
pub(crate) mod servers;

/// A publication of this benchmark is text.
const TEXT: u8 = 1;

/// What all members are in.
pub(crate) const CHANNEL: &str = "all";
