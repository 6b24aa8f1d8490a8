//! One request and its response, on one connection to a server.

use std::error::Error;
use std::sync::Arc;

use http::request::Parts;
use http::response;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::client::conn::TrySendError;

use super::download::Download;
use super::interim::Interim;
use super::pace::{PaceError, Paced};
use super::pool::{Connection, KeepAlivePool, RequestBody};
use super::server_body::{ServerBody, ServerBodyError};
use super::upload::{Progress, Source, Upload};
use crate::server::http::limiter::{ClientState, PeerState};
use crate::{PlainRequest, Rejection};

/// The body of a server's response.
pub(super) type Streamed = Download<Paced<ServerBody>>;

/// A server's response, and how far its request has come.
pub(super) struct Answered {
    pub(super) response: Response<Streamed>,
    pub(super) progress: Arc<Progress>,
}

/// Why there is no response on this connection.
pub(super) enum Failure {
    /// Nothing was sent, so that another connection may be tried.
    Unsent,
    /// The server closed a connection that had been idle, and has not acted on the request or may act on it
    /// twice: another connection may be tried.
    Unanswered(hyper::Error),
    Refused(Rejection),
}

/// Sends the request on one connection of this pool, and waits for the head of the response.
pub(super) async fn exchange(
    pool: &KeepAlivePool,
    request: &PlainRequest,
    connection: &mut Connection,
    source: &Source<RequestBody>,
) -> Result<Answered, Failure> {
    let head = request.head();
    let mut head = head.map_err(|rejection| Failure::Refused(request.refuse(rejection)))?;
    head.version = Version::HTTP_11;
    if request.received().version >= Version::HTTP_2 && source.is_of_unknown_length() {
        // Hyper takes a GET for one without a body if no header says otherwise.
        let chunked = HeaderValue::from_static("chunked");
        head.headers.insert(header::TRANSFER_ENCODING, chunked);
    }
    // HTTP/1.0 knows no expectations, on either side. A client that was asked for its body sends it.
    let may_expect = request.received().version >= Version::HTTP_11
        && !source.is_empty()
        && !source.is_begun()
        && !pool.old_servers().contains(request.address());
    let is_expected = expects_continue(&mut head, may_expect);
    let (body, progress) = source.upload(is_expected);
    let mut sent = Request::from_parts(head, body);
    let interim = Interim::default();
    // A client of HTTP/1.0 knows none (RFC 9110 §15.2).
    let client = client_of(request).filter(|_| request.received().version >= Version::HTTP_11);
    interim.watch(&mut sent, &progress, client.cloned());
    progress.restart();
    let response = tokio::select! {
        biased;
        // First, because the answer may have come together with too much before it.
        error = interim.exceeded() => {
            return Err(bad_response(request, Some(&error)));
        }
        answered = connection.send(sent) => {
            answered.map_err(|error| failure(request, connection, source, &progress, error))?
        }
        late = progress.overdue(request.response_timeout()) => {
            return Err(Failure::Refused(request.give_up(late)));
        }
    };
    // The request offered no other protocol.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(bad_response(request, None));
    }
    let old_servers = pool.old_servers();
    old_servers.note_version(request.address(), response.version());
    let response = response.map(ServerBody::Http1);
    let response = pass_on(request, &progress, response).await;
    let response = response.map_err(Failure::Refused)?;
    Ok(Answered { response, progress })
}

/// The client of a request.
pub(super) fn client_of(request: &PlainRequest) -> Option<&Arc<ClientState>> {
    request.received().extensions.get()
}

