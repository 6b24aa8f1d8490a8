//! Channels: which sessions are members of which, and how a publication reaches them; no I/O.
//!
//! ```text
//! publication ─► encoded once ─► hub ─► channel ─► mailbox of each member ─► its session
//! ```
//!
//! [`encoded`] is a publication as a frame, [`hub`] finds the [`channel`] of a name, and [`mailbox`] is what waits for one
//! session. [`retained`] bounds what all channels keep for the sessions to come, and [`repeats`] knows the publications
//! that came before.

mod channel;
mod counts;
mod encoded;
mod hub;
mod interest;
mod mailbox;
mod membership;
mod publication;
mod publication_counts;
mod repeats;
mod retained;
mod subscriber;

pub(crate) use channel::Earlier;
pub(crate) use counts::DeliveryCounts;
pub(crate) use encoded::{Delivery, PublicationId};
pub(crate) use hub::Channels;
pub(crate) use interest::Interest;
pub(crate) use mailbox::{Mailbox, Taken};
pub(crate) use membership::Membership;
pub use publication::{Audience, ChannelError, ChannelInfo, MemberInfo, Publication, Published};
pub(crate) use publication_counts::PublicationCounts;
pub(crate) use repeats::{Claim, Repeat, Repeats};
pub(crate) use subscriber::Subscriber;
