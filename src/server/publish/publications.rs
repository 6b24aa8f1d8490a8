//! `POST /channels/NAME`, `/sessions/SESSION` and `/subjects/SUBJECT`: one publication.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Publisher;
use super::interface::{Interface, Shared};
use super::library::{Audience, Body, ChannelError, Publication, Published, SessionName};
use super::message::{IdempotencyKey, Message};
use super::target::{Channel, ChannelPath, Session, SessionPath, Subject, SubjectPath};
use crate::server::api::query::Query;
use crate::server::api::response::{Error, Json, Refusal};
use crate::server::api::value;

#[derive(Deserialize, IntoParams)]
pub(super) struct PublishQuery {
    /// The name of one session that does not get it.
    #[serde(default, deserialize_with = "value::session_name")]
    #[param(value_type = String, required = false)]
    exclude: Option<SessionName>,
}

#[derive(Deserialize, IntoParams)]
pub(super) struct SubjectQuery {
    /// The name of the issuer of the clients' tokens: without it, of any, or none.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    issuer: Option<String>,
    /// The name of one session that does not get it.
    #[serde(default, deserialize_with = "value::session_name")]
    #[param(value_type = String, required = false)]
    exclude: Option<SessionName>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Outcome {
    /// Sessions that it is on its way to.
    reached: usize,
    /// Other gates that have got it for their sessions.
    gates: usize,
    /// It was published before, with the same Idempotency-Key, and is not published again.
    repeated: bool,
}

/// What is to be published.
pub(super) struct Order {
    pub(super) audience: Audience,
    pub(super) message: Body,
    pub(super) exclude: Option<SessionName>,
    pub(super) idempotency_key: Option<String>,
}

/// Publishes the body to the members of a channel.
#[utoipa::path(post, path = "/channels/{name}", operation_id = "publishToChannel",
    params(ChannelPath, PublishQuery),
    request_body(content = String, content_type = "*/*"),
    responses((status = 200, description = "It is published.", body = Outcome)))]
pub(super) async fn to_channel(
    State(interface): Shared,
    Extension(publisher): Extension<Arc<Publisher>>,
    Channel(channel): Channel,
    Query(query): Query<PublishQuery>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Message(message): Message,
) -> Result<Json<Outcome>, Refusal> {
    let order = Order {
        audience: Audience::Channel(channel),
        message,
        exclude: query.exclude,
        idempotency_key,
    };
    publish(&interface, &publisher, order).await.map(Json)
}

/// Publishes the body to one session.
#[utoipa::path(post, path = "/sessions/{session}", operation_id = "publishToSession",
    params(SessionPath, PublishQuery),
    request_body(content = String, content_type = "*/*"),
    responses(
        (status = 200, description = "It is published.", body = Outcome),
        (status = 404, description = "There has never been such a session.", body = Error),
        (status = 410, description = "The session has ended.", body = Error),
    ))]
pub(super) async fn to_session(
    State(interface): Shared,
    Extension(publisher): Extension<Arc<Publisher>>,
    Session(session): Session,
    Query(query): Query<PublishQuery>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Message(message): Message,
) -> Result<Json<Outcome>, Refusal> {
    let order = Order {
        audience: Audience::Session(session),
        message,
        exclude: query.exclude,
        idempotency_key,
    };
    publish(&interface, &publisher, order).await.map(Json)
}

/// Publishes the body to all sessions of a user.
#[utoipa::path(post, path = "/subjects/{subject}", operation_id = "publishToSubject",
    params(SubjectPath, SubjectQuery),
    request_body(content = String, content_type = "*/*"),
    responses((status = 200, description = "It is published.", body = Outcome)))]
pub(super) async fn to_subject(
    State(interface): Shared,
    Extension(publisher): Extension<Arc<Publisher>>,
    Subject(subject): Subject,
    Query(query): Query<SubjectQuery>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Message(message): Message,
) -> Result<Json<Outcome>, Refusal> {
    let issuer = query.issuer;
    let order = Order {
        audience: Audience::Subject { subject, issuer },
        message,
        exclude: query.exclude,
        idempotency_key,
    };
    publish(&interface, &publisher, order).await.map(Json)
}

/// Publishes what the token of the publisher allows.
pub(super) async fn publish(
    interface: &Interface,
    publisher: &Publisher,
    order: Order,
) -> Result<Outcome, Refusal> {
    let (token, bytes) = (publisher.name(), order.message.as_bytes().len());
    let (kind, channel) = match &order.audience {
        Audience::Channel(name) => ("channel", Some(name.clone())),
        Audience::Session(_) => ("session", None),
        // Who it is stays out of the log.
        Audience::Subject { .. } => ("subject", None),
    };
    let published = interface
        .handle
        .publish(order.into_publication(token))
        .await?;
    tracing::debug!(
        token,
        audience = kind,
        channel = channel.as_deref(),
        bytes,
        reached = published.reached,
        gates = published.gates,
        repeated = published.repeated,
        "published"
    );
    Ok(published.into())
}

impl Order {
    /// A key is one of its token and of its audience: the same key for another channel is another key.
    fn into_publication(self, token: Option<&str>) -> Publication {
        let scope = self.idempotency_key.is_some().then(|| {
            let token = token.unwrap_or_default();
            match &self.audience {
                Audience::Channel(name) => format!("{token} channel {name}"),
                Audience::Session(name) => format!("{token} session {name}"),
                Audience::Subject { subject, issuer } => {
                    let issuer = issuer.as_deref().unwrap_or_default();
                    format!("{token} subject {issuer} {subject}")
                }
            }
        });
        let publication = Publication::new(self.audience, self.message);
        let publication = match self.exclude {
            Some(session) => publication.excluding(session),
            None => publication,
        };
        match scope.zip(self.idempotency_key) {
            Some((scope, key)) => publication.with_idempotency_key(scope, key),
            None => publication,
        }
    }
}

impl From<Published> for Outcome {
    fn from(published: Published) -> Self {
        Self {
            reached: published.reached,
            gates: published.gates,
            repeated: published.repeated,
        }
    }
}

impl From<ChannelError> for Refusal {
    fn from(error: ChannelError) -> Self {
        let status = match error {
            ChannelError::UnknownSession => StatusCode::NOT_FOUND,
            ChannelError::SessionGone => StatusCode::GONE,
            ChannelError::TooManyChannels => StatusCode::CONFLICT,
            ChannelError::TooManyExcluded => StatusCode::BAD_REQUEST,
            ChannelError::GateUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