/// Makes of a server's response what goes to the client.
pub(super) async fn pass_on(
    request: &PlainRequest,
    progress: &Progress,
    response: Response<ServerBody>,
) -> Result<Response<Streamed>, Rejection> {
    let (mut head, body) = response.into_parts();
    let is_early = !progress.is_sent();
    // The rest of the body is for nobody (RFC 9112 §9.6); one that was not asked for is not read at all
    // (RFC 9110 §10.1.1).
    let closes = progress.refuse_held() || is_early && closes(&head);
    // Whatever the server speaks, the gate answers in its own version (RFC 9110 §2.5); a body up to the end
    // of the connection gets a length or chunks with it.
    head.version = Version::HTTP_11;
    let trailers = announced_trailers(&head.headers);
    request.clean(&mut head)?;
    for names in trailers {
        head.headers.append(header::TRAILER, names);
    }
    if closes {
        head.headers
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let begun = Download::begin(Paced::new(body, request.idle_timeout())).await;
    let body = match begun {
        Ok(body) => body,
        // A server that does not read the upload resets its connection: the end of a body that ends with the
        // connection is not certain then, but the head has come.
        Err((error, body)) if is_early && !is_malformed(&error) => body.broken_off(error),
        Err((error, _)) => {
            let rejection = match is_malformed(&error) {
                true => Rejection::UpstreamBadResponse,
                false => Rejection::UpstreamReset,
            };
            return Err(request.fail(rejection, Some(&error)));
        }
    };
    Ok(Response::from_parts(head, body))
}

/// Whether the body is to be held back until the server answers `Expect: 100-continue`. Where the expectation may
/// not be passed on, it is taken out.
pub(super) fn expects_continue(head: &mut Parts, may_expect: bool) -> bool {
    if !may_expect {
        head.headers.remove(header::EXPECT);
    }
    let mut expected = head.headers.get_all(header::EXPECT).iter();
    expected.any(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether the server closes the connection behind this response.
fn closes(head: &response::Parts) -> bool {
    let mut options = head.headers.get_all(header::CONNECTION).iter();
    let is_close = |option: &[u8]| option.trim_ascii().eq_ignore_ascii_case(b"close");
    head.version < Version::HTTP_11
        || options.any(|line| line.as_bytes().split(|byte| *byte == b',').any(is_close))
}

/// The failure of a server that answers wrongly.
fn bad_response(request: &PlainRequest, error: Option<&(dyn Error + 'static)>) -> Failure {
    Failure::Refused(request.fail(Rejection::UpstreamBadResponse, error))
}

/// Whether a body is not what its framing says, rather than that it broke off.
fn is_malformed(error: &PaceError<ServerBodyError>) -> bool {
    match error {
        PaceError::Body(error) => error.is_malformed(),
        PaceError::Paused(_) => false,
    }
}

/// The answer to a request whose own body broke off.
pub(super) fn broken_body(request: &PlainRequest) -> Rejection {
    if client_of(request).is_some_and(|client| client.peer() == PeerState::Gone) {
        request.abandon();
        return Rejection::Body;
    }
    request.refuse(Rejection::Body)
}

/// Why there is no response.
fn failure(
    request: &PlainRequest,
    connection: &Connection,
    source: &Source<RequestBody>,
    progress: &Progress,
    mut error: TrySendError<Request<Upload<RequestBody>>>,
) -> Failure {
    if error.take_message().is_some() {
        return Failure::Unsent;
    }
    let error = error.into_error();
    if progress.is_broken() {
        return Failure::Refused(broken_body(request));
    }
    if error.is_parse() {
        return bad_response(request, Some(&error));
    }
    // The server closed the connection while the request was on its way, and may have acted on it. Acting on it twice
    // is the same as once where the method is idempotent (RFC 9110 §9.2.2).
    let crossed = connection.is_reused() && !connection.has_heard();
    if crossed && request.received().method.is_idempotent() && source.is_whole() {
        return Failure::Unanswered(error);
    }
    Failure::Refused(request.fail(Rejection::UpstreamReset, Some(&error)))
}

/// The trailers that the server announces; hyper passes them on if the client takes trailers.
///
/// A client's trailers are dropped: a backend that merges them into the headers would trust them as if
/// the gate had checked them.
fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers
        .get_all(header::TRAILER)
        .into_iter()
        .cloned()
        .collect()
}
