//! When the pumps of a session are handle_pumped, and what comes of it.

use std::pin::pin;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::SessionState;
use super::pump::{self, Pumped};
use super::stop::Stop;
use crate::types::Side;

/// How often the pumps turn before the thread's other tasks get theirs. A turn moves up to 512 KiB
/// each way, in which the cost of a pause is lost; of the tiniest frames it walks some ten thousand.
/// Two are as long as one session should hold up the others, and enough to find that there is
/// nothing more.
const TURNS: usize = 2;

/// What another turn may bring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    /// Progress of what this one brought.
    ThisWay,
    /// What comes of it may concern the other pump as well.
    BothWays,
}

/// The pumps that are to be handle_pumped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadyPumps {
    from_client: bool,
    from_upstream: bool,
}

impl ReadyPumps {
    /// Whatever their sockets have said.
    pub(super) const BOTH: Self = Self {
        from_client: true,
        from_upstream: true,
    };
}

impl<C, U> SessionState<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Turns the pumps until none has anything to do, or it is somebody else's turn.
    ///
    /// One that has found nothing is not handle_pumped again: its socket wakes us, or what the other one
    /// found concerns both.
    pub(super) fn relay(&mut self, cx: &mut Context<'_>, now: Instant) {
        let ReadyPumps {
            mut from_client,
            mut from_upstream,
        } = self.take_ready();
        for _ in 0..TURNS {
            if from_client {
                let turn = pump::pump_once(
                    &mut self.client,
                    &mut self.upstream,
                    &mut self.to_upstream,
                    self.filter.as_mut(),
                    now,
                );
                let more = self.handle_pumped(Side::Client, turn, now);
                from_client = more != Progress::None;
                from_upstream |= more == Progress::BothWays;
            }
            if from_upstream {
                let turn = pump::pump_once(
                    &mut self.upstream,
                    &mut self.client,
                    &mut self.to_client,
                    self.filter.as_mut(),
                    now,
                );
                let more = self.handle_pumped(Side::Upstream, turn, now);
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

    /// Which pumps there is a reason to turn: the socket that feeds one has woken us, or the one
    /// that would not take what it gave.
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

    /// Takes note of what a turn came to.
    #[inline]
    fn handle_pumped(&mut self, from: Side, turn: Pumped, now: Instant) -> Progress {
        match turn {
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

/// Asks to be polled again, behind everybody whose socket has become ready meanwhile: the runtime
/// wakes who yields when it has looked at its sockets, and whom a waker wakes before that.
fn yield_to_others(cx: &mut Context<'_>) {
    let mut pause = pin!(tokio::task::yield_now());
    if pause.as_mut().poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}
