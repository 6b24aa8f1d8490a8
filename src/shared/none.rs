//! What stands for sharing in a build without the feature `shared`.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::exchange::{Answer, Answers, Elsewhere, Envelope, NoAnswer, Question, Receiver};
use super::info::SharedInfo;
use super::parts::SharedParts;
use crate::channels::{Interest, Published};
use crate::config::{ChannelName, Config, Rate};
use crate::limit::{Lender, Limit};
use crate::types::NodeId;

/// Shares nothing: no settings ask for it.
#[derive(Clone, Debug)]
pub(crate) struct Shared;

/// Limits that count over all gates: no settings make them.
#[derive(Clone, Debug)]
pub(crate) struct SharedRates(Infallible);

/// The place of a session among all gates: nobody gives one.
#[derive(Debug)]
pub(crate) struct Lease;

/// What the gates know of the key of a publication.
#[allow(dead_code, reason = "nobody makes it")]
pub(crate) enum SharedRepeat {
    First(SharedClaim),
    Known(Published),
}

/// The right to publish under a key, among all gates: nobody gives it.
pub(crate) struct SharedClaim(Infallible);

/// Who is counted over all gates.
#[derive(Clone, Copy)]
pub(crate) struct Counted;

/// What a handshake needs, of what is shared.
#[allow(dead_code, reason = "nobody reads it")]
pub(crate) struct Wanted<'l> {
    pub(crate) handshakes: Option<Rate>,
    pub(crate) sessions: Option<u32>,
    pub(crate) messages: Option<&'l Limit>,
    pub(crate) bytes: Option<&'l Limit>,
    pub(crate) questions: u32,
}

/// What all gates together say about a handshake.
#[allow(dead_code, reason = "nobody says it")]
pub(crate) enum Verdict {
    Within(Option<Lease>),
    Handshakes { retry_after: Duration },
    Sessions,
    Alone(Option<Lease>),
    Unknown,
}

impl Shared {
    pub(crate) fn new(_gate: NodeId, _config: &Config) -> Self {
        Self
    }

    pub(crate) fn is_used(&self) -> bool {
        false
    }

    pub(crate) fn set_receiver(&self, _receiver: Weak<dyn Receiver>) {}

    pub(crate) fn interest(&self) -> Option<Arc<dyn Interest>> {
        None
    }

    pub(crate) async fn publish(
        &self,
        _channel: &ChannelName,
        _envelope: &Envelope,
        _retain: usize,
    ) -> Elsewhere {
        Elsewhere::default()
    }

    pub(crate) async fn forget_retained(&self, _channel: &ChannelName) {}

    pub(crate) async fn write_presence(&self) {}

    pub(crate) async fn ask_all(&self, _question: Question) -> Answers {
        Answers::default()
    }

    pub(crate) async fn ask(&self, _gate: NodeId, _question: Question) -> Result<Answer, NoAnswer> {
        Err(NoAnswer::NoGate)
    }

    pub(crate) fn tell_all(&self, _question: Question) {}

    #[allow(dead_code, reason = "for the feature `auth`")]
    pub(crate) async fn keep_ticket(
        &self,
        _digest: &str,
        _ticket: &[u8],
        _lifetime: Duration,
    ) -> Result<(), NoAnswer> {
        Err(NoAnswer::NoGate)
    }

    #[allow(dead_code, reason = "for the feature `auth`")]
    pub(crate) async fn take_ticket(&self, _digest: &str) -> Result<Option<Vec<u8>>, NoAnswer> {
        Err(NoAnswer::NoGate)
    }

    pub(crate) async fn claim_key(&self, _publisher: &str, _key: &str) -> Option<SharedRepeat> {
        None
    }

    pub(crate) fn follow(&self, _config: &Config) {}

    pub(crate) fn start(&self) {}

    pub(crate) fn connect_here(&self) {}

    pub(crate) fn rates(&self, _config: &Config) -> Option<SharedRates> {
        None
    }

    pub(crate) fn info(&self) -> Option<SharedInfo> {
        None
    }
}

impl SharedRates {
    pub(crate) fn parts(&self) -> SharedParts {
        match self.0 {}
    }

    pub(crate) async fn admit(&self, _who: Counted, _wanted: &Wanted<'_>) -> Verdict {
        match self.0 {}
    }

    pub(crate) fn messages_lender(&self, _who: Counted) -> Arc<dyn Lender> {
        match self.0 {}
    }

    pub(crate) fn bytes_lender(&self, _who: Counted) -> Arc<dyn Lender> {
        match self.0 {}
    }
}

impl SharedClaim {
    pub(crate) async fn end(self, _published: Option<&Published>) {
        match self.0 {}
    }
}

impl Counted {
    pub(crate) fn address(_route: &str, _address: IpAddr) -> Self {
        Self
    }

    pub(crate) fn subject(_route: &str, _issuer: Option<&str>, _subject: &str) -> Self {
        Self
    }
}
