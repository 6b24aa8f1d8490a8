//! Keeps one order: shows what is stored, orders what is missing, and renews in time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::authority::{Authority, Issued, blocking};
use super::error::OrderError;
use super::plan::{QUESTION, Suggestion, question_after};
use super::retry;
use super::state::{NewCertificate, State, StateError, StoredCertificate};
use super::status::date;
use crate::config::AcmeOrder;
use crate::error_report::ErrorReport;

/// What becomes of one order.
pub(super) struct Keeper<A> {
    order: AcmeOrder,
    state: Arc<State>,
    authority: A,
    chances: Chances,
    /// Notified to try a failed order again at once.
    try_again: Arc<Notify>,
    /// What is shown, if it is of the order.
    stored: Option<StoredCertificate>,
    suggestion: Option<Suggestion>,
    /// When the authority is asked for its suggestion.
    question_at: SystemTime,
    /// Failed orders in a row.
    failures: u32,
    /// No order before this.
    not_before: Option<NotBefore>,
}

/// The clock, and a number from 0 to 1 by chance.
pub(super) struct Chances {
    pub(super) now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    pub(super) random: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// A time before which nothing is ordered.
#[derive(Clone, Copy)]
struct NotBefore {
    at: SystemTime,
    /// Whether the authority has asked for it.
    is_asked: bool,
}

/// The clock is looked at so often at least: it may be set, and a machine may sleep.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// The pause while another process orders.
const LOCKED: Duration = Duration::from_secs(10);

impl<A: Authority> Keeper<A> {
    /// Shows what `stored` is.
    pub(super) fn new(
        order: AcmeOrder,
        state: Arc<State>,
        authority: A,
        chances: Chances,
        stored: Option<StoredCertificate>,
    ) -> Self {
        let mut keeper = Self {
            order,
            state,
            authority,
            chances,
            try_again: Arc::default(),
            stored: None,
            suggestion: None,
            question_at: SystemTime::UNIX_EPOCH,
            failures: 0,
            not_before: None,
        };
        if let Some(stored) = stored {
            keeper.show(stored);
        }
        keeper
    }

    pub(super) fn try_again(&self) -> Arc<Notify> {
        Arc::clone(&self.try_again)
    }

    pub(super) async fn keep(mut self) -> Infallible {
        loop {
            if self.stored.is_some() && self.question_at <= self.now() {
                self.ask().await;
            }
            if self.due() <= self.now() {
                self.renew().await;
            }
            let next = match &self.stored {
                Some(_) => self.due().min(self.question_at),
                None => self.due(),
            };
            let pause = next.duration_since(self.now()).unwrap_or_default();
            tokio::select! {
                () = sleep(pause.min(LOOK)) => {}
                () = self.try_again.notified() => {
                    self.not_before = self.not_before.filter(|not_before| not_before.is_asked);
                }
            }
        }
    }

    fn now(&self) -> SystemTime {
        (self.chances.now)()
    }

    fn random(&self) -> f64 {
        (self.chances.random)()
    }

    /// When the next order is due; now if there is no certificate.
    fn due(&self) -> SystemTime {
        let wanted = match &self.stored {
            Some(stored) => stored.lifetime().renewed_at(self.suggestion),
            None => SystemTime::UNIX_EPOCH,
        };
        let not_before = self.not_before.map(|not_before| not_before.at);
        wanted.max(not_before.unwrap_or(wanted))
    }

    /// Asks the authority when it wants the certificate to be renewed.
    async fn ask(&mut self) {
        let Some(stored) = &self.stored else {
            return;
        };
        let answer = self.authority.renewal(stored).await;
        let (suggestion, pause) = match answer {
            Ok(Some((window, pause))) => {
                let suggestion = Suggestion::new(window, self.suggestion, self.random());
                (Some(suggestion), question_after(pause))
            }
            Ok(None) => (None, QUESTION),
            Err(error) => {
                let acme = &*self.order.name;
                tracing::debug!(acme, error = %ErrorReport(&error), "no suggestion when to renew");
                (self.suggestion, QUESTION)
            }
        };
        self.suggestion = suggestion;
        self.question_at = self.now() + pause;
    }

