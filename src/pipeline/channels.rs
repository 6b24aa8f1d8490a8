//! The channels that a session is in from its start.

use std::sync::Arc;

use super::core::Core;
use crate::channels::{ChannelError, Subscriber};
use crate::config::ChannelName;
use crate::handshake::Agreed;
use crate::request::Handshake;
use crate::session::{SessionEntry, SessionGuard};

/// Has a session join the channels of its route, and those that its upstream names if the route lets it.
pub(super) fn join_channels(
    core: &Core,
    handshake: &Handshake,
    agreed: &Agreed,
    guard: &SessionGuard,
) {
    let entry = guard.entry();
    let rules = &handshake.settings().channels;
    for template in &rules.join {
        // One that is about something that is not known is not for this session.
        if let Some(name) = handshake.channel(template) {
            join(core, entry, &name);
        }
    }
    if !rules.upstream_header {
        return;
    }
    for name in agreed.channels() {
        match name.parse::<ChannelName>() {
            Ok(name) => join(core, entry, &name),
            Err(error) => {
                entry.metadata.mail.counts.join_refused();
                tracing::debug!(session = %entry.id, %error, "the upstream names no channel");
            }
        }
    }
}

fn join(core: &Core, entry: &Arc<SessionEntry>, name: &ChannelName) {
    match core.join(entry, name) {
        // One that is named twice is joined once.
        Ok(_is_new) => {}
        Err(error) => {
            entry.metadata.mail.counts.join_refused();
            tracing::debug!(session = %entry.id, %error, "the session does not join a channel");
        }
    }
}

impl Core {
    /// Has a session join a channel; false if it is a member already.
    pub(crate) fn join(
        &self,
        entry: &Arc<SessionEntry>,
        name: &ChannelName,
    ) -> Result<bool, ChannelError> {
        let member: Arc<dyn Subscriber> = Arc::clone(entry) as _;
        let retain = entry.metadata.mail.route.channels.retain;
        let channels = &self.registry.channels;
        channels.join(&member, entry.membership(), name, retain)
    }
}
