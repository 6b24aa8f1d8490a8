//! The time of day, and whether it was set.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Where the time of day comes from: the system, unless a test says otherwise.
#[derive(Clone)]
pub(crate) struct WallClock {
    read: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

/// Notices when the wall clock has left the monotonic one: somebody has set it, or the machine was
/// suspended.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    wall: SystemTime,
    monotonic: Instant,
}

/// The clocks may be so far apart before that counts.
const TOLERANCE: Duration = Duration::from_secs(1);

impl WallClock {
    #[cfg(test)]
    pub(crate) fn new(read: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            read: Arc::new(read),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.read)()
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self {
            read: Arc::new(SystemTime::now),
        }
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

impl ClockWatch {
    pub(crate) fn new(wall: SystemTime, monotonic: Instant) -> Self {
        Self { wall, monotonic }
    }

    /// Whether the clocks have drifted apart since the last time that this was so. Small differences
    /// add up: a clock that is only adjusted is noticed as well.
    pub(crate) fn has_stepped(&mut self, wall: SystemTime, monotonic: Instant) -> bool {
        let passed = monotonic.saturating_duration_since(self.monotonic);
        let drift = match self.wall.checked_add(passed) {
            Some(expected) => match wall.duration_since(expected) {
                Ok(ahead) => ahead,
                Err(behind) => behind.duration(),
            },
            None => Duration::MAX,
        };
        let stepped = drift > TOLERANCE;
        if stepped {
            *self = Self::new(wall, monotonic);
        }
        stepped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_is_noticed_once() {
        let (wall, monotonic) = (SystemTime::UNIX_EPOCH, Instant::now());
        let seconds = Duration::from_secs;
        let mut watch = ClockWatch::new(wall + seconds(1000), monotonic);
        for (passed, shown, stepped) in [
            (10, 1010, false),
            (20, 1021, false),
            // The second that it is ahead counts still.
            (30, 1032, true),
            (40, 1042, false),
            (50, 952, true),
            (60, 962, false),
        ] {
            let found = watch.has_stepped(wall + seconds(shown), monotonic + seconds(passed));
            assert_eq!(found, stepped, "{shown} s after {passed} s");
        }
    }
}
