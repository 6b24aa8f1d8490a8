//! What a client's messages are charged to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::close::CloseReason;
use crate::config::OnExceed;
use crate::limit::{Exceeded, Limit};

/// The rate limits that bear on one session, client to upstream.
///
/// Each is one atomic word, found once when the session opened: nothing is looked up or locked
/// for a message.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Those of messages, and then those of bytes, each in the order of charging.
    limits: Box<[Arc<Limit>]>,
    /// How many of them are those of messages.
    message_limits: usize,
    /// Whether this gate shares any of them with others, so that a charge may wait for units that are on their way.
    shares: bool,
    /// Pings and pongs: as many as messages, but counted for themselves, so that a client that
    /// keeps its connection alive may still say as much.
    controls: Option<Arc<Limit>>,
    on_exceed: OnExceed,
    /// How many of the limits have been paid for what is waiting now, so that none is paid twice
    /// when it is charged again: that of controls, in the place before all others, and the others.
    paid: usize,
    limit_counts: Arc<LimitCounts>,
}

/// How often the limits of a route held a client back, counted by all its sessions together. Other
/// sessions never touch it.
#[derive(Debug, Default)]
pub(crate) struct LimitCounts {
    /// Messages, pings and pongs that were dropped.
    dropped: AtomicU64,
    /// Waits that were imposed on a client.
    delayed: AtomicU64,
}

/// The result of charging for bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Charge {
    Paid,
    /// Nothing passes for so long.
    Wait(Duration),
    /// The message is to be dropped; where it cannot be, the session ends for this reason.
    Drop(CloseReason),
    End(CloseReason),
}

impl Meter {
    /// A meter of these limits, each list in the order of charging; `None` if there is nothing to
    /// charge.
    pub(crate) fn new<const LIMITS: usize>(
        messages: [Option<Arc<Limit>>; LIMITS],
        controls: Option<Arc<Limit>>,
        bytes: [Option<Arc<Limit>>; LIMITS],
        on_exceed: OnExceed,
        limit_counts: &Arc<LimitCounts>,
    ) -> Option<Self> {
        let message_limits = messages.iter().flatten().count();
        let limits: Box<[_]> = messages.into_iter().chain(bytes).flatten().collect();
        (!limits.is_empty()).then(|| Self {
            shares: limits.iter().any(|limit| limit.is_shared()),
            limits,
            message_limits,
            controls,
            on_exceed,
            paid: 0,
            limit_counts: Arc::clone(limit_counts),
        })
    }

    /// Whether a frame is charged whole before its first byte passes. Where the client is only
    /// slowed down, its bytes are charged as they pass, however big the frame.
    pub(super) fn charges_whole_frames(&self) -> bool {
        self.on_exceed != OnExceed::Delay
    }

    /// Whether a charge may have to wait.
    pub(super) fn may_wait(&self) -> bool {
        self.shares || !self.charges_whole_frames()
    }

    /// The most bytes that may be charged at once and still be given.
    pub(super) fn portion(&self) -> usize {
        let byte_limits = self.limits.iter().skip(self.message_limits);
        let portions = byte_limits.map(|limit| limit.portion());
        portions
            .min()
            .and_then(|burst| usize::try_from(burst).ok())
            .unwrap_or(usize::MAX)
    }

    /// Charges messages and bytes to every limit.
    #[inline]
    pub(super) fn charge(&mut self, messages: u64, bytes: u64, now: Instant) -> Charge {
        self.pay(messages, bytes, now)
            .unwrap_or_else(|exceeded| self.exceeded(exceeded))
    }

    /// Charges a ping or a pong, and its bytes.
    pub(super) fn charge_control(&mut self, bytes: u64, now: Instant) -> Charge {
        if self.paid == 0
            && let Some(controls) = &self.controls
            && let Err(exceeded) = controls.take(1, now)
        {
            return self.exceeded(exceeded);
        }
        self.charge(0, bytes, now)
    }

