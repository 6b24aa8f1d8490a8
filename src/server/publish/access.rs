//! Who may publish what.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode};

use super::library::{ChannelName, Publish, PublishToken};
use super::refusals::{RefusalCounts, RefusalLines};
use crate::server::api::bearer::{bearer, is_same};
use crate::server::api::definition::{Api, BodyUse, Endpoint};
use crate::server::api::response::{Refusal, Refused};

/// Access by the settings of the moment; a clone is the same.
#[derive(Clone)]
pub(crate) struct Access {
    current: Arc<RwLock<Arc<Current>>>,
    refusals: Arc<RefusalCounts>,
    /// About clients without a token that is known.
    lines: Arc<RefusalLines>,
}

#[derive(Default)]
struct Current {
    publishers: Vec<Arc<Publisher>>,
    message_size: usize,
}

/// The holder of a token. A request keeps its rights until it is answered, whatever a reload changes.
#[derive(Default)]
pub(crate) struct Publisher {
    /// `None` where no token is needed.
    token: Option<PublishToken>,
    lines: RefusalLines,
}

impl Api for Access {
    const NAME: &'static str = "publish";

    /// Publishers keep their connections.
    const LIFETIME: Option<Duration> = None;

    /// As long as the pools of usual clients keep a connection, and longer.
    const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);

    /// A publication takes some microseconds: a pause behind each would cost as much.
    const SLICE: Duration = Duration::from_micros(200);

    type Client = Arc<Publisher>;

    fn body_use(&self, method: &Method, path: &str) -> BodyUse {
        match (method, path) {
            (&Method::POST, "/publish" | "/tickets") => BodyUse::Handler,
            (&Method::POST, _) => BodyUse::Whole(self.message_size()),
            _ => BodyUse::Unread,
        }
    }

    fn is_open(path: &str) -> bool {
        path == "/healthz"
    }

    fn admit(&self, head: &Parts, _endpoint: &Endpoint) -> Result<Arc<Publisher>, Refusal> {
        if Self::is_open(head.uri.path()) {
            return Ok(Arc::default());
        }
        let refuse = |sentence| Err(Refusal::new(StatusCode::UNAUTHORIZED, sentence));
        let Some(given) = bearer(&head.headers) else {
            return refuse("a bearer token is needed");
        };
        let current = self.current();
        // All are compared, so that the time says nothing about which it is.
        let found = current.publishers.iter().fold(None, |found, publisher| {
            match publisher.token.as_ref() {
                Some(token) if is_same(given, &token.token) => Some(publisher),
                _ => found,
            }
        });
        match found {
            Some(publisher) => Ok(Arc::clone(publisher)),
            None => refuse("[publish] has no such token"),
        }
    }

    fn refused(&self, refused: &Refused, client: Option<&Arc<Publisher>>, endpoint: &Endpoint) {
        self.refusals.add(refused.status);
        let (token, lines) = match client {
            Some(publisher) => (publisher.name(), &publisher.lines),
            None => (None, &*self.lines),
        };
        lines.request(token, refused, &endpoint.peer);
    }
}

impl Access {
    /// Nobody has access yet.
    pub(super) fn new(refusals: Arc<RefusalCounts>) -> Self {
        Self {
            current: Arc::default(),
            refusals,
            lines: Arc::default(),
        }
    }

    /// Goes by these settings from now on.
    pub(super) fn apply(&self, settings: Option<&Publish>) {
        let current = settings.map_or_else(Current::default, |settings| Current {
            publishers: settings.tokens.iter().map(Publisher::new).collect(),
            message_size: usize::try_from(settings.message_size).unwrap_or(usize::MAX),
        });
        let mut running = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *running = Arc::new(current);
    }

    /// The most bytes of a publication.
    pub(super) fn message_size(&self) -> usize {
        self.current().message_size
    }

    /// Counts a line of a batch that is refused, and logs it.
    pub(super) fn refused_line(&self, publisher: &Publisher, refused: &Refused) {
        self.refusals.add(refused.status);
        publisher.lines.batch(publisher.name(), refused);
    }

    fn current(&self) -> Arc<Current> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl Publisher {
    fn new(token: &PublishToken) -> Arc<Self> {
        Arc::new(Self {
            token: Some(token.clone()),
            lines: RefusalLines::default(),
        })
    }

    /// The name of its token.
    pub(super) fn name(&self) -> Option<&str> {
        self.token.as_ref().map(|token| &*token.name)
    }

    /// Whether its token takes this channel.
    pub(super) fn takes(&self, channel: &ChannelName) -> bool {
        let patterns = self.token.iter().flat_map(|token| &token.channels);
        patterns.into_iter().any(|pattern| pattern.matches(channel))
    }

    /// Requires that its token takes this channel.
    pub(super) fn require_channel(&self, channel: &ChannelName) -> Result<(), Refusal> {
        match self.takes(channel) {
            true => Ok(()),
            false => Err(self.forbidden("does not take this channel: see its `channels`")),
        }
    }

    /// Requires that its token is for single sessions and subjects.
    pub(super) fn require_direct(&self) -> Result<(), Refusal> {
        match self.token.as_ref().is_some_and(|token| token.direct) {
            true => Ok(()),
            false => {
                Err(self
                    .forbidden("is not for single sessions and subjects: it lacks `direct = true`"))
            }
        }
    }

    /// Requires that its token issues tickets.
    pub(super) fn require_tickets(&self) -> Result<(), Refusal> {
        match self.token.as_ref().is_some_and(|token| token.tickets) {
            true => Ok(()),
            false => Err(self.forbidden("issues no tickets: it lacks `tickets = true`")),
        }
    }

    fn forbidden(&self, problem: &str) -> Refusal {
        let sentence = format!("the token `{}` {problem}", self.name().unwrap_or_default());
        Refusal::new(StatusCode::FORBIDDEN, sentence)
    }
}
