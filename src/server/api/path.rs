//! Segments of a request's path. Axum's own extractor refuses a path before a handler can say what is wrong with it.

use http::{StatusCode, request};

use super::percent::decode_segment;
use super::response::Refusal;

/// The segment behind so many others, decoded; `what` is the name for it in a sentence.
pub(crate) fn segment(
    head: &request::Parts,
    position: usize,
    what: &str,
) -> Result<String, Refusal> {
    let segment = head.uri.path().split('/').nth(position + 1);
    let segment = decode_segment(segment.unwrap_or_default());
    segment.ok_or_else(|| {
        let problem = format!("{what} in the path is not percent-encoded UTF-8");
        Refusal::new(StatusCode::BAD_REQUEST, problem)
    })
}
