//! An authentication server, which is asked whether a request may come in, and again while its session lives.
//!
//! ```text
//! Handshake ─► Question ─► server ─► 2xx: a Grant ─► recheck │ 401, 403: its answer │ other: 503
//! ```

mod answer;
mod question;
mod recheck;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::answer::{AuthError, Verdict};
use self::question::Question;
use self::recheck::until_refused;
use super::shown_url::shown;
use crate::client::{Client, PlainHttp};
use crate::config::AuthServer;
use crate::error_report::ErrorReport;
use crate::log_throttle::LogThrottle;
use crate::rejection::Rejection;
use crate::request::{Grant, Handshake, Identity, Watch, only};

/// An authentication server. A clone is the same one.
#[derive(Clone)]
pub(super) struct ForwardAuth(Arc<Inner>);

struct Inner {
    settings: Arc<AuthServer>,
    shown: String,
    client: Client,
    /// Places for the questions of handshakes.
    handshakes: Semaphore,
    /// Places for those of sessions: so many sessions do not keep handshakes waiting.
    sessions: Semaphore,
    /// Whether the log says that it fails.
    is_failing: AtomicBool,
    throttle: LogThrottle,
}

/// The questions of one kind that are open at once.
const QUESTIONS: usize = 256;

/// A server that fails now and then has one line of the log in so long.
const LOG_PAUSE: Duration = Duration::from_secs(10);

impl ForwardAuth {
    pub(super) fn new(settings: &Arc<AuthServer>) -> Self {
        Self(Arc::new(Inner {
            shown: shown(&settings.url),
            client: Client {
                tls: settings.tls.clone(),
                plain: PlainHttp::Always,
                timeout: settings.timeout,
                body: answer::body_limit,
            },
            settings: Arc::clone(settings),
            handshakes: Semaphore::new(QUESTIONS),
            sessions: Semaphore::new(QUESTIONS),
            is_failing: AtomicBool::new(false),
            throttle: LogThrottle::one_in(LOG_PAUSE),
        }))
    }

    /// Whether it is the one of these settings.
    pub(super) fn is_of(&self, settings: &AuthServer) -> bool {
        *self.0.settings == *settings
    }

    /// Asks whether this request may come in. The grant has the headers for the upstream, the identity, and what asks
    /// again while the session lives.
    ///
    /// # Errors
    /// [`Rejection::Denied`] if the server refuses it, [`Rejection::AuthUnavailable`] if the server does not decide, and
    /// [`Rejection::Header`] if the request cannot be told to it.
    pub(super) async fn check(&self, handshake: &Handshake) -> Result<Grant, Rejection> {
        let question = Question::about(handshake, &self.0.settings.url, self.replaced())?;
        // It decides by what it knows from now on: what is revoked while it is asked takes this client too.
        let asked = SystemTime::now();
        let answer = match self.0.handshakes.try_acquire() {
            Ok(_place) => self.ask(&question).await,
            Err(_taken) => Err(AuthError::Busy),
        };
        let granted = match answer {
            Ok(Verdict::Allowed(headers)) => self.grant(&headers, asked),
            Ok(Verdict::Refused(denial)) => {
                self.log_answer();
                return Err(denial.into());
            }
            Err(error) => Err(error),
        };
        match granted {
            Ok(grant) => {
                self.log_answer();
                Ok(match self.0.settings.recheck {
                    Some(interval) if handshake.is_websocket() => {
                        grant.watched_by(self.clone().watch(question, interval))
                    }
                    Some(_) | None => grant,
                })
            }
            Err(error) => {
                self.log_failure(&error);
                Err(Rejection::AuthUnavailable)
            }
        }
    }

    /// Asks the question of a handshake again, until the answer is another one.
    fn watch(self, question: Question, interval: Duration) -> Watch {
        Box::new(move || {
            Box::pin(async move {
                let ask = || self.ask_again(&question);
                until_refused(interval, rand::random, ask).await
            })
        })
    }

    /// Asks again for a session, and waits for a place.
    async fn ask_again(&self, question: &Question) -> Result<Verdict, AuthError> {
        let place = timeout(self.0.client.timeout, self.0.sessions.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(AuthError::Busy);
        };
        let answer = self.ask(question).await;
        match &answer {
            Ok(_) => self.log_answer(),
            Err(error) => self.log_failure(error),
        }
        answer
    }

    async fn ask(&self, question: &Question) -> Result<Verdict, AuthError> {
        let answer = self.0.client.send(question.request()).await?;
        Verdict::of(answer)
    }

    /// What a server that lets a request in gives to it, which was `asked` then.
    fn grant(&self, answer: &HeaderMap, asked: SystemTime) -> Result<Grant, AuthError> {
        let mut grant = Grant::new();
        for name in self.replaced() {
            grant = grant.without_header(name.clone());
        }
        for name in &self.0.settings.copy {
            for value in answer.get_all(name) {
                grant = grant.with_header(name.clone(), value.clone());
            }
        }
        let Some(name) = &self.0.settings.subject else {
            return Ok(grant);
        };
        if !answer.contains_key(name) {
            return Ok(grant);
        }
        let subject = only(answer, name).and_then(|value| value.to_str().ok());
        let subject = subject.filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| AuthError::Subject(name.clone()))?;
        let identity = Identity::new(subject).with_issued_at(asked);
        Ok(grant.with_identity(identity))
    }

    /// The headers that are the server's to say: those of the client with these names go nowhere.
    fn replaced(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.settings.copy.iter().chain(&self.0.settings.subject)
    }

    fn log_answer(&self) {
        if self.0.is_failing.swap(false, Ordering::Relaxed) {
            let url = &*self.0.shown;
            tracing::info!(
                reason = "auth_answers",
                url,
                "the authentication server answers again"
            );
        }
    }

    /// One line when it begins to fail.
    fn log_failure(&self, error: &AuthError) {
        if self.0.is_failing.load(Ordering::Relaxed) || !self.0.throttle.allows() {
            return;
        }
        self.0.is_failing.store(true, Ordering::Relaxed);
        let (url, error) = (&*self.0.shown, ErrorReport(error));
        let left_out = self.0.throttle.take_suppressed();
        tracing::error!(
            reason = "auth_unavailable", url, %error, left_out,
            "the authentication server does not decide: requests are refused"
        );
    }
}

/// The query of its URL stays out.
impl fmt::Debug for ForwardAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForwardAuth").field(&self.0.shown).finish()
    }
}

#[cfg(test)]
mod tests;
