//! What a backend publishes.

use std::sync::Arc;

use tokio::task::yield_now;

use super::elsewhere::written;
use super::handle::Handle;
use crate::channels::{Audience, ChannelError, Claim, Delivery, Publication, Published, Repeat};
use crate::config::ChannelName;
use crate::pipeline::Core;
use crate::request::Identity;
use crate::session::SessionEntry;
use crate::shared::{Answer, Answers, Envelope, NoAnswer, Question, SharedRepeat};
use crate::types::SessionName;

impl Handle {
    /// Publishes a message. It is encoded once, and goes to each session between two messages of its upstream.
    ///
    /// All members of a channel get its publications in one order, and those of one publisher in the order of the calls,
    /// each of which waits for the one before. It does not wait for clients: `route.channels.queue` bounds what waits for
    /// one of them.
    ///
    /// With a key it is made once, also if the caller does not wait for the end; then the rest is a task of the gate's, in the
    /// tokio runtime of this call.
    ///
    /// # Errors
    /// [`ChannelError`] if it is for one session, and that is not open, or if it leaves out too many sessions.
    pub async fn publish(&self, publication: Publication) -> Result<Published, ChannelError> {
        let core = self.core();
        if publication.has_too_many_excluded() {
            return Err(ChannelError::TooManyExcluded);
        }
        let published = match &publication.key {
            None => core.publish(&publication).await,
            Some((publisher, key)) => match core.repeats.claim(&(publisher, key)).await {
                Repeat::First(claim) => Claimed::new(core, claim).publish(publication).await,
                Repeat::Known(before) => Ok(Published {
                    repeated: true,
                    ..before
                }),
            },
        };
        // Many publications in a row let the sessions of this thread write meanwhile.
        yield_now().await;
        published
    }
}

impl Core {
    async fn publish(&self, publication: &Publication) -> Result<Published, ChannelError> {
        let envelope = Envelope {
            id: self.publications.next(self.registry.node),
            body: publication.body.clone(),
            exclude: publication.exclude.clone(),
        };
        let published = match &publication.audience {
            Audience::Channel(channel) => self.publish_to_channel(channel, &envelope).await,
            Audience::Session(session) => self.publish_to_session(*session, &envelope).await?,
            Audience::Subject { subject, issuer } => {
                let issuer = issuer.as_deref();
                self.publish_to_subject(subject, issuer, &envelope).await
            }
        };
        self.publications.add(&publication.audience);
        Ok(published)
    }

    async fn publish_to_channel(&self, channel: &ChannelName, envelope: &Envelope) -> Published {
        let delivery = Delivery::new(Some(channel.clone()), &envelope.body);
        let retain = self.settings().config.retain_of(channel);
        let channels = &self.registry.channels;
        let here = channels.publish(channel, envelope.id, &delivery, retain, &envelope.exclude);
        let elsewhere = self.shared.publish(channel, envelope, retain).await;
        Published {
            reached: here + elsewhere.sessions,
            gates: elsewhere.gates,
            repeated: false,
        }
    }

    async fn publish_to_session(
        &self,
        session: SessionName,
        envelope: &Envelope,
    ) -> Result<Published, ChannelError> {
        let mut published = Published::default();
        if session.node() == self.registry.node {
            published.reached = self.send_here(session, envelope)?;
            return Ok(published);
        }
        let question = Question::Send {
            session: session.to_string(),
            publication: written(envelope),
        };
        match self.ask_about(session, question).await? {
            Answer::Count(reached) => {
                (published.reached, published.gates) = (reached, 1);
                Ok(published)
            }
            _ => Err(ChannelError::SessionGone),
        }
    }

    async fn publish_to_subject(
        &self,
        subject: &str,
        issuer: Option<&str>,
        envelope: &Envelope,
    ) -> Published {
        let mut published = Published {
            reached: self.send_to_subject_here(subject, issuer, envelope),
            ..Published::default()
        };
        if self.shared.is_used() {
            let question = Question::SendSubject {
                subject: subject.to_owned(),
                issuer: issuer.map(str::to_owned),
                publication: written(envelope),
            };
            for count in counts(&self.shared.ask_all(question).await) {
                published.reached += count;
                published.gates += usize::from(count > 0);
            }
        }
        published
    }

