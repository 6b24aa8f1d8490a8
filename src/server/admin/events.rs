//! `GET /events`: what happens, as it happens, as server-sent events (the HTML standard, §9.2).

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use super::access::Admission;
use super::interface::Shared;
use super::library::{EventFilter, EventKind};
use super::stream::EventStream;
use crate::server::api::query::Query;
use crate::server::api::response::{Error, Refusal, WrongQuery, with_type};
use crate::server::api::value;

#[derive(Deserialize, IntoParams)]
pub(super) struct EventsQuery {
    /// The name of a route.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    route: Option<String>,
    /// Some of `open`, `close`, `reject` and `forward`, with commas between; by default all but `forward`.
    #[serde(default = "usual_kinds", deserialize_with = "kinds")]
    #[param(value_type = String, required = false)]
    kind: Vec<EventKind>,
}

/// What happens, as it happens.
///
/// The data of each event is of the schema OpenEvent, CloseEvent, RejectEvent, ForwardEvent or LostEvent.
#[utoipa::path(get, path = "/events", operation_id = "events", params(EventsQuery),
    responses(
        (status = 200, description = "A stream of server-sent events, which does not end.",
            body = String, content_type = "text/event-stream"),
        WrongQuery,
        (status = 503, description = "Eight clients listen already, or the gate has drained.",
            body = Error),
    ))]
pub(super) async fn events(
    State(interface): Shared,
    Extension(admission): Extension<Admission>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let filter = EventFilter {
        kinds: query.kind,
        route: query.route,
    };
    let events = interface.handle.subscribe(filter);
    let events =
        events.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let stream = EventStream::new(events, admission, interface.streams.token());
    Ok(with_type("text/event-stream", Body::new(stream)))
}

fn usual_kinds() -> Vec<EventKind> {
    EventKind::DEFAULT.into()
}

/// Words of kinds, with commas between them.
fn kinds<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<EventKind>, D::Error> {
    let value = String::deserialize(value)?;
    let kind = |word| {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    };
    let kinds: Option<Vec<_>> = value.split(',').map(kind).collect();
    kinds.ok_or_else(|| {
        let words = EventKind::ALL.map(EventKind::as_str).join(", ");
        de::Error::custom(format_args!(": give some of {words}, with commas between"))
    })
}

#[cfg(test)]
mod tests;