    /// Takes messages and bytes out of their buckets, but out of none that was paid before.
    #[inline]
    fn pay(&mut self, messages: u64, bytes: u64, now: Instant) -> Result<Charge, Exceeded> {
        for (index, limit) in self.limits.iter().enumerate() {
            let units = match index < self.message_limits {
                true => messages,
                false => bytes,
            };
            // The place before them is that of controls.
            let place = index + 1;
            if units > 0 && place >= self.paid {
                self.paid = place;
                limit.take(units, now)?;
            }
        }
        self.paid = 0;
        Ok(Charge::Paid)
    }

    /// Counts what is dropped for want of its charge.
    pub(super) fn note_dropped(&self) {
        self.limit_counts.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// What follows from an empty bucket, the one that is not `paid`.
    fn exceeded(&mut self, exceeded: Exceeded) -> Charge {
        let reason = match self.paid <= self.message_limits {
            true => CloseReason::MessageRate,
            false => CloseReason::ByteRate,
        };
        match (self.on_exceed, exceeded) {
            // It is not over the limit: its units are on their way.
            (_, Exceeded::Soon(wait)) => Charge::Wait(wait),
            (OnExceed::Delay, Exceeded::For(wait)) => {
                self.limit_counts.delayed.fetch_add(1, Ordering::Relaxed);
                Charge::Wait(wait)
            }
            (OnExceed::Drop, _) => {
                self.paid = 0;
                Charge::Drop(reason)
            }
            (OnExceed::Close | OnExceed::Delay, _) => Charge::End(reason),
        }
    }
}

impl LimitCounts {
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn delayed(&self) -> u64 {
        self.delayed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rate;

    fn limit(count: u64, burst: u64) -> Option<Arc<Limit>> {
        Some(Arc::new(Limit::new(Rate {
            count,
            per: Duration::from_secs(1),
            burst,
        })))
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_was_paid_is_not_paid_again_after_a_wait() {
        let shared = limit(1, 10);
        let limit_counts = Arc::default();
        let mut meter = Meter::new(
            [shared.clone(), limit(2, 1)],
            None,
            [None, None],
            OnExceed::Delay,
            &limit_counts,
        )
        .unwrap();
        assert_eq!(meter.charge(1, 0, Instant::now()), Charge::Paid);
        assert!(matches!(
            meter.charge(1, 0, Instant::now()),
            Charge::Wait(_)
        ));
        assert!(matches!(
            meter.charge(1, 0, Instant::now()),
            Charge::Wait(_)
        ));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(meter.charge(1, 0, Instant::now()), Charge::Paid);
        assert_eq!((limit_counts.delayed(), limit_counts.dropped()), (2, 0));
        // Two of the ten are gone, and a half has come back.
        assert_eq!(shared.as_ref().unwrap().take(8, Instant::now()), Ok(()));
        assert!(shared.unwrap().take(1, Instant::now()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_reason_tells_which_rate_it_was() {
        let close = |messages, bytes| {
            Meter::new(
                [None, messages],
                None,
                [None, bytes],
                OnExceed::Close,
                &Arc::default(),
            )
            .unwrap()
        };
        let mut meter = close(limit(1, 1), None);
        assert_eq!(meter.charge(1, 5, Instant::now()), Charge::Paid);
        assert_eq!(
            meter.charge(1, 5, Instant::now()),
            Charge::End(CloseReason::MessageRate)
        );
        let mut meter = close(None, limit(10, 10));
        assert_eq!(
            meter.charge(1, 11, Instant::now()),
            Charge::End(CloseReason::ByteRate)
        );
    }

    #[test]
    fn no_limit_is_no_meter() {
        assert!(
            Meter::new(
                [None, None],
                None,
                [None, None],
                OnExceed::Close,
                &Arc::default()
            )
            .is_none()
        );
    }
}
