//! Moves the available bytes from one leg to the other.

use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::direction::{Direction, Walked};
use super::filter::MessageFilter;
use super::leg::Leg;
use super::scratch;
use super::stop::Stop;

/// The result of one run of the pump.
#[derive(Debug)]
pub(super) enum Pumped {
    /// Nothing to do until a waker wakes the task.
    Idle,
    /// Bytes came; there may be more.
    Moved { data: bool, stop: Option<Stop> },
    /// The source has ended.
    Ended,
}

/// The pumps to run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadyPumps {
    pub(super) from_client: bool,
    pub(super) from_upstream: bool,
}

impl ReadyPumps {
    /// Both, whichever socket has woken the task.
    pub(super) const BOTH: Self = Self {
        from_client: true,
        from_upstream: true,
    };
}

/// One read, one walk, one write.
///
/// The source is not read while the sink has not taken what came before: that is the back-pressure,
/// and the bound on the memory.
pub(super) fn pump_once<A, B>(
    source: &mut Leg<A>,
    sink: &mut Leg<B>,
    direction: &mut Direction,
    filter: Option<&mut Box<dyn MessageFilter>>,
    now: Instant,
) -> Pumped
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    // Whatever becomes of the source: what the sink has been given is on its way.
    let drained = sink.poll_drained(now).is_ready();
    if let Some(resume) = direction.resume {
        if now < resume {
            return Pumped::Idle;
        }
        direction.end_wait();
    }
    if direction.relays() && !drained {
        return Pumped::Idle;
    }
    if source.ended() {
        return Pumped::Idle;
    }
    // A sender that does not take the filter's answers gets no more of them.
    if filter.is_some() && direction.relays() && source.poll_drained(now).is_pending() {
        return Pumped::Idle;
    }
    let (held, fresh) = direction.held();
    let read = if direction.remaining() > scratch::READ as u64 {
        scratch::BULK_READ
    } else if direction.has_small_frames() {
        scratch::SMALL_READ
    } else {
        scratch::READ
    };
    scratch::with(held, read, |buffer| {
        let length = if fresh {
            held
        } else {
            match source.poll_read(&mut buffer[held..]) {
                Poll::Pending => return Pumped::Idle,
                Poll::Ready(0) => return Pumped::Ended,
                Poll::Ready(length) => {
                    source.pinger.note_received(now);
                    if !direction.relays() {
                        source.discard(length);
                        if source.ended() {
                            return Pumped::Ended;
                        }
                    }
                    held + length
                }
            }
        };
        direction.load(&mut buffer[..held]);
        let walked = direction.walk(&mut buffer[..length], &mut source.pinger, filter, now);
        if walked.ping {
            sink.note_relayed_ping(now);
        }
        pass_on(sink, &walked, buffer, now);
        if !walked.replies.is_empty() && !source.close_sent {
            // With a filter both directions pass on whole messages, so that this stands between two.
            source.write(&walked.replies, now);
        }
        Pumped::Moved {
            data: walked.data,
            stop: walked.stop,
        }
    })
}

/// Writes what is to be passed on, and our own frames at a boundary of it.
fn pass_on<S>(sink: &mut Leg<S>, walked: &Walked, buffer: &[u8], now: Instant)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = match walked.assembled.is_empty() {
        true => &buffer[..walked.pass],
        false => &walked.assembled,
    };
    if let Some(Stop::Closed { passed: true, .. }) = walked.stop {
        // Nothing may follow the peer's close frame, so our own pings are late.
        sink.forget_own();
        sink.close_sent = true;
    }
    match walked.boundary {
        Some(boundary) if sink.has_any() => {
            let (before, behind) = bytes.split_at(boundary);
            write_with_mail(sink, walked.message_end, before, now);
            if sink.has_own() {
                let own = sink.take_own(now);
                sink.write(&own, now);
            }
            sink.write(behind, now);
        }
        _ => sink.write(bytes, now),
    }
}

/// Writes publications at the end of the last message in `bytes`, if one ends there.
fn write_with_mail<S>(sink: &mut Leg<S>, message_end: Option<usize>, bytes: &[u8], now: Instant)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match message_end {
        Some(end) if sink.has_mail() => {
            let (before, behind) = bytes.split_at(end);
            sink.write(before, now);
            sink.write_mail(now);
            sink.write(behind, now);
        }
        _ => sink.write(bytes, now),
    }
}
