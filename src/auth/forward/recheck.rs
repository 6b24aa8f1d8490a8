//! Asks an authentication server again while a session lives.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::answer::{AuthError, Verdict};
use crate::close::CloseReason;

/// A session is kept for so long while the server decides nothing.
const GRACE: Duration = Duration::from_secs(5 * 60);

/// Meanwhile it is asked so often at least.
const RETRY: Duration = Duration::from_secs(60);

/// Ends when the server refuses, or has decided nothing for too long. `random` is from 0 to 1: sessions that began
/// together do not ask together.
pub(super) async fn until_refused<F>(
    interval: Duration,
    random: impl Fn() -> f64,
    ask: impl Fn() -> F,
) -> CloseReason
where
    F: Future<Output = Result<Verdict, AuthError>>,
{
    let mut failing_since: Option<Instant> = None;
    loop {
        let pause = interval.mul_f64(0.9 + 0.2 * random());
        let pause = match failing_since {
            Some(since) => {
                let left = GRACE.saturating_sub(since.elapsed());
                pause.min(RETRY).min(left)
            }
            None => pause,
        };
        sleep(pause).await;
        let asked = Instant::now();
        match ask().await {
            Ok(Verdict::Allowed(_)) => failing_since = None,
            Ok(Verdict::Refused(_)) => return CloseReason::AccessDenied,
            Err(_logged) => {
                let since = *failing_since.get_or_insert(asked);
                if since.elapsed() >= GRACE {
                    return CloseReason::AuthUnavailable;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::rejection::Denial;

    fn allowed() -> Result<Verdict, AuthError> {
        Ok(Verdict::Allowed(HeaderMap::new()))
    }

    fn refused() -> Result<Verdict, AuthError> {
        Ok(Verdict::Refused(Denial::forbidden("no")))
    }

    fn failed() -> Result<Verdict, AuthError> {
        Err(AuthError::Status(StatusCode::BAD_GATEWAY))
    }

    /// Asks every `interval`; `answer` gets the number of the question. Returns why it ended, and the seconds to each
    /// question.
    async fn asked(
        interval: u64,
        random: f64,
        answer: impl Fn(usize) -> Result<Verdict, AuthError>,
    ) -> (CloseReason, Vec<u64>) {
        let (began, times) = (Instant::now(), Cell::new(Vec::new()));
        let ask = || {
            let mut before = times.take();
            let number = before.len();
            before.push(began.elapsed().as_secs());
            times.set(before);
            ready(answer(number))
        };
        let interval = Duration::from_secs(interval);
        let reason = until_refused(interval, || random, ask).await;
        (reason, times.take())
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_is_asked_every_interval_until_it_refuses() {
        for (random, times) in [
            (0.0, [90, 180, 270]),
            (0.5, [100, 200, 300]),
            (1.0, [110, 220, 330]),
        ] {
            let answer = |number| if number < 2 { allowed() } else { refused() };
            let asked = asked(100, random, answer).await;
            assert_eq!(asked, (CloseReason::AccessDenied, times.to_vec()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_decides_nothing_has_five_minutes() {
        let (reason, times) = asked(20, 0.5, |_| failed()).await;
        assert_eq!(reason, CloseReason::AuthUnavailable);
        assert_eq!(times.len(), 16);
        assert_eq!(times.last(), Some(&320));

        // A rare question is repeated sooner while it fails.
        let (reason, times) = asked(3600, 0.5, |_| failed()).await;
        assert_eq!(reason, CloseReason::AuthUnavailable);
        assert_eq!(times, [3600, 3660, 3720, 3780, 3840, 3900]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_begins_the_five_minutes_anew() {
        let answer = |number| match number {
            3 => allowed(),
            8 => refused(),
            _ => failed(),
        };
        let (reason, times) = asked(60, 0.5, answer).await;
        assert_eq!(reason, CloseReason::AccessDenied);
        assert_eq!(times.len(), 9);
    }
}
