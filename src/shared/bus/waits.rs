//! How long publications wait for what is retained.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::config::ChannelName;
use crate::shared::backlog::Backlog;

/// So long where a channel has its first member, and where it was not heard. What is loaded later goes to the members then.
pub(super) const FIRST_MEMBER: Duration = Duration::from_millis(250);
pub(super) const UNHEARD: Duration = Duration::from_secs(1);

/// Channels whose publications wait, and until when.
#[derive(Debug)]
pub(super) struct Waits(Backlog<Wait>);

type Wait = (Instant, Vec<ChannelName>);

impl Waits {
    pub(super) fn new() -> Self {
        Self(Backlog::new(usize::MAX))
    }

    pub(super) fn begin(&self, longest: Duration, channels: Vec<ChannelName>) {
        self.0.push((Instant::now() + longest, channels));
    }

    /// Has `end` end each wait when it has lasted long enough, for as long as it is polled.
    pub(super) async fn end_each(&self, end: impl Fn(&[ChannelName])) -> Infallible {
        let mut ends = FuturesUnordered::new();
        loop {
            tokio::select! {
                begun = self.0.take() => ends.extend(begun.into_iter().map(end_of)),
                Some(channels) = ends.next() => end(&channels),
            }
        }
    }
}

async fn end_of((until, channels): Wait) -> Vec<ChannelName> {
    sleep_until(until).await;
    channels
}
