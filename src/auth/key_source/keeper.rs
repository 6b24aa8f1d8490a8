//! Keeps the keys of one issuer fresh: the task of a source.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::fetch::{Fetch, FetchError};
use super::schedule;
use super::status::Status;
use crate::error_report::ErrorReport;

/// Fetches the keys when that is due, or when somebody wishes it.
pub(super) struct Keeper {
    shown: Arc<str>,
    fetch: Arc<dyn Fetch>,
    status: Arc<watch::Sender<Status>>,
    /// When the keys are fetched without a wish.
    due: Instant,
    /// Failures in a row.
    failures: u32,
    condition: Condition,
}

/// What the log has said last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Working,
    Failing { has_keys: bool },
}

impl Keeper {
    pub(super) fn new(
        shown: &Arc<str>,
        fetch: &Arc<dyn Fetch>,
        status: &Arc<watch::Sender<Status>>,
    ) -> Self {
        Self {
            shown: Arc::clone(shown),
            fetch: Arc::clone(fetch),
            status: Arc::clone(status),
            due: Instant::now(),
            failures: 0,
            condition: Condition::Working,
        }
    }

    pub(super) async fn keep(mut self) {
        let mut wishes = self.status.subscribe();
        loop {
            let wished = wishes.borrow_and_update().wished_at();
            let next = wished.map_or(self.due, |wished| wished.min(self.due));
            tokio::select! {
                () = sleep_until(next) => {}
                // The sender is ours.
                _changed = wishes.changed() => continue,
            }
            let is_for_wish = wished.is_some_and(|wished| wished <= Instant::now());
            self.renew(is_for_wish).await;
        }
    }

    async fn renew(&mut self, is_for_wish: bool) {
        self.status.send_modify(|status| status.begin(is_for_wish));
        match self.fetch.fetch().await {
            Ok(fetched) => {
                let keys = fetched.keys.len();
                let pause = schedule::after_success(fetched.max_age, rand::random());
                self.due = Instant::now() + pause;
                self.failures = 0;
                self.status
                    .send_modify(|status| status.succeed(fetched.keys));
                self.log_success(keys);
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let now = Instant::now();
                let retry = now + schedule::after_failures(self.failures, rand::random());
                // A failure that somebody has wished does not put a fetch off that is due before.
                self.due = match self.due > now {
                    true => self.due.min(retry),
                    false => retry,
                };
                self.status.send_modify(Status::fail);
                self.log_failure(&error);
            }
        }
    }

    fn log_success(&mut self, keys: usize) {
        if self.condition != Condition::Working {
            self.condition = Condition::Working;
            let url = &*self.shown;
            tracing::info!(
                reason = "keys_fetched",
                url,
                keys,
                "the keys of an issuer are fetched again"
            );
        }
    }

    /// One line when it begins to fail, and one when no keys are left.
    fn log_failure(&mut self, error: &FetchError) {
        let has_keys = self.status.borrow().keys().is_ok();
        let condition = Condition::Failing { has_keys };
        if self.condition == condition {
            return;
        }
        self.condition = condition;
        let (url, error) = (&*self.shown, ErrorReport(error));
        match has_keys {
            true => tracing::warn!(
                reason = "keys_failed", url, %error,
                "the keys of an issuer are not fetched: those of before stay in use"
            ),
            false => tracing::error!(
                reason = "keys_failed", url, %error,
                "there are no keys of an issuer: its tokens are not accepted"
            ),
        }
    }
}
