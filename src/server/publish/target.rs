//! Whom a request is about, by its path, and whether the token of the request allows that.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use utoipa::IntoParams;

use super::access::Publisher;
use super::library::{ChannelName, SessionName};
use crate::server::api::path::segment;
use crate::server::api::response::Refusal;

/// The channel of `/channels/{name}`, which the token takes.
pub(super) struct Channel(pub(super) ChannelName);

/// The channel, which the token takes, and the session of `/channels/{name}/sessions/{session}`.
pub(super) struct Member {
    pub(super) channel: ChannelName,
    pub(super) session: SessionName,
}

/// A member that is to be. The token is for single sessions too: who adds a session to a channel can publish to it, read who
/// it is, and close it.
pub(super) struct NewMember(pub(super) Member);

/// The session of `/sessions/{session}`.
pub(super) struct Session(pub(super) SessionName);

/// The subject of `/subjects/{subject}`.
pub(super) struct Subject(pub(super) String);

/// The token issues tickets.
pub(super) struct MayIssue;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: it is read as a Channel")]
pub(super) struct ChannelPath {
    /// The name of a channel.
    name: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: it is read as a Member")]
pub(super) struct MemberPath {
    /// The name of a channel.
    name: String,
    /// The name of a session.
    session: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: it is read as a Session")]
pub(super) struct SessionPath {
    /// The name of a session.
    session: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: it is read as a Subject")]
pub(super) struct SubjectPath {
    /// The subject of clients' identities, percent-encoded.
    subject: String,
}

impl<S: Sync> FromRequestParts<S> for Channel {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let channel = channel(&segment(head, 1, "the channel")?)?;
        publisher(head)?.require_channel(&channel)?;
        Ok(Self(channel))
    }
}

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Channel(channel) = Channel::from_request_parts(head, state).await?;
        let session = session(&segment(head, 3, "the session")?)?;
        Ok(Self { channel, session })
    }
}

impl<S: Sync> FromRequestParts<S> for NewMember {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Channel::from_request_parts(head, state).await?;
        publisher(head)?.require_direct()?;
        Member::from_request_parts(head, state).await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        publisher(head)?.require_direct()?;
        session(&segment(head, 1, "the session")?).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Subject {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        publisher(head)?.require_direct()?;
        segment(head, 1, "the subject").map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for MayIssue {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        publisher(head)?.require_tickets().map(|()| Self)
    }
}

/// A channel as a publisher writes it.
pub(super) fn channel(text: &str) -> Result<ChannelName, Refusal> {
    parse(text)
}

/// A session as a publisher writes it.
pub(super) fn session(text: &str) -> Result<SessionName, Refusal> {
    parse(text)
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, Refusal> {
    let wrong = |error: T::Err| Refusal::new(StatusCode::BAD_REQUEST, error.to_string());
    text.parse().map_err(wrong)
}

/// Every request has one, but for those that need no token.
fn publisher(head: &Parts) -> Result<&Publisher, Refusal> {
    let publisher = head.extensions.get::<Arc<Publisher>>();
    let missing = || Refusal::new(StatusCode::UNAUTHORIZED, "a bearer token is needed");
    publisher.map(|publisher| &**publisher).ok_or_else(missing)
}
