//! When the pumps of a session run, and what follows from their results.

use std::pin::pin;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::pump::{self, Pumped, ReadyPumps};
use super::state::SessionState;
use super::stop::Stop;
use crate::types::Side;

/// How often the pumps run before the thread's other tasks get their turn. A run moves up to 512 KiB
/// each way, in which the cost of a pause is lost; of the tiniest frames it walks some ten thousand.
/// Two are as long as one session should hold up the others, and enough to find that there is
/// nothing more.
const MAX_RUNS: usize = 2;

/// Whether another run may move more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    /// It may, in the same direction.
    ThisWay,
    /// It may, in both directions.
    BothWays,
}

impl<C, U> SessionState<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Runs the pumps until neither has anything to do, or other tasks must get their turn.
    ///
    /// A pump that has found nothing does not run again, unless what the other one found concerns both:
    /// its socket wakes the task.
    pub(super) fn relay(&mut self, cx: &mut Context<'_>, now: Instant) {
        let ReadyPumps {
            mut from_client,
            mut from_upstream,
        } = self.take_ready();
        for _ in 0..MAX_RUNS {
            if from_client {
                let pumped = pump::pump_once(
                    &mut self.client,
                    &mut self.upstream,
                    &mut self.to_upstream,
                    self.filter.as_mut(),
                    now,
                );
                let more = self.handle_pumped(Side::Client, pumped, now);
                from_client = more != Progress::None;
                from_upstream |= more == Progress::BothWays;
            }
            if from_upstream {
                let pumped = pump::pump_once(
                    &mut self.upstream,
                    &mut self.client,
                    &mut self.to_client,
                    self.filter.as_mut(),
                    now,
                );
                let more = self.handle_pumped(Side::Upstream, pumped, now);
                from_upstream = more != Progress::None;
                from_client |= more == Progress::BothWays;
            }
            if !(from_client || from_upstream) {
                return;
            }
        }
        self.ready = ReadyPumps {
            from_client,
            from_upstream,
        };
        yield_to_others(cx);
    }

    /// The pumps that have a reason to run: the socket that feeds one has woken the task, or the
    /// socket that did not take everything.
    fn take_ready(&mut self) -> ReadyPumps {
        let ready = std::mem::take(&mut self.ready);
        let (client, upstream) = (self.client.take_woken(), self.upstream.take_woken());
        // On the way out the pumps are not all that waits for a socket.
        let ending = self.ending.is_some();
        ReadyPumps {
            from_client: ready.from_client
                || client
                || upstream && self.upstream.stalled()
                || ending,
            from_upstream: ready.from_upstream
                || upstream
                || client && self.client.stalled()
                || ending,
        }
    }

    /// Handles the result of one run.
    #[inline]
    fn handle_pumped(&mut self, from: Side, pumped: Pumped, now: Instant) -> Progress {
        match pumped {
            Pumped::Idle => Progress::None,
            Pumped::Moved { data, stop } => {
                if data {
                    self.last_data = now;
                }
                let Some(stop) = stop else {
                    return Progress::ThisWay;
                };
                self.handle_stop(from, stop, now);
                Progress::BothWays
            }
            Pumped::Ended => {
                self.source_ended(from, now);
                Progress::BothWays
            }
        }
    }

    fn handle_stop(&mut self, from: Side, stop: Stop, now: Instant) {
        match stop {
            Stop::Wait(wait) => self.direction_mut(from).resume = Some(now + wait),
            Stop::Policy(reason) => self.begin_end(reason, now),
            Stop::Violation(reason) => {
                self.direction_mut(from).close();
                self.begin_end(reason, now);
            }
            Stop::Closed { code, passed: _ } => self.peer_closed(from, code, now),
        }
    }
}

/// Schedules the task again behind all tasks whose sockets have become ready meanwhile. The runtime
/// wakes a task that yields after it has polled its sockets; a waker would wake it before that.
pub(super) fn yield_to_others(cx: &mut Context<'_>) {
    let mut pause = pin!(tokio::task::yield_now());
    if pause.as_mut().poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}
