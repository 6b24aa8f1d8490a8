//! Timer coalescing: which of a thread's sessions are woken together.
//!
//! A thread with thousands of idle sessions does little but send their pings, and a wake-up for each
//! costs more than its ping. So a session that only waits to send a ping is woken together with others
//! that wait for about the same time. Not with too many: the thread's busy sessions wait until the last
//! of them has had its turn.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// A session may be woken late by one part in so many of its waiting time.
const SLACK_DIVISOR: u64 = 128;

/// How many sessions are woken at once. At 35 µs for the pings of each, they take two milliseconds.
const MAX_SESSIONS: u32 = 64;

/// The binary logarithm of the shortest step between two slots, in nanoseconds: a millisecond, and
/// timers are no more exact.
const MIN_STEP_BITS: u32 = 20;

/// How many slots a thread remembers, as a power of two. A forgotten one may become too big, and
/// nothing worse.
const SLOT_BITS: u32 = 7;

thread_local! {
    static SLOTS: RefCell<[WakeSlot; 1 << SLOT_BITS]> = const {
        RefCell::new([WakeSlot { at: 0, sessions: 0 }; 1 << SLOT_BITS])
    };
}

/// The sessions that are woken at one time.
#[derive(Clone, Copy)]
struct WakeSlot {
    /// In nanoseconds since the epoch.
    at: u64,
    sessions: u32,
}

/// When to wake a session that has something to do at `due`: then or a little later, together with
/// others.
pub(super) fn coalesce(due: Instant, now: Instant) -> Instant {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
    let slack = nanoseconds(due.saturating_duration_since(now)).map(|wait| wait / SLACK_DIVISOR);
    let age = due.checked_duration_since(epoch()).and_then(nanoseconds);
    let (Some(longest), Some(age)) = (slack.and_then(u64::checked_ilog2), age) else {
        return due;
    };
    // Powers of two, so that sessions with different waits share slots as well. The latest slot comes
    // first, because the most sessions can share it.
    let steps = (MIN_STEP_BITS..=longest).rev().map(|bits| 1 << bits);
    let mut slots = steps.filter_map(|step| age.checked_next_multiple_of(step));
    match slots.find(|&at| try_join(at)) {
        Some(at) => due + Duration::from_nanos(at - age),
        None => due,
    }
}

/// Adds one session to the slot of this time. Returns false if it is full.
fn try_join(at: u64) -> bool {
    // Fibonacci hashing: times are multiples of large powers of two.
    let index =
        (at >> MIN_STEP_BITS).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOT_BITS);
    SLOTS.with_borrow_mut(|slots| {
        let slot = &mut slots[index as usize];
        if slot.at != at {
            *slot = WakeSlot { at, sessions: 0 };
        }
        let has_room = slot.sessions < MAX_SESSIONS;
        slot.sessions += u32::from(has_room);
        has_room
    })
}

/// What the times are counted from; any would do.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    // The clock that no test holds or turns.
    *EPOCH.get_or_init(|| Instant::from_std(std::time::Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What waiting for so many milliseconds becomes, from a time at which a slot is woken. Each
    /// test has an era of its own, as the thread may be another's as well.
    fn coalesce_in(era: u64, milliseconds: &[u64]) -> Vec<u128> {
        let now = epoch() + Duration::from_nanos(era << 40);
        let late = |wait: &u64| {
            let due = now + Duration::from_millis(*wait);
            coalesce(due, now).duration_since(now).as_nanos()
        };
        milliseconds.iter().map(late).collect()
    }

    /// The step of those that wait for half a minute.
    const STEP: u128 = 1 << 27;

    #[test]
    fn who_waits_for_about_the_same_time_is_woken_at_the_same_time() {
        // 30 s are 223.5 steps.
        let woken = coalesce_in(1, &[29_932, 29_950, 30_000, 30_064, 30_065]);
        let together = 224 * STEP;
        assert_eq!(woken[..4], [together; 4]);
        assert_eq!(woken[4], 225 * STEP);
    }

    #[test]
    fn nobody_is_woken_early_or_later_than_a_128th() {
        for wait in (0..100_000).step_by(997) {
            let woken = coalesce_in(2, &[wait])[0];
            let due = u128::from(wait) * 1_000_000;
            assert!((due..=due + due / 128).contains(&woken), "{wait}: {woken}");
        }
    }

    #[test]
    fn a_full_cohort_sends_on_to_an_earlier_one() {
        let most = MAX_SESSIONS as usize;
        let woken = coalesce_in(3, &vec![30_000; 10 * most]);
        assert_eq!(woken[..most], vec![224 * STEP; most]);
        // The next is in a quarter of the step, as the half has the same end.
        assert_eq!(woken[most..2 * most], vec![895 * STEP / 4; most]);
        // And when all are full, everybody at their own time.
        assert_eq!(woken[9 * most..], vec![30_000_000_000; most]);
        assert_eq!(coalesce_in(3, &[30_100]), [225 * STEP]);
    }

    #[test]
    fn waits_of_different_lengths_meet() {
        let (a, b) = (coalesce_in(4, &[30_000])[0], coalesce_in(4, &[17_100])[0]);
        assert_eq!((a % STEP, b % (STEP / 2)), (0, 0));
    }
}
