//! What channels came to, for the host.

use std::sync::Arc;

use crate::pipeline::Core;

/// What channels came to: [`Metrics::channels`](super::Metrics::channels).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelMetrics {
    /// Channels at the moment that have members here, or retain publications.
    pub open: u64,
    /// Their members at the moment; a session in two channels counts twice.
    pub members: u64,
    /// The bytes of what they retain at the moment.
    pub retained_bytes: u64,
    /// Publications of this gate, by audience.
    pub publications: Vec<PublicationMetrics>,
    /// What the sessions of every route got of publications.
    pub deliveries: Vec<DeliveryMetrics>,
}

/// How many publications there were for one kind of audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicationMetrics {
    /// `channel`, `session` or `subject`.
    pub audience: &'static str,
    /// How many.
    pub count: u64,
}

/// What the sessions of one route got of publications.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryMetrics {
    /// The route's name.
    pub route: Arc<str>,
    /// Publications that went to the sockets of clients: one that reaches three sessions is three.
    pub messages: u64,
    /// The bytes of those, frame headers included.
    pub bytes: u64,
    /// Publications that a session did not get because it was slow.
    pub slow: u64,
    /// Publications that still waited for a session when it ended.
    pub unsent: u64,
    /// Channels that sessions could not join: the upstream named one that has no right name, or one too many.
    pub joins_refused: u64,
}

impl ChannelMetrics {
    pub(super) fn of(core: &Core) -> Self {
        let channels = &core.registry.channels;
        let publications = core.publications.by_audience();
        let publications =
            publications.map(|(audience, count)| PublicationMetrics { audience, count });
        let routes = core.counts.by_route().into_iter();
        let deliveries = routes.map(|(route, counts)| DeliveryMetrics {
            route,
            messages: counts.deliveries.messages(),
            bytes: counts.deliveries.bytes(),
            slow: counts.deliveries.slow(),
            unsent: counts.deliveries.unsent(),
            joins_refused: counts.deliveries.refused(),
        });
        Self {
            open: channels.count() as u64,
            members: channels.members() as u64,
            retained_bytes: channels.retained_bytes() as u64,
            publications: publications.into(),
            deliveries: deliveries.collect(),
        }
    }
}
