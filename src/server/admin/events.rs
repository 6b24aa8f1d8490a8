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
use super::library::{Kind, NotHeard, Wants};
use super::query::Query;
use super::response::{Error, Refusal, WrongQuery, with_type};
use super::stream::EventStream;
use super::value;

#[derive(Deserialize, IntoParams)]
pub(super) struct EventsQuery {
    /// The name of a route.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    route: Option<String>,
    /// Some of `open`, `close` and `reject`, with commas between; all of them by default.
    #[serde(default = "every_kind", deserialize_with = "kinds")]
    #[param(value_type = String, required = false)]
    kind: Vec<Kind>,
}

/// What happens, as it happens.
///
/// The data of each event is of the schema OpenEvent, CloseEvent, RejectEvent or LostEvent.
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
    let wants = Wants {
        kinds: query.kind,
        route: query.route,
    };
    let listening = interface.handle.listen(wants).map_err(|refused| {
        let sentence = match refused {
            NotHeard::Full => "eight listen already: that is as many as may",
            NotHeard::Ended => "the gate has drained, and nothing happens any more",
        };
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
    })?;
    let stream = EventStream::new(listening, admission, interface.streams.token());
    Ok(with_type("text/event-stream", Body::new(stream)))
}

fn every_kind() -> Vec<Kind> {
    Kind::ALL.into()
}

/// Words of kinds, with commas between them.
fn kinds<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<Kind>, D::Error> {
    let value = String::deserialize(value)?;
    let kind = |word| Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    let kinds: Option<Vec<_>> = value.split(',').map(kind).collect();
    kinds.ok_or_else(|| {
        let words = Kind::ALL.map(Kind::as_str).join(", ");
        de::Error::custom(format_args!(": give some of {words}, with commas between"))
    })
}

#[cfg(test)]
mod tests;
