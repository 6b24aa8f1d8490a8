//! Who wants to know which channels have members.

use std::fmt;

use crate::config::ChannelName;

/// Learns of each channel whether it has members here. It must be quick, and not call back: it is called while the channel is
/// locked, so that what it hears of one channel is in order.
pub(crate) trait Interest: fmt::Debug + Send + Sync {
    /// The channel has its first member. True if publications of before will come from elsewhere
    /// ([`Channels::catch_up`](super::Channels::catch_up)): what is published meanwhile waits for them.
    fn began(&self, channel: &ChannelName) -> bool;

    /// The last member has left.
    fn ended(&self, channel: &ChannelName);
}