    /// Gives a publication to a session of this gate, unless it is left out.
    pub(super) fn send_here(
        &self,
        session: SessionName,
        envelope: &Envelope,
    ) -> Result<usize, ChannelError> {
        let entry = self.find_session(session)?;
        if envelope.exclude.contains(&session) {
            return Ok(0);
        }
        let delivery = Delivery::new(None, &envelope.body);
        Ok(self.registry.channels.send(&*entry, &delivery).into())
    }

    /// Gives a publication to the sessions of a user on this gate.
    pub(super) fn send_to_subject_here(
        &self,
        subject: &str,
        issuer: Option<&str>,
        envelope: &Envelope,
    ) -> usize {
        let delivery = Delivery::new(None, &envelope.body);
        let is_theirs = |identity: &Identity| {
            !subject.is_empty()
                && identity.subject() == subject
                && (issuer.is_none() || identity.issuer() == issuer)
        };
        let entries = self.registry.list().into_iter().filter(|entry| {
            let identity = entry.metadata.identity.as_deref();
            identity.is_some_and(is_theirs) && !envelope.exclude.contains(&entry.name)
        });
        let channels = &self.registry.channels;
        entries
            .filter(|entry| channels.send(&**entry, &delivery))
            .count()
    }

    /// Asks the gate of a session.
    pub(super) async fn ask_about(
        &self,
        session: SessionName,
        question: Question,
    ) -> Result<Answer, ChannelError> {
        let asked = self.shared.ask(session.node(), question).await;
        asked.map_err(|error| match error {
            NoAnswer::NoGate => ChannelError::UnknownSession,
            NoAnswer::Late => ChannelError::GateUnavailable,
        })
    }

    /// A session of this gate.
    pub(super) fn find_session(
        &self,
        name: SessionName,
    ) -> Result<Arc<SessionEntry>, ChannelError> {
        if name.node() != self.registry.node || !name.id().was_given() {
            return Err(ChannelError::UnknownSession);
        }
        let entry = self.registry.find(name.id());
        entry.ok_or(ChannelError::SessionGone)
    }
}

/// The counts among answers.
pub(super) fn counts(answers: &Answers) -> impl Iterator<Item = usize> {
    answers.answers.iter().filter_map(|answer| match answer {
        Answer::Count(count) => Some(*count),
        _ => None,
    })
}

/// A key that is being published under. Dropped without a result, it gives the key up.
struct Claimed {
    core: Arc<Core>,
    claim: Option<Claim>,
}

impl Claimed {
    fn new(core: &Arc<Core>, claim: Claim) -> Self {
        Self {
            core: Arc::clone(core),
            claim: Some(claim),
        }
    }

    /// Publishes, and keeps the key if that succeeds.
    async fn publish(self, publication: Publication) -> Result<Published, ChannelError> {
        // Without other gates nothing is waited for.
        if !self.core.shared.is_used() {
            return self.finish(&publication).await;
        }
        // Sessions of this gate get the message before other gates do. A publisher that disconnects in between may repeat it,
        // and the repetition must not reach these sessions again.
        let core = Arc::clone(&self.core);
        let rest = async move { self.finish(&publication).await };
        let published = core.registry.tasks.spawn(rest).await;
        // It ends without a result only with the runtime.
        published.unwrap_or(Err(ChannelError::GateUnavailable))
    }

    async fn finish(mut self, publication: &Publication) -> Result<Published, ChannelError> {
        let published = self.publish_once(publication).await?;
        if let Some(claim) = self.claim.take() {
            let first = Published {
                repeated: false,
                ..published
            };
            self.core.repeats.settle(claim, first);
        }
        Ok(published)
    }

    /// Publishes, unless another gate has published under the key.
    async fn publish_once(&self, publication: &Publication) -> Result<Published, ChannelError> {
        let claimed = match &publication.key {
            Some((publisher, key)) => self.core.shared.claim_key(publisher, key).await,
            None => None,
        };
        let claim = match claimed {
            Some(SharedRepeat::Known(before)) => {
                return Ok(Published {
                    repeated: true,
                    ..before
                });
            }
            Some(SharedRepeat::First(claim)) => Some(claim),
            None => None,
        };
        let published = self.core.publish(publication).await;
        if let Some(claim) = claim {
            claim.end(published.as_ref().ok()).await;
        }
        published
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.core.repeats.give_up(claim);
        }
    }
}
