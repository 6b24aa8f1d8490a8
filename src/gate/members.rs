//! Who is in a channel, and who decides that.

use std::sync::Arc;

use super::elsewhere::member;
use super::handle::Handle;
use super::publish::counts;
use crate::channels::{ChannelError, ChannelInfo, MemberInfo};
use crate::close::{CloseCode, CloseReason};
use crate::config::ChannelName;
use crate::pipeline::Core;
use crate::request::Identity;
use crate::session::SessionEntry;
use crate::shared::{Answer, Question};
use crate::types::SessionName;

/// Some of the members of a channel: [`Handle::members`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberPage {
    /// In the order of their names.
    pub members: Vec<MemberInfo>,
    /// How many members the channel has in all.
    pub total: usize,
    /// Whether there are more behind these.
    pub has_more: bool,
    /// Other gates that have not answered in time: their members are missing.
    pub missing_gates: usize,
}

/// What was done on all gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reached {
    /// The sessions, or publications, that it was done to.
    pub count: usize,
    /// Other gates that have not answered in time.
    pub missing_gates: usize,
}

impl Handle {
    /// Makes a session a member of a channel, and sends it what the channel retains. False if it is one already.
    ///
    /// # Errors
    /// [`ChannelError`] if the session is not open, or is in 128 channels.
    pub async fn join(
        &self,
        session: SessionName,
        channel: &ChannelName,
    ) -> Result<bool, ChannelError> {
        let core = self.core();
        if session.node() == core.registry.node {
            let entry = core.find_session(session)?;
            return core.join(&entry, channel);
        }
        let question = Question::Join {
            session: session.to_string(),
            channel: channel.to_string(),
        };
        changed(core.ask_about(session, question).await?)
    }

    /// Takes a session out of a channel. False if it is no member.
    ///
    /// # Errors
    /// [`ChannelError`] if the session is not open.
    pub async fn leave(
        &self,
        session: SessionName,
        channel: &ChannelName,
    ) -> Result<bool, ChannelError> {
        let core = self.core();
        if session.node() == core.registry.node {
            return core.leave_here(session, channel);
        }
        let question = Question::Leave {
            session: session.to_string(),
            channel: channel.to_string(),
        };
        changed(core.ask_about(session, question).await?)
    }

    /// The channels of this gate that `takes` takes, in the order of their names.
    pub fn channels(&self, takes: impl Fn(&ChannelName) -> bool) -> Vec<ChannelInfo> {
        let channels = self.core().registry.channels.list(takes);
        let mut channels: Vec<_> = channels
            .into_iter()
            .map(|channel| channel.summary())
            .collect();
        channels.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        channels
    }

    /// The sessions in a channel, on all gates, a page at a time: the first `most` of those behind `after`, in the order
    /// of their names.
    pub async fn members(
        &self,
        channel: &ChannelName,
        after: Option<SessionName>,
        most: usize,
    ) -> MemberPage {
        let core = self.core();
        let mut members = core.members_here(channel);
        let mut page = MemberPage {
            total: members.len(),
            ..MemberPage::default()
        };
        if core.shared.is_used() {
            let question = Question::Members {
                channel: channel.to_string(),
                after: after.map(|after| after.to_string()),
                // One more tells whether there are more.
                most: most.saturating_add(1),
            };
            let answers = core.shared.ask_all(question).await;
            page.missing_gates = answers.missing;
            for answer in answers.answers {
                if let Answer::Members { total, first } = answer {
                    page.total = page.total.saturating_add(total);
                    members.extend(first.into_iter().filter_map(member));
                }
            }
        }
        members.retain(|member| after.is_none_or(|after| member.session > after));
        members.sort_unstable_by_key(|member| member.session);
        page.has_more = members.len() > most;
        members.truncate(most);
        page.members = members;
        page
    }

    /// Closes every session that is in a channel, on all gates: each client gets this code and reason (cut at 123 bytes),
    /// each upstream 1001.
    pub async fn close_channel(
        &self,
        channel: &ChannelName,
        code: CloseCode,
        reason: &str,
    ) -> Reached {
        let core = self.core();
        let here = core.close_channel_here(channel, code, reason);
        let question = || Question::Close {
            channel: channel.to_string(),
            code: code.get(),
            reason: reason.to_owned(),
        };
        core.also_elsewhere(here, question).await
    }

    /// Lets go of what a channel retains, on all gates, and returns how many publications that was where it was most.
    pub async fn forget_retained(&self, channel: &ChannelName) -> usize {
        let core = self.core();
        let here = core.registry.channels.forget_retained(channel);
        if !core.shared.is_used() {
            return here;
        }
        core.shared.forget_retained(channel).await;
        let question = Question::Forget {
            channel: channel.to_string(),
        };
        let answers = core.shared.ask_all(question).await;
        counts(&answers).fold(here, usize::max)
    }
}

impl Core {
    pub(super) fn leave_here(
        &self,
        session: SessionName,
        channel: &ChannelName,
    ) -> Result<bool, ChannelError> {
        let entry = self.find_session(session)?;
        let membership = entry.channels();
        let channels = &self.registry.channels;
        Ok(membership.is_some_and(|membership| channels.leave(entry.id, membership, channel)))
    }

    /// The sessions of this gate that are in a channel, the oldest first.
    pub(super) fn members_here(&self, channel: &ChannelName) -> Vec<MemberInfo> {
        let entries = self.entries_in(channel);
        let mut members: Vec<_> = entries.map(|entry| member_of(&entry)).collect();
        members.sort_unstable_by_key(|member| member.session);
        members
    }

    /// Closes the sessions of this gate that are in a channel, and returns how many there are.
    pub(super) fn close_channel_here(
        &self,
        channel: &ChannelName,
        code: CloseCode,
        reason: &str,
    ) -> usize {
        let entries = self.entries_in(channel).inspect(|entry| {
            entry.request_close(CloseReason::Kicked {
                code,
                reason: reason.into(),
            });
        });
        entries.count()
    }

    fn entries_in(&self, channel: &ChannelName) -> impl Iterator<Item = Arc<SessionEntry>> {
        let members = self.registry.channels.members_of(channel).into_iter();
        members.filter_map(|member| self.registry.find(member.name().id()))
    }

    /// Has other gates do the same, and adds up what it was done to.
    async fn also_elsewhere(&self, here: usize, question: impl FnOnce() -> Question) -> Reached {
        if !self.shared.is_used() {
            return Reached {
                count: here,
                missing_gates: 0,
            };
        }
        let answers = self.shared.ask_all(question()).await;
        Reached {
            count: counts(&answers).fold(here, usize::saturating_add),
            missing_gates: answers.missing,
        }
    }
}

fn changed(answer: Answer) -> Result<bool, ChannelError> {
    match answer {
        Answer::Changed(changed) => Ok(changed),
        Answer::TooMany => Err(ChannelError::TooManyChannels),
        _ => Err(ChannelError::SessionGone),
    }
}

fn member_of(entry: &SessionEntry) -> MemberInfo {
    let identity = entry.metadata.identity.as_deref();
    let subject = identity.map(Identity::subject);
    MemberInfo {
        session: entry.name,
        subject: subject
            .filter(|subject| !subject.is_empty())
            .map(str::to_owned),
        route: Arc::clone(&entry.metadata.route),
    }
}
