//! What a backend does with channels: publishes, and decides who is in them.

use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::handle::Handle;
use crate::channels::{
    Audience, ChannelError, ChannelInfo, Claim, Delivery, MemberInfo, Publication, Published,
    Repeat,
};
use crate::close::{CloseCode, CloseReason};
use crate::config::ChannelName;
use crate::pipeline::Core;
use crate::request::Identity;
use crate::session::SessionEntry;
use crate::types::SessionName;

impl Handle {
    /// Publishes a message. It is encoded once, and goes to each session between two messages of its upstream.
    ///
    /// All members of a channel get its publications in one order, and those of one publisher in the order of the calls,
    /// each of which waits for the one before. It does not wait for clients: `route.channels.queue` bounds what waits for
    /// one of them.
    ///
    /// # Errors
    /// [`ChannelError`] if it is for one session, and that is not open.
    pub async fn publish(&self, publication: Publication) -> Result<Published, ChannelError> {
        let core = self.core();
        let Some((publisher, key)) = &publication.key else {
            let published = core.publish(&publication).await;
            // Many publications in a row let the sessions of this thread write meanwhile.
            yield_now().await;
            return published;
        };
        let known = core.repeats.look(&(publisher, key), Instant::now());
        let claim = match known {
            Repeat::First(claim) => claim,
            Repeat::Known(before) => {
                let before = before.unwrap_or_default();
                return Ok(Published {
                    repeated: true,
                    ..before
                });
            }
        };
        // Dropped without a result, it gives the key up.
        let claimed = Claimed {
            core,
            claim: Some(claim),
        };
        let published = core.publish(&publication).await?;
        claimed.settle(published);
        yield_now().await;
        Ok(published)
    }

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
        let entry = core.find_session(session)?;
        core.join(&entry, channel)
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
        let entry = core.find_session(session)?;
        let membership = entry.channels();
        let channels = &core.registry.channels;
        Ok(membership.is_some_and(|membership| channels.leave(entry.id, membership, channel)))
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

    /// The sessions of this gate that are in a channel, the oldest first.
    pub fn members(&self, channel: &ChannelName) -> Vec<MemberInfo> {
        let core = self.core();
        let members = core.registry.channels.members_of(channel).into_iter();
        let entries = members.filter_map(|member| core.registry.find(member.name().id()));
        let mut members: Vec<_> = entries.map(|entry| member_of(&entry)).collect();
        members.sort_unstable_by_key(|member| member.session);
        members
    }

    /// Closes every session that is in a channel, and returns how many there are: each client gets this code and reason
    /// (cut at 123 bytes), each upstream 1001.
    pub fn close_channel(&self, channel: &ChannelName, code: CloseCode, reason: &str) -> usize {
        let core = self.core();
        let members = core.registry.channels.members_of(channel);
        let entries = members
            .iter()
            .filter_map(|member| core.registry.find(member.name().id()));
        let closed = entries.inspect(|entry| {
            entry.request_close(CloseReason::Kicked {
                code,
                reason: reason.into(),
            });
        });
        closed.count()
    }

    /// Lets go of what a channel retains, and returns how many publications that was.
    pub fn forget_retained(&self, channel: &ChannelName) -> usize {
        self.core().registry.channels.forget_retained(channel)
    }
}

impl Core {
    async fn publish(&self, publication: &Publication) -> Result<Published, ChannelError> {
        let Publication {
            audience,
            body,
            exclude,
            key: _,
        } = publication;
        let reached = match audience {
            Audience::Channel(name) => {
                let delivery = Delivery::new(Some(name.clone()), body);
                let retain = self.settings().config.retain_of(name);
                let channels = &self.registry.channels;
                channels.publish(
                    name,
                    self.publications.next(self.registry.node),
                    &delivery,
                    retain,
                    exclude,
                )
            }
            Audience::Session(session) => {
                let entry = self.find_session(*session)?;
                let delivery = Delivery::new(None, body);
                match exclude.contains(session) {
                    true => 0,
                    false => usize::from(self.registry.channels.send(&*entry, &delivery)),
                }
            }
            Audience::Subject { subject, issuer } => {
                let delivery = Delivery::new(None, body);
                let is_theirs = |identity: &Identity| {
                    !subject.is_empty()
                        && identity.subject() == subject
                        && (issuer.is_none() || identity.issuer() == issuer.as_deref())
                };
                let entries = self.registry.list().into_iter().filter(|entry| {
                    let identity = entry.metadata.identity.as_deref();
                    identity.is_some_and(is_theirs) && !exclude.contains(&entry.name)
                });
                let channels = &self.registry.channels;
                let reached = entries.filter(|entry| channels.send(&**entry, &delivery));
                reached.count()
            }
        };
        self.publications.add(audience);
        Ok(Published {
            reached,
            ..Published::default()
        })
    }

    fn find_session(&self, name: SessionName) -> Result<Arc<SessionEntry>, ChannelError> {
        if name.node() != self.registry.node || !name.id().was_given() {
            return Err(ChannelError::UnknownSession);
        }
        let entry = self.registry.find(name.id());
        entry.ok_or(ChannelError::SessionGone)
    }
}

/// A key that is being published under.
struct Claimed<'a> {
    core: &'a Core,
    claim: Option<Claim>,
}

impl Claimed<'_> {
    fn settle(mut self, published: Published) {
        if let Some(claim) = self.claim.take() {
            self.core.repeats.settle(claim, published);
        }
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.core.repeats.give_up(claim);
        }
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
