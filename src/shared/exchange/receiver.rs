//! What the bus hands to its gate.

use super::envelope::Envelope;
use super::question::{Answer, Question};
use crate::channels::{Delivery, PublicationId};
use crate::config::ChannelName;

/// The gate behind the bus.
pub(crate) trait Receiver: Send + Sync {
    /// Another gate has published to a channel.
    fn published(&self, channel: &ChannelName, envelope: Envelope);

    /// Another gate asks something.
    fn answer(&self, question: Question) -> Answer;

    /// How many of the last publications of a channel are retained.
    fn retain_of(&self, channel: &ChannelName) -> usize;

    /// Publications of a channel were missed, and will come: what is published meanwhile is to wait for them.
    fn begin_catch_up(&self, channel: &ChannelName);

    /// What was published elsewhere before, as far as it is retained. It ends the wait, also where nothing has come.
    fn catch_up(&self, channel: &ChannelName, earlier: &[(PublicationId, Delivery)]);

    /// How many members each channel has here.
    fn members(&self) -> Vec<(ChannelName, usize)>;
}
