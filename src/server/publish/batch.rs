//! `POST /publish`: many publications, a line of JSON each.

mod line;
mod lines;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use self::line::Line;
use self::lines::Lines;
use super::access::Publisher;
use super::interface::{Interface, Shared};
use super::message::media_type;
use super::publications::{Outcome, publish as publish_one};
use crate::server::api::body::{BodyError, Pieces};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Refusal, Refused, with_type};
use crate::server::api::turns::Turns;

/// A line of the answer, for a publication that was not made.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusedLine {
    /// What is wrong, in a sentence.
    error: String,
    /// The status that a request of its own would get.
    status: u16,
}

/// The lines of an answer, in the order of those of the batch.
#[derive(Default)]
struct Answer {
    lines: Vec<u8>,
    count: usize,
}

const NDJSON: &str = "application/x-ndjson";

/// The most publications of a batch.
const MOST_LINES: usize = 1000;

/// The bytes that a batch may have, or the bytes of a publication if these are more.
const LONGEST: usize = 4 * 1024 * 1024;

/// Publishes many messages, one after the other.
///
/// Each line of the body is of the schema Line, and each line of the answer of the schema Outcome or RefusedLine.
#[utoipa::path(post, path = "/publish", operation_id = "publish",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "A line for each line, in the same order. Where the body breaks off or is too long, \
            the last line says so, and nothing behind it is published.",
            body = String, content_type = "application/x-ndjson"),
        (status = 400, description = "The query is wrong, or nothing has come of the body; nothing is published.",
            body = Error),
        (status = 413, description = "The body is too long; nothing is published.", body = Error),
        (status = 415, description = "The body is something else.", body = Error),
    ))]
pub(super) async fn publish(
    State(interface): Shared,
    Extension(publisher): Extension<Arc<Publisher>>,
    Extension(turns): Extension<Arc<Turns>>,
    _: Query<NoKeys>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    require_ndjson(&headers)?;
    let longest = LONGEST.max(interface.access.message_size());
    let mut lines = Lines::new(Pieces::new(body, longest));
    let mut answer = Answer::default();
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) if answer.count == 0 => return Err(refusal(&error)),
            Err(error) => {
                answer.refused(refusal(&error), &interface, &publisher);
                break;
            }
        };
        if answer.count == MOST_LINES {
            let problem =
                "a batch has 1000 lines at most: this one and those behind it are not published";
            let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, problem);
            answer.refused(refusal, &interface, &publisher);
            break;
        }
        let published = turns
            .take(publish_line(&interface, &publisher, &line))
            .await;
        match published {
            Ok(outcome) => answer.add(&outcome),
            Err(refusal) => answer.refused(refusal, &interface, &publisher),
        }
    }
    Ok(with_type(NDJSON, answer.lines))
}

async fn publish_line(
    interface: &Interface,
    publisher: &Publisher,
    line: &[u8],
) -> Result<Outcome, Refusal> {
    let order = Line::read(line)?.order(publisher, interface.access.message_size())?;
    publish_one(interface, publisher, order).await
}

fn require_ndjson(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let media = match (types.next(), types.next()) {
        (Some(value), None) => media_type(value),
        _ => None,
    };
    match media.as_deref() == Some(NDJSON) && !headers.contains_key(header::CONTENT_ENCODING) {
        true => Ok(()),
        false => {
            let problem = "the body must be application/x-ndjson, without a Content-Encoding";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem))
        }
    }
}

fn refusal(error: &BodyError) -> Refusal {
    Refusal::new(error.status(), error.to_string())
}

impl Answer {
    fn add(&mut self, line: &impl Serialize) {
        // Nothing fails to be written to a vector, and none of these to be JSON.
        let _written = serde_json::to_writer(&mut self.lines, line);
        self.lines.push(b'\n');
        self.count += 1;
    }

    fn refused(&mut self, refusal: Refusal, interface: &Interface, publisher: &Publisher) {
        let refused = Refused::from(refusal);
        interface.access.refused_line(publisher, &refused);
        self.add(&RefusedLine {
            error: refused.sentence.to_string(),
            status: refused.status.as_u16(),
        });
    }
}