    /// Orders a certificate, unless another process has done it or is about to.
    async fn renew(&mut self) {
        let lock = match blocking(&self.state, State::lock).await {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                let acme = &*self.order.name;
                tracing::debug!(acme, "another process orders the certificate");
                return self.wait(LOCKED);
            }
            Err(error) => return self.failed(&error.into()),
        };
        if self.is_renewed_by_another().await {
            return;
        }
        match self.authority.order(self.stored.as_ref()).await {
            Ok(issued) => match self.take(issued).await {
                Ok(()) => {}
                Err(error) => self.failed(&error),
            },
            Err(error) => self.failed(&error),
        }
        drop(lock);
    }

    /// Whether the folder has a certificate that needs no order: it is shown then.
    async fn is_renewed_by_another(&mut self) -> bool {
        let Ok(Some(found)) = blocking(&self.state, State::certificate).await else {
            return false;
        };
        let is_newer = match &self.stored {
            Some(stored) => found.certificate != stored.certificate,
            None => true,
        };
        let is_enough = found.is_of(&self.order) && found.lifetime().renewed_at(None) > self.now();
        if is_newer && is_enough {
            self.show(found);
        }
        is_newer && is_enough
    }

    /// Shows a new certificate, and stores it.
    async fn take(&mut self, issued: Issued) -> Result<(), OrderError> {
        let new = NewCertificate::new(&self.order, &issued.chain, &issued.key);
        let stored = new.read(self.now()).map_err(OrderError::Certificate)?;
        let not_after = stored.certificate.facts().not_after;
        self.show(stored);
        let (acme, names) = (&*self.order.name, self.order.names.join(", "));
        tracing::info!(
            reason = "acme_ordered",
            acme,
            names,
            expires = date(not_after),
            "certificate ordered"
        );
        let kept = blocking(&self.state, move |state| state.store_certificate(&new)).await;
        if let Err(error) = kept {
            tracing::error!(
                reason = "acme_not_stored",
                acme,
                error = %ErrorReport(&error),
                help = error.help(),
                "the certificate is shown, and is lost at the next start"
            );
        }
        Ok(())
    }

    /// Shows a certificate to clients from now on.
    fn show(&mut self, stored: StoredCertificate) {
        self.order.certificate.show(stored.certificate.clone());
        if stored.is_of(&self.order) {
            self.stored = Some(stored);
            self.suggestion = None;
            self.question_at = SystemTime::UNIX_EPOCH;
            self.failures = 0;
            self.not_before = None;
        }
    }

    fn wait(&mut self, pause: Duration) {
        self.not_before = Some(NotBefore {
            at: self.now() + pause,
            is_asked: false,
        });
    }

    /// One line of the log, and a pause.
    fn failed(&mut self, error: &OrderError) {
        self.failures = self.failures.saturating_add(1);
        let (now, asked) = (self.now(), self.authority.take_retry_after());
        let pause = retry::pause(self.failures, self.random(), now, asked);
        self.wait(pause);
        if let Some(not_before) = &mut self.not_before {
            not_before.is_asked = asked.is_some_and(|asked| asked > now);
        }
        let shown = self.order.certificate.facts();
        let shown = shown.map(|facts| facts.not_after);
        let (acme, names) = (&*self.order.name, self.order.names.join(", "));
        let (error, help) = (ErrorReport(error), error.help());
        let (retry_in, expires) = (format!("{}s", pause.as_secs()), shown.map(date));
        if shown.is_some_and(|not_after| not_after > now) {
            tracing::warn!(
                reason = "acme_failed", acme, names, %error, help, retry_in, expires,
                "certificate not renewed"
            );
        } else {
            tracing::error!(
                reason = "acme_failed", acme, names, %error, help, retry_in, expires,
                "no valid certificate, and none ordered"
            );
        }
    }
}

/// What is stored of an order, where that can be used. A file that somebody has changed leads to a new order.
///
/// # Errors
/// [`StateError`] if the file cannot be read.
pub(super) fn stored(
    order: &AcmeOrder,
    state: &State,
) -> Result<Option<StoredCertificate>, StateError> {
    match state.certificate() {
        Err(error @ StateError::Broken { .. }) => {
            let acme = &*order.name;
            tracing::warn!(
                reason = "acme_state_broken",
                acme,
                error = %ErrorReport(&error),
                "a new certificate is ordered"
            );
            Ok(None)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
