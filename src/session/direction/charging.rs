//! What a client's frames are charged to, and what becomes of those that are not paid for.

use tokio::time::Instant;

use super::super::meter::Charge;
use super::super::stop::Stop;
use super::{Direction, Mode};
use crate::frame::DataFrame;

impl Direction {
    /// Charges a frame before anything of it passes.
    pub(super) fn charge(
        &mut self,
        frame: &DataFrame,
        header: usize,
        now: Instant,
    ) -> Result<(), Stop> {
        let Some(meter) = &mut self.meter else {
            return Ok(());
        };
        let payload = if meter.charges_whole_frames() {
            frame.payload
        } else {
            0
        };
        let counts = frame.first || is_small_fragment(frame);
        match meter.charge(counts.into(), payload + header as u64, now) {
            Charge::Paid => Ok(()),
            Charge::Wait(wait) => Err(Stop::Wait(wait)),
            // A message can only be dropped whole, and none that others are compressed against.
            Charge::Drop(_) if frame.first && !frame.compressed => {
                meter.note_dropped();
                self.dropping = true;
                Ok(())
            }
            Charge::Drop(reason) | Charge::End(reason) => Err(Stop::Policy(reason)),
        }
    }

    /// Charges a ping or a pong. False if it is to be dropped, which harms no
    /// other frame.
    pub(super) fn charge_control(&mut self, length: usize, now: Instant) -> Result<bool, Stop> {
        let Some(meter) = &mut self.meter else {
            return Ok(true);
        };
        let bytes = match meter.charges_whole_frames() {
            true => length,
            // It passes whole, so that it is slowed down by no more than the burst.
            false => length.min(meter.portion()),
        };
        match meter.charge_control(bytes as u64, now) {
            Charge::Paid => Ok(true),
            Charge::Drop(_) => {
                meter.note_dropped();
                Ok(false)
            }
            Charge::Wait(wait) => Err(Stop::Wait(wait)),
            Charge::End(reason) => Err(Stop::Policy(reason)),
        }
    }

    /// Where a client is slowed down, payload is paid for as it passes.
    pub(super) fn affordable<'a>(
        &mut self,
        input: &'a [u8],
        now: Instant,
    ) -> Result<&'a [u8], Stop> {
        let relays = self.mode == Mode::Relay && self.walker.in_frame();
        let Some(meter) = self
            .meter
            .as_mut()
            .filter(|m| relays && !m.charges_whole_frames())
        else {
            return Ok(input);
        };
        let payload = usize::try_from(self.walker.remaining()).unwrap_or(usize::MAX);
        let length = input.len().min(payload).min(meter.portion());
        match meter.charge(0, length as u64, now) {
            Charge::Paid => Ok(&input[..length]),
            Charge::Wait(wait) => Err(Stop::Wait(wait)),
            Charge::Drop(reason) | Charge::End(reason) => Err(Stop::Policy(reason)),
        }
    }

    pub(super) fn may_wait(&self) -> bool {
        self.meter.as_ref().is_some_and(|meter| meter.may_wait())
    }
}

/// Whether a fragment is so small that its bytes are no price for it. It then counts as a message
/// does, or each message that is paid for might bring thousands of frames. The last one is free:
/// some libraries end every message with an empty one.
fn is_small_fragment(frame: &DataFrame) -> bool {
    const SMALL: u64 = 126;
    !frame.first && !frame.last && frame.payload < SMALL
}
