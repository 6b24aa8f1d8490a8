//! A publication in a channel, and what that comes to.

use crate::channels::encoded::{Delivery, PublicationId};
use crate::channels::subscriber::Subscriber;
use crate::types::SessionName;

/// A publication as a channel gets it.
#[derive(Clone, Copy)]
pub(in crate::channels) struct Published<'a> {
    pub(in crate::channels) id: PublicationId,
    pub(in crate::channels) delivery: &'a Delivery,
    /// So many of the last publications are retained.
    pub(in crate::channels) retain: usize,
    /// Members that do not get it.
    pub(in crate::channels) exclude: &'a [SessionName],
}

impl Published<'_> {
    /// Whether the publication excludes a member. The name costs a cache miss a member, so it is read only if there are exclusions.
    pub(in crate::channels) fn excludes(&self, member: &dyn Subscriber) -> bool {
        !self.exclude.is_empty() && self.exclude.contains(&member.name())
    }
}

/// A publication of before, as it is retained elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    pub(crate) id: PublicationId,
    pub(crate) delivery: Delivery,
    /// Members that do not get it.
    pub(crate) exclude: Box<[SessionName]>,
}

/// What a publication came to in a channel.
#[derive(Debug, Default)]
pub(in crate::channels) struct Outcome {
    pub(in crate::channels) reached: usize,
    /// By so much more is retained, in bytes.
    pub(in crate::channels) retained_more: isize,
}
