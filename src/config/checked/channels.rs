//! The channels of a route's sessions.

use crate::config::settings::{ChannelSettings, OnSlow};
use crate::config::values::ChannelTemplate;
use crate::config::values::channel_name::ChannelName;

/// The channels of a route's sessions, and what waits for one of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChannelRules {
    /// The channels that a session is in from its start.
    pub(crate) join: Vec<ChannelTemplate>,
    /// Whether the upstream's answer to the handshake may name more of them.
    pub(crate) upstream_header: bool,
    /// The bytes that wait for one session at most; one publication always may.
    pub(crate) queue: usize,
    pub(crate) on_slow: OnSlow,
    /// The last publications of a channel that a session gets when it joins.
    pub(crate) retain: usize,
}

impl ChannelRules {
    /// The rules of settings whose templates have been parsed.
    pub(in crate::config) fn new(settings: &ChannelSettings, join: Vec<ChannelTemplate>) -> Self {
        Self {
            join,
            upstream_header: settings.upstream_header,
            queue: usize::try_from(settings.queue).unwrap_or(usize::MAX),
            on_slow: settings.on_slow,
            retain: settings.retain,
        }
    }
}

impl ChannelRules {
    /// Whether some session joins this channel by these rules.
    pub(crate) fn may_join(&self, channel: &ChannelName) -> bool {
        let mut templates = self.join.iter();
        self.upstream_header || templates.any(|template| template.may_make(channel))
    }

    /// Whether the path of a request decides which channels its session joins.
    pub(crate) fn use_path(&self) -> bool {
        self.join.iter().any(ChannelTemplate::uses_path)
    }
}

impl Default for ChannelRules {
    fn default() -> Self {
        Self::new(&ChannelSettings::default(), Vec::new())
    }
}
