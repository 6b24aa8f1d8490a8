//! What is published, to whom, and what that comes to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::ChannelName;
use crate::types::{Body, SessionName};

/// To whom something is published.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// The members of a channel.
    Channel(ChannelName),
    /// One session.
    Session(SessionName),
    /// Every session of a user.
    Subject {
        /// As [`Identity::subject`](crate::Identity::subject) has it.
        subject: String,
        /// Only where this issuer, by its name in the settings, has issued the token.
        issuer: Option<String>,
    },
}

/// One message, and to whom it goes: [`Handle::publish`](crate::Handle::publish).
///
/// ```
/// use wsgate::{Audience, Publication};
///
/// let room = Audience::Channel("room.42".parse()?);
/// let publication = Publication::new(room, "hello").with_idempotency_key("chat", "message-7");
/// # let _ = publication;
/// # Ok::<(), wsgate::config::ValueError>(())
/// ```
#[derive(Clone)]
pub struct Publication {
    pub(crate) audience: Audience,
    pub(crate) body: Body,
    pub(crate) exclude: Vec<SessionName>,
    /// Of the publisher, and its own.
    pub(crate) key: Option<(Box<str>, Box<str>)>,
}

/// What a publication has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Sessions that it is on its way to.
    pub reached: usize,
    /// Other gates that have got it for their sessions.
    pub gates: usize,
    /// It was published before, with the same key, and is not published again.
    pub repeated: bool,
}

/// Why something is not done for a session, or published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// No gate has given a session this name.
    #[error("there is no such session")]
    UnknownSession,
    /// The session has ended, or its handshake is not over.
    #[error("the session has ended, or is not open yet")]
    SessionGone,
    /// The gate of the session does not answer, or the engine that it is asked through.
    #[error("the gate of the session does not answer")]
    GateUnavailable,
    /// The session is in as many channels as may be.
    #[error("the session is in too many channels")]
    TooManyChannels,
    /// A publication leaves out more sessions than [`Publication::MOST_EXCLUDED`].
    #[error("a publication leaves out 255 sessions at most")]
    TooManyExcluded,
}

/// A channel with members here, or with retained publications: [`Handle::channels`](crate::Handle::channels).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// Its name.
    pub name: ChannelName,
    /// How many sessions are members.
    pub sessions: usize,
    /// How many publications wait for a session that joins.
    pub retained: usize,
}

/// A member of a channel: [`Handle::members`](crate::Handle::members).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberInfo {
    /// The session.
    pub session: SessionName,
    /// The user, if a policy has found out.
    pub subject: Option<String>,
    /// The name of the session's route.
    pub route: Arc<str>,
}

impl Publication {
    /// The sessions that a publication may leave out: so many reach other gates with it.
    pub const MOST_EXCLUDED: usize = 255;

    /// For so long a key is known.
    pub(crate) const KEY_LIFETIME: Duration = Duration::from_secs(5 * 60);

    /// A publication of a text (`&str`, `String`, [`Utf8Bytes`](crate::Utf8Bytes)) or of bytes.
    pub fn new(audience: Audience, body: impl Into<Body>) -> Self {
        Self {
            audience,
            body: body.into(),
            exclude: Vec::new(),
            key: None,
        }
    }

    /// Leaves a session out: the one that the message came from, say. With more of them than
    /// [`Publication::MOST_EXCLUDED`], nothing is published.
    #[must_use]
    pub fn excluding(mut self, session: SessionName) -> Self {
        // One too many is enough to refuse it.
        if !self.has_too_many_excluded() && !self.exclude.contains(&session) {
            self.exclude.push(session);
        }
        self
    }

    pub(crate) fn has_too_many_excluded(&self) -> bool {
        self.exclude.len() > Self::MOST_EXCLUDED
    }

    /// Publishes it once, however often it comes with this key within five minutes. Keys of different publishers are
    /// different keys. A gate knows the last 100,000 keys; with `[shared]` each gate knows those of the others too, as long as
    /// the engine is there.
    #[must_use]
    pub fn with_idempotency_key(
        mut self,
        publisher: impl Into<String>,
        key: impl Into<String>,
    ) -> Self {
        self.key = Some((publisher.into().into(), key.into().into()));
        self
    }
}

/// The subject stays out: it is personal data.
impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name) => f.debug_tuple("Channel").field(name).finish(),
            Self::Session(name) => f.debug_tuple("Session").field(name).finish(),
            Self::Subject { issuer, .. } => f
                .debug_struct("Subject")
                .field("issuer", issuer)
                .finish_non_exhaustive(),
        }
    }
}

/// The message stays out.
impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("audience", &self.audience)
            .field("exclude", &self.exclude)
            .finish_non_exhaustive()
    }
}

/// The subject stays out: it is personal data.
impl fmt::Debug for MemberInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberInfo")
            .field("session", &self.session)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
