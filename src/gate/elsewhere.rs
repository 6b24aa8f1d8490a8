//! What other gates publish to this one, and ask of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::channels::{ChannelError, Delivery, Earlier, MemberInfo, PublicationId};
use crate::close::CloseCode;
use crate::config::ChannelName;
use crate::pipeline::Core;
use crate::session::Revocation;
use crate::shared::{Answer, Base64, Envelope, Member, Question, Receiver};
use crate::types::SessionName;

impl Receiver for Core {
    fn published(&self, channel: &ChannelName, envelope: Envelope) {
        let delivery = Delivery::new(Some(channel.clone()), &envelope.body);
        let retain = self.settings().config.retain_of(channel);
        let channels = &self.registry.channels;
        channels.publish(channel, envelope.id, &delivery, retain, &envelope.exclude);
    }

    fn answer(&self, question: Question) -> Answer {
        self.answer_known(question).unwrap_or(Answer::Unknown)
    }

    fn retain_of(&self, channel: &ChannelName) -> usize {
        self.settings().config.retain_of(channel)
    }

    fn begin_catch_up(&self, channel: &ChannelName) {
        self.registry.channels.begin_catch_up(channel);
    }

    fn catch_up(&self, channel: &ChannelName, elsewhere: Option<&[Earlier]>) {
        let retain = self.retain_of(channel);
        self.registry.channels.catch_up(channel, elsewhere, retain);
    }

    fn note_only_here(&self, channel: &ChannelName, id: PublicationId) {
        self.registry.channels.note_only_here(channel, id);
    }

    fn members(&self) -> Vec<(ChannelName, usize)> {
        let channels = self.registry.channels.list(|_| true).into_iter();
        let counts = channels.map(|channel| channel.summary());
        let counts = counts.filter(|channel| channel.sessions > 0);
        counts
            .map(|channel| (channel.name, channel.sessions))
            .collect()
    }
}

impl Core {
    /// Answers a question; `None` where what it names has no right form.
    fn answer_known(&self, question: Question) -> Option<Answer> {
        Some(match question {
            Question::Members {
                channel,
                after,
                most,
            } => {
                let after = match after {
                    Some(after) => Some(after.parse().ok()?),
                    None => None,
                };
                self.answer_members(&channel.parse().ok()?, after, most)
            }
            Question::Close {
                channel,
                code,
                reason,
            } => {
                let code = CloseCode::new(code)?;
                Answer::Count(self.close_channel_here(&channel.parse().ok()?, code, &reason))
            }
            Question::Join { session, channel } => {
                let (session, channel) = (session.parse().ok()?, channel.parse().ok()?);
                let joined = self.find_session(session);
                changed(joined.and_then(|entry| self.join(&entry, &channel)))
            }
            Question::Leave { session, channel } => {
                let session = session.parse().ok()?;
                changed(self.leave_here(session, &channel.parse().ok()?))
            }
            Question::Send {
                session,
                publication,
            } => {
                let envelope = read(&publication)?;
                match self.send_here(session.parse().ok()?, &envelope) {
                    Ok(reached) => Answer::Count(reached),
                    Err(error) => not_done(error),
                }
            }
            Question::SendSubject {
                subject,
                issuer,
                publication,
            } => {
                let envelope = read(&publication)?;
                Answer::Count(self.send_to_subject_here(&subject, issuer.as_deref(), &envelope))
            }
            Question::Forget { channel } => {
                let channel = channel.parse().ok()?;
                Answer::Count(self.registry.channels.forget_retained(&channel))
            }
            Question::Revoke {
                kind,
                issuer,
                value,
                issued_until,
            } => {
                let moment = issued_until.map(Duration::from_millis);
                let moment = match moment {
                    Some(since) => Some(SystemTime::UNIX_EPOCH.checked_add(since)?),
                    None => None,
                };
                let revocation = Revocation::read(&kind, issuer, value, moment)?;
                Answer::Count(self.revoke_here(&revocation))
            }
        })
    }

    fn answer_members(
        &self,
        channel: &ChannelName,
        after: Option<SessionName>,
        most: usize,
    ) -> Answer {
        let mut members = self.members_here(channel);
        let total = members.len();
        members.retain(|member| after.is_none_or(|after| member.session > after));
        members.truncate(most);
        let first = members.into_iter().map(|member| Member {
            session: member.session.to_string(),
            subject: member.subject,
            route: member.route.to_string(),
        });
        Answer::Members {
            total,
            first: first.collect(),
        }
    }
}

/// A member of another gate; `None` where its name has no right form.
pub(super) fn member(member: Member) -> Option<MemberInfo> {
    Some(MemberInfo {
        session: member.session.parse().ok()?,
        subject: member.subject,
        route: Arc::from(member.route),
    })
}

/// A publication for a question.
pub(super) fn written(envelope: &Envelope) -> Base64 {
    Base64::of(&envelope.encode())
}

fn read(publication: &Base64) -> Option<Envelope> {
    Envelope::decode(publication.bytes()?)
}

fn changed(changed: Result<bool, ChannelError>) -> Answer {
    match changed {
        Ok(changed) => Answer::Changed(changed),
        Err(error) => not_done(error),
    }
}

fn not_done(error: ChannelError) -> Answer {
    match error {
        ChannelError::UnknownSession => Answer::NoSession,
        ChannelError::TooManyChannels => Answer::TooMany,
        _ => Answer::Gone,
    }
}
