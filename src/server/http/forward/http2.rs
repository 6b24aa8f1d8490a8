//! One plain request and its response, on a stream of HTTP/2.

use std::future::poll_fn;
use std::sync::Arc;

use http::{Request, Response, StatusCode, Version};
use tokio::sync::Notify;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::exchange::{Answered, broken_body, client_of, expects_continue, pass_on};
use super::interim;
use super::pool::RequestBody;
use super::server_body::ServerBody;
use super::upload::{Progress, Source};
use crate::{Http2Error, Http2Sender, PlainRequest, Rejection};

/// A response, and the rest of its request on its way.
pub(super) struct AnsweredHttp2 {
    pub(super) request: PlainRequest,
    pub(super) answered: Answered,
    pub(super) upload: Option<AbortOnDropHandle<()>>,
}

/// Why there is no response on this stream.
enum FailureHttp2 {
    /// The server has not looked at the request.
    Unprocessed(Http2Error),
    Refused(Rejection),
}

/// Sends the request on a stream of its server, and waits for the head of the response. One that the server has not
/// processed is sent again.
pub(super) async fn exchange(
    tasks: &TaskTracker,
    request: PlainRequest,
    source: &Source<RequestBody>,
) -> Result<AnsweredHttp2, Rejection> {
    let (mut request, mut sender) = request.connect_http2().await?;
    loop {
        let error = match exchange_once(tasks, &request, sender, source).await {
            Ok((answered, upload)) => {
                return Ok(AnsweredHttp2 {
                    request,
                    answered,
                    upload,
                });
            }
            Err(FailureHttp2::Refused(rejection)) => return Err(rejection),
            Err(FailureHttp2::Unprocessed(error)) => error,
        };
        if !source.is_whole() {
            return Err(request.fail(Rejection::UpstreamReset, Some(&error)));
        }
        (request, sender) = request.connect_http2_again(error).await?;
    }
}

async fn exchange_once(
    tasks: &TaskTracker,
    request: &PlainRequest,
    sender: Http2Sender,
    source: &Source<RequestBody>,
) -> Result<(Answered, Option<AbortOnDropHandle<()>>), FailureHttp2> {
    let head = request.head();
    let mut head = head.map_err(|rejection| FailureHttp2::Refused(request.refuse(rejection)))?;
    // HTTP/1.0 knows neither expectations nor interim answers.
    let is_recent = request.received().version >= Version::HTTP_11;
    let may_expect = is_recent && !source.is_empty() && !source.is_begun();
    let is_expected = expects_continue(&mut head, may_expect);
    let (body, progress) = source.upload(is_expected);
    let started = sender.start(Request::from_parts(head, body));
    let (mut answer, uploading) = started.map_err(|error| failure(request, &progress, error))?;
    let upload = uploading.map(|uploading| AbortOnDropHandle::new(tasks.spawn(uploading)));
    progress.restart();
    let client = client_of(request).filter(|_| is_recent);
    let interim = |interim: &Response<()>| match (interim.status(), client) {
        (StatusCode::CONTINUE, _) => progress.release(),
        (status, Some(client)) => interim::pass_on(status, interim.headers(), client),
        (_, None) => {}
    };
    let response = tokio::select! {
        biased;
        answered = poll_fn(|cx| answer.poll(cx, interim)) => {
            answered.map_err(|error| failure(request, &progress, error))?
        }
        late = progress.overdue(request.response_timeout()) => {
            return Err(FailureHttp2::Refused(request.give_up(late)));
        }
    };
    let response = pass_on(request, &progress, response.map(ServerBody::Http2)).await;
    let response = response.map_err(FailureHttp2::Refused)?;
    Ok((Answered { response, progress }, upload))
}

/// Lets the rest of a request go out behind its response, unless the server does not take it.
pub(super) fn finish_upload(
    tasks: &TaskTracker,
    upload: AbortOnDropHandle<()>,
    request: Arc<PlainRequest>,
    progress: Arc<Progress>,
    over: Arc<Notify>,
) {
    tasks.spawn(async move {
        tokio::select! {
            _ended = upload => {}
            () = progress.stalls(&over, request.response_timeout()) => {}
        }
    });
}

/// Why there is no response.
fn failure(request: &PlainRequest, progress: &Progress, error: Http2Error) -> FailureHttp2 {
    if error.is_unprocessed() {
        return FailureHttp2::Unprocessed(error);
    }
    FailureHttp2::Refused(if progress.is_broken() {
        broken_body(request)
    } else if error.is_malformed() {
        request.fail(Rejection::UpstreamBadResponse, Some(&error))
    } else {
        request.fail(Rejection::UpstreamReset, Some(&error))
    })
}
