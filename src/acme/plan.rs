//! When a certificate is renewed: when its authority suggests it (RFC 9773), or else at two thirds of its lifetime.

use std::time::{Duration, SystemTime};

/// The time in which an authority wants a certificate to be renewed (RFC 9773 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: SystemTime,
    pub(super) end: SystemTime,
}

/// When a certificate holds, and when it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    pub(super) since: SystemTime,
}

/// What an authority has suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    window: Window,
    /// A time in the window, which stays the same as long as the window does.
    at: SystemTime,
}

/// A certificate is kept for so long at least, however often an authority suggests another one.
const SHORTEST: Duration = Duration::from_secs(60 * 60);

/// Pauses between questions for the window (RFC 9773 §4.3.2).
const SHORTEST_QUESTION: Duration = Duration::from_secs(60);
const LONGEST_QUESTION: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause where the authority has not answered.
pub(super) const QUESTION: Duration = Duration::from_secs(6 * 60 * 60);

impl Suggestion {
    /// The suggestion of a window; `random` is from 0 to 1.
    pub(super) fn new(window: Window, before: Option<Self>, random: f64) -> Self {
        match before {
            Some(before) if before.window == window => before,
            _ => {
                let length = window.end.duration_since(window.start).unwrap_or_default();
                let at = window.start + length.mul_f64(random.clamp(0.0, 1.0));
                Self { window, at }
            }
        }
    }
}

impl Lifetime {
    /// When the certificate is to be renewed.
    pub(super) fn renewed_at(&self, suggestion: Option<Suggestion>) -> SystemTime {
        let whole = self.not_after.duration_since(self.not_before);
        let third = whole.unwrap_or_default() / 3;
        match suggestion {
            Some(suggestion) => suggestion.at.max(self.since + third.min(SHORTEST)),
            // A machine whose clock is wrong takes each certificate for an old one.
            None => (self.not_before + third * 2).max(self.since + third),
        }
    }
}

/// The pause after which the authority is asked for the window again.
pub(super) fn question_after(asked: Duration) -> Duration {
    asked.clamp(SHORTEST_QUESTION, LONGEST_QUESTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(days: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * days
    }

    fn lifetime(since: u32) -> Lifetime {
        Lifetime {
            not_before: at(100),
            not_after: at(190),
            since: at(since),
        }
    }

    fn suggestion(start: u32, end: u32, random: f64) -> Suggestion {
        let window = Window {
            start: at(start),
            end: at(end),
        };
        Suggestion::new(window, None, random)
    }

    #[test]
    fn without_a_word_of_the_authority_it_is_two_thirds_of_the_lifetime() {
        assert_eq!(lifetime(100).renewed_at(None), at(160));
    }

    #[test]
    fn a_wrong_clock_makes_no_orders_without_end() {
        // It is day 170 here when the certificate comes.
        assert_eq!(lifetime(170).renewed_at(None), at(200));
        let past = Some(suggestion(1, 2, 0.5));
        assert_eq!(lifetime(170).renewed_at(past), at(170) + SHORTEST);
    }

    #[test]
    fn it_is_a_time_in_the_window_of_the_authority() {
        for (random, expected) in [(0.0, 120), (0.5, 125), (1.0, 130)] {
            let renewed = lifetime(100).renewed_at(Some(suggestion(120, 130, random)));
            assert_eq!(renewed, at(expected));
        }
        // A window that ends before it begins.
        assert_eq!(
            lifetime(100).renewed_at(Some(suggestion(130, 120, 0.5))),
            at(130)
        );
    }

    #[test]
    fn the_time_stays_the_same_as_long_as_the_window_does() {
        let first = suggestion(120, 130, 0.5);
        assert_eq!(Suggestion::new(first.window, Some(first), 0.9), first);
        let moved = suggestion(110, 130, 0.0).window;
        assert_eq!(Suggestion::new(moved, Some(first), 0.0).at, at(110));
    }

    #[test]
    fn questions_are_as_often_as_the_authority_says_within_reason() {
        assert_eq!(question_after(Duration::ZERO), SHORTEST_QUESTION);
        assert_eq!(question_after(QUESTION), QUESTION);
        assert_eq!(question_after(DAY * 400), LONGEST_QUESTION);
    }
}
