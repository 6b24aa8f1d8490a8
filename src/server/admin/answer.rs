//! What an answer looks like.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde_json::{Value, json};

use super::events::EventStream;

/// What a request gets.
pub(super) type Answer = Response<AnswerBody>;

/// All at once, or what happens as it happens.
pub(super) type AnswerBody = Either<Full<Bytes>, EventStream>;

/// A refusal, in a sentence.
pub(super) fn error(status: StatusCode, message: &str) -> Answer {
    answer_json(status, &json!({ "error": message }))
}

pub(super) fn answer_json(status: StatusCode, value: &Value) -> Answer {
    answer(status, "application/json", format!("{value}\n"))
}

pub(super) fn answer(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    answer_with(status, content_type, Either::Left(Full::new(body.into())))
}

pub(super) fn answer_with(
    status: StatusCode,
    content_type: &'static str,
    body: AnswerBody,
) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// An answer that says all with its status.
pub(super) fn no_content() -> Answer {
    let mut done = Response::new(Either::Left(Full::default()));
    *done.status_mut() = StatusCode::NO_CONTENT;
    done
}
