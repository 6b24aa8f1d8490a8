//! What responses look like.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

/// A body in JSON, on one line.
pub(crate) struct Json<T>(pub(crate) T);

/// A request that is not answered, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    sentence: String,
}

/// What the extensions of a refusal's response say.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// It repeats nothing that the client wrote.
    pub(crate) sentence: Arc<str>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Error {
    /// What is wrong, in a sentence.
    pub(crate) error: String,
}

/// The query is wrong; nothing has changed.
#[derive(IntoResponses)]
#[response(status = 400)]
pub(crate) struct WrongQuery(pub(crate) Error);

impl Refusal {
    pub(crate) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: refusal.status,
            sentence: refusal.sentence.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let refused = Refused::from(self);
        let error = Json(Error {
            error: refused.sentence.to_string(),
        });
        let mut response = match refused.status {
            StatusCode::UNAUTHORIZED => (
                refused.status,
                [(header::WWW_AUTHENTICATE, "Bearer")],
                error,
            )
                .into_response(),
            status => (status, error).into_response(),
        };
        response.extensions_mut().insert(refused);
        response
    }
}

impl IntoResponse for WrongQuery {
    fn into_response(self) -> Response {
        Refusal::new(StatusCode::BAD_REQUEST, self.0.error).into_response()
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string(&self.0) {
            Ok(json) => with_type("application/json", format!("{json}\n")),
            Err(error) => {
                tracing::error!(%error, "a response of an interface cannot be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A body of this type, which no cache stores and no browser takes for another type.
pub(crate) fn with_type(content_type: &'static str, body: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body.into()).into_response()
}
