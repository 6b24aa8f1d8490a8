//! What the bus hands to its gate.

use super::envelope::Envelope;
use super::question::{Answer, Question};
use crate::channels::{Earlier, PublicationId};
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

    /// What is retained of a channel in the engine. `None` ends the wait for it, which may come later.
    fn catch_up(&self, channel: &ChannelName, elsewhere: Option<&[Earlier]>);

    /// A publication of this gate is retained here, and has not got to the engine.
    fn note_only_here(&self, channel: &ChannelName, id: PublicationId);

    /// How many members each channel has here.
    fn members(&self) -> Vec<(ChannelName, usize)>;
}
