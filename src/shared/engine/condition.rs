//! How it is with the engine: for the log, once when it is lost and once when it is back, and for metrics.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::error::EngineError;
use crate::config::OnFailure;
use crate::error_report::ErrorReport;

/// Every connection with the engine, and which of them are missing.
#[derive(Debug)]
pub(in crate::shared) struct Condition {
    /// The engine, as logs may have it.
    shown: String,
    is_up: AtomicBool,
    state: Mutex<State>,
    /// How often a server was connected.
    connected: watch::Sender<u64>,
    /// Whether nothing is missing, for those who wait for it.
    #[cfg(test)]
    whole: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    on_failure: OnFailure,
    /// What is missing.
    missing: BTreeSet<String>,
    since: Instant,
    /// The log has that something is missing.
    is_logged: bool,
    /// Nothing was missing at some time.
    was_whole: bool,
    /// Channels that were subscribed again meanwhile.
    channels: usize,
}

/// What the log is to say.
#[derive(Debug, PartialEq)]
enum News {
    /// Nothing is missing, for the first time.
    Connected,
    /// Nothing is missing any more.
    Back { seconds: f64, channels: usize },
}

impl Condition {
    pub(in crate::shared) fn new(shown: String, on_failure: OnFailure) -> Self {
        Self {
            shown,
            is_up: AtomicBool::new(false),
            state: Mutex::new(State {
                on_failure,
                missing: BTreeSet::new(),
                since: Instant::now(),
                is_logged: false,
                was_whole: false,
                channels: 0,
            }),
            connected: watch::Sender::new(0),
            #[cfg(test)]
            whole: watch::Sender::new(false),
        }
    }

    /// Whether nothing is missing.
    pub(in crate::shared) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// For how long something has been missing.
    pub(in crate::shared) fn missing_for(&self) -> Duration {
        let state = self.state();
        match state.missing.is_empty() {
            true => Duration::ZERO,
            false => state.since.elapsed(),
        }
    }

    /// Sees when a server is connected: it may have lost what was kept there.
    pub(in crate::shared) fn connected(&self) -> watch::Receiver<u64> {
        self.connected.subscribe()
    }

    /// A server is connected.
    pub(super) fn note_connection(&self) {
        self.connected.send_modify(|times| *times += 1);
    }

    /// What counts without the engine, for the log.
    pub(in crate::shared) fn set_on_failure(&self, on_failure: OnFailure) {
        self.state().on_failure = on_failure;
    }

    /// This connection is about to be made.
    pub(in crate::shared) fn expect(&self, part: &str) {
        let mut state = self.state();
        if state.missing.is_empty() {
            state.since = Instant::now();
        }
        state.missing.insert(part.to_owned());
        self.is_up.store(false, Ordering::Relaxed);
        #[cfg(test)]
        self.whole.send_replace(false);
    }

    /// This connection is missing.
    pub(in crate::shared) fn lost(&self, part: &str, error: &EngineError) {
        let Some(on_failure) = self.note_lost(part) else {
            return;
        };
        let (engine, error) = (&*self.shown, ErrorReport(error));
        match on_failure {
            OnFailure::Local => tracing::warn!(
                reason = "shared_down", engine, connection = part, %error,
                "the engine is away: this gate counts for itself, and its publications go no further"
            ),
            OnFailure::Deny => tracing::error!(
                reason = "shared_down", engine, connection = part, %error,
                "the engine is away: what shared limits would have to allow is refused"
            ),
        }
    }

    /// What counts without it, if the log does not have yet that something is missing.
    fn note_lost(&self, part: &str) -> Option<OnFailure> {
        self.expect(part);
        let mut state = self.state();
        let was_logged = std::mem::replace(&mut state.is_logged, true);
        (!was_logged).then_some(state.on_failure)
    }

    /// This connection is there, with so many channels that were subscribed again.
    pub(in crate::shared) fn found(&self, part: &str, channels: usize) {
        let engine = &*self.shown;
        match self.note_found(part, channels) {
            Some(News::Back { seconds, channels }) => tracing::info!(
                reason = "shared_up",
                engine,
                seconds,
                channels,
                "the engine is back"
            ),
            Some(News::Connected) => {
                tracing::info!(reason = "shared_up", engine, "the engine is connected");
            }
            None => {}
        }
    }

    fn note_found(&self, part: &str, channels: usize) -> Option<News> {
        let mut state = self.state();
        state.channels += channels;
        let was_missing = state.missing.remove(part);
        if !was_missing || !state.missing.is_empty() {
            return None;
        }
        self.is_up.store(true, Ordering::Relaxed);
        #[cfg(test)]
        self.whole.send_replace(true);
        let seconds = state.since.elapsed().as_secs_f64();
        let channels = std::mem::take(&mut state.channels);
        let was_whole = std::mem::replace(&mut state.was_whole, true);
        match std::mem::take(&mut state.is_logged) {
            true => Some(News::Back {
                seconds: (seconds * 1000.0).round() / 1000.0,
                channels,
            }),
            // A server more of the same engine is no news.
            false => (!was_whole).then_some(News::Connected),
        }
    }

    /// This connection is no longer wanted.
    pub(in crate::shared) fn forget(&self, part: &str) {
        let is_missing = self.state().missing.contains(part);
        if is_missing {
            self.found(part, 0);
        }
    }

    /// Waits until nothing is missing, or something is.
    #[cfg(test)]
    pub(in crate::shared) async fn becomes(&self, is_whole: bool) {
        let mut whole = self.whole.subscribe();
        whole.wait_for(|whole| *whole == is_whole).await.unwrap();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is whole at every moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "a:1";
    const LISTENING: &str = "a:1, to listen";

    fn condition() -> Condition {
        Condition::new("a:1".to_owned(), OnFailure::Local)
    }

    #[test]
    fn the_engine_is_connected_once_however_its_connections_appear() {
        let condition = condition();
        condition.expect(MAIN);
        condition.expect(LISTENING);
        assert_eq!(condition.note_found(MAIN, 0), None);
        assert!(!condition.is_up());
        assert_eq!(condition.note_found(LISTENING, 3), Some(News::Connected));
        // A connection more, or one that is made anew.
        for part in ["b:2", LISTENING] {
            condition.expect(part);
            assert!(!condition.is_up());
            assert_eq!(condition.note_found(part, 0), None);
            assert!(condition.is_up());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_is_said_once_and_once_that_it_is_back() {
        let condition = condition();
        condition.expect(MAIN);
        condition.expect(LISTENING);
        let twice = [MAIN, LISTENING].map(|part| condition.note_lost(part));
        assert_eq!(twice, [Some(OnFailure::Local), None]);
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(condition.note_found(MAIN, 0), None);
        assert_eq!(condition.note_lost(MAIN), None);
        assert_eq!(condition.note_found(LISTENING, 3), None);
        let back = News::Back {
            seconds: 1.5,
            channels: 3,
        };
        assert_eq!(condition.note_found(MAIN, 0), Some(back));
        assert_eq!(condition.note_lost(MAIN), Some(OnFailure::Local));
    }
}
