//! What gates ask each other, and what they answer.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// A question to another gate, or to all of them. Names are texts: the gate that gets them checks them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Question {
    /// Who is in a channel: how many, and the first of them behind a session.
    Members {
        channel: String,
        after: Option<String>,
        most: usize,
    },
    /// Close the sessions of a channel.
    Close {
        channel: String,
        code: u16,
        reason: String,
    },
    /// Make a session a member.
    Join { session: String, channel: String },
    /// Take a session out of a channel.
    Leave { session: String, channel: String },
    /// Publish to one session.
    Send {
        session: String,
        publication: Base64,
    },
    /// Publish to the sessions of a user.
    SendSubject {
        subject: String,
        issuer: Option<String>,
        publication: Base64,
    },
    /// Let go of what a channel retains.
    Forget { channel: String },
    /// Close the sessions of a user, a token or a login, and let it in no more.
    Revoke {
        kind: String,
        issuer: Option<String>,
        value: String,
        /// In milliseconds of the Unix epoch.
        issued_until: Option<u64>,
    },
}

/// The answer of one gate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// Sessions or publications that it was done to.
    Count(usize),
    /// Whether something has changed.
    Changed(bool),
    /// The session is not open.
    Gone,
    /// No session has had this name.
    NoSession,
    /// The session is in too many channels.
    TooMany,
    Members {
        total: usize,
        first: Vec<Member>,
    },
    /// It does not understand the question.
    Unknown,
}

/// A session in a channel of another gate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) session: String,
    pub(crate) subject: Option<String>,
    pub(crate) route: String,
}

/// Bytes in a text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Base64(String);

impl Base64 {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(BASE64.encode(bytes))
    }

    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.0.as_bytes()).ok()
    }
}

/// A question on its way.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(in crate::shared) struct Asked {
    /// Where the answer goes: the asking gate. Nobody answers where there is none.
    pub(in crate::shared) from: String,
    pub(in crate::shared) number: Option<u64>,
    pub(in crate::shared) question: Question,
}

/// An answer on its way.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(in crate::shared) struct Answered {
    pub(in crate::shared) number: u64,
    pub(in crate::shared) answer: Answer,
}
