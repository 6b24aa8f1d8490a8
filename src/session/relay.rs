//! When the pumps of a session are turned, and what comes of it.

use std::pin::pin;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::State;
use super::pump::{self, Turn};
use super::stop::Stop;
use crate::types::Side;

/// How often the pumps turn before the thread's other tasks get theirs. A turn moves up to 512 KiB
/// each way, in which the cost of a pause is lost; of the tiniest frames it walks some ten thousand.
/// Two are as long as one session should hold up the others, and enough to find that there is
/// nothing more.
const TURNS: usize = 2;

/// What another turn may bring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Nothing,
    /// More of what this one brought.
    OfIt,
    /// What comes of it may concern the other pump as well.
    OfBoth,
}

/// The pumps that are to be turned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    from_client: bool,
    from_upstream: bool,
}

impl Due {
    /// Whatever their sockets have said.
    pub(super) const BOTH: Self = Self {
        from_client: true,
        from_upstream: true,
    };
}

impl<C, U> State<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Turns the pumps until none has anything to do, or it is somebody else's turn.
    ///
    /// One that has found nothing is not turned again: its socket wakes us, or what the other one
    /// found concerns both.
    pub(super) fn relay(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Due {
            mut from_client,
            mut from_upstream,
        } = self.take_due();
        for _ in 0..TURNS {
            if from_client {
                let turn = pump::turn(
                    &mut self.client,
                    &mut self.upstream,
                    &mut self.to_upstream,
                    self.filter.as_mut(),
                    now,
                );
                let more = self.turned(Side::Client, turn, now);
                from_client = more != More::Nothing;
                from_upstream |= more == More::OfBoth;
            }
            if from_upstream {
                let turn = pump::turn(
                    &mut self.upstream,
                    &mut self.client,
                    &mut self.to_client,
                    self.filter.as_mut(),
                    now,
                );
                let more = self.turned(Side::Upstream, turn, now);
                from_upstream = more != More::Nothing;
                from_client |= more == More::OfBoth;
            }
            if !(from_client || from_upstream) {
                return;
            }
        }
        self.due = Due {
            from_client,
            from_upstream,
        };
        yield_to_others(cx);
    }

    /// Which pumps there is a reason to turn: the socket that feeds one has woken us, or the one
    /// that would not take what it gave.
    fn take_due(&mut self) -> Due {
        let due = std::mem::take(&mut self.due);
        let (client, upstream) = (self.client.has_rung(), self.upstream.has_rung());
        // On the way out the pumps are not all that waits for a socket.
        let ending = self.ending.is_some();
        Due {
            from_client: due.from_client || client || upstream && self.upstream.stalled() || ending,
            from_upstream: due.from_upstream
                || upstream
                || client && self.client.stalled()
                || ending,
        }
    }

    /// Takes note of what a turn came to.
    #[inline]
    fn turned(&mut self, from: Side, turn: Turn, now: Instant) -> More {
        match turn {
            Turn::Idle => More::Nothing,
            Turn::Moved { data, stop } => {
                if data {
                    self.last_data = now;
                }
                let Some(stop) = stop else {
                    return More::OfIt;
                };
                self.stopped(from, stop, now);
                More::OfBoth
            }
            Turn::Ended => {
                self.source_ended(from, now);
                More::OfBoth
            }
        }
    }

    fn stopped(&mut self, from: Side, stop: Stop, now: Instant) {
        match stop {
            Stop::Wait(wait) => self.direction_mut(from).resume = Some(now + wait),
            Stop::Policy(reason) => self.begin_end(reason, now),
            Stop::Violation(reason) => {
                self.direction_mut(from).deafen();
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
