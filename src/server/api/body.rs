//! The body of a request, which serde reads.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use utoipa::IntoResponses;

use super::response::{Error, Refusal};

/// The body of a request in JSON, of which each key is a field of `T`.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// The query or the body is wrong; nothing has changed.
#[derive(IntoResponses)]
#[response(status = 400)]
#[expect(dead_code, reason = "only described: it is made as a Refusal")]
pub(crate) struct WrongBody(Error);

/// What a type is read from, for the sentence of a refusal.
pub(crate) trait Described {
    /// What the body must be: `an object with …`.
    const FORM: &'static str;
}

/// More than any body has that is right.
const LONGEST: usize = 4096;

/// From the head of a request to the end of its body.
const TIMEOUT: Duration = Duration::from_secs(10);

impl<T: DeserializeOwned + Described, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        read(request.into_body())
            .await
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

/// The bytes of a body of at most so many.
pub(crate) async fn bytes_of(body: Body, longest: usize) -> Result<Bytes, Refusal> {
    let refusal = |sentence: String| Refusal::new(StatusCode::BAD_REQUEST, sentence);
    let body = timeout(TIMEOUT, to_bytes(body, longest)).await;
    let body = body.map_err(|_late| refusal("the body did not arrive in time".to_owned()))?;
    body.map_err(|_error| {
        let problem = format!("the body broke off, or has more than {longest} bytes");
        refusal(problem)
    })
}

async fn read<T: DeserializeOwned + Described>(body: Body) -> Result<T, Refusal> {
    let refusal = |sentence: String| Refusal::new(StatusCode::BAD_REQUEST, sentence);
    let body = bytes_of(body, LONGEST).await?;
    // serde's own sentence repeats what the client wrote.
    serde_json::from_slice(&body).map_err(|error| match error.is_data() {
        true => refusal(format!("the body must be {}", T::FORM)),
        false => refusal(format!(
            "the body is not JSON: it must be {} (line {}, column {})",
            T::FORM,
            error.line(),
            error.column()
        )),
    })
}
