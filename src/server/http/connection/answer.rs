//! The requests of one connection, each with its place until its answer has been written.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;

use crate::rejection::Rejection;
use crate::server::http::forward::{Forward, ForwardBody};
use crate::server::http::limiter::{RequestPlace, Room, Watch};
use crate::transport::WrappedSocket;
use crate::types::ClientAddr;
use crate::{Gate, GateService, ResponseBody};

/// What a worker's connections answer with.
pub(crate) type Answerer = GateService<Forward>;

/// Answers the requests of one connection.
pub(super) struct Answer {
    pub(super) gate: Gate,
    pub(super) answerer: Answerer,
    pub(super) client: ClientAddr,
    pub(super) room: Arc<Room>,
    pub(super) watch: Arc<Watch>,
    pub(super) refused: RefusedUpgrade,
}

/// The upgrade that a connection asked for and did not get, if there was one; a clone is the same.
///
/// At the end hyper gives the socket of every upgrade away, whatever it was answered: to whoever
/// waits for the upgrade, and that is nobody but this.
#[derive(Clone, Default)]
pub(super) struct RefusedUpgrade {
    upgrade: Arc<OnceLock<OnUpgrade>>,
}

impl RefusedUpgrade {
    /// The socket, when hyper is done with it.
    pub(super) fn into_socket(self) -> Option<Box<dyn WrappedSocket>> {
        let upgrade = self.upgrade.get().cloned()?;
        let upgraded = upgrade.now_or_never()?.ok()?;
        let parts = upgraded.downcast::<TokioIo<Box<dyn WrappedSocket>>>();
        parts.ok().map(|parts| parts.io.into_inner())
    }
}

impl Service<Request<Incoming>> for Answer {
    type Response = Response<AnswerBody<ResponseBody<ForwardBody>>>;
    type Error = Infallible;
    type Future = Answering<<Answerer as Service<Request<Incoming>>>::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let upgrade = request.extensions().get::<OnUpgrade>().cloned();
        request.extensions_mut().insert(self.client);
        let written = Written {
            watch: Arc::clone(&self.watch),
            is_upgrade: false,
        };
        match self.room.begin_request(&self.watch) {
            Some(place) => {
                request.extensions_mut().insert(Arc::clone(&self.watch));
                Answering {
                    answer: Some(self.answerer.call(request)),
                    refusal: None,
                    upgrade,
                    refused: self.refused.clone(),
                    ended: Some((written, Some(place))),
                }
            }
            None => {
                let (parts, _) = request.into_parts();
                let rejection = self.gate.refuse(&parts, Rejection::Full);
                Answering {
                    answer: None,
                    refusal: Some(rejection.into_response()),
                    upgrade,
                    refused: self.refused.clone(),
                    ended: Some((written, None)),
                }
            }
        }
    }
}

/// Marks the end of an answer when it is dropped.
pub(super) struct Written {
    watch: Arc<Watch>,
    is_upgrade: bool,
}

impl Drop for Written {
    fn drop(&mut self) {
        // A session waits for no request.
        if !self.is_upgrade {
            self.watch.answered();
        }
    }
}

/// What ends with an answer, in this order.
type Ended = (Written, Option<RequestPlace>);

pin_project! {
    /// The answer of one request, on its way.
    pub(super) struct Answering<F> {
        #[pin]
        answer: Option<F>,
        // Where nobody is asked for an answer.
        refusal: Option<Response<Full<Bytes>>>,
        // What was asked for beside the answer.
        upgrade: Option<OnUpgrade>,
        refused: RefusedUpgrade,
        ended: Option<Ended>,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<AnswerBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match (this.refusal.take(), this.answer.as_pin_mut()) {
            (Some(refusal), _) => refusal.map(Either::Right),
            (None, Some(answer)) => ready!(answer.poll(cx))?.map(Either::Left),
            (None, None) => return Poll::Pending,
        };
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if let Some(upgrade) = this.upgrade.take()
            && !is_upgrade
        {
            // One at most: a refused upgrade ends its connection.
            let _first = this.refused.upgrade.set(upgrade);
        }
        let mut ended = this.ended.take();
        if let Some((written, _)) = &mut ended {
            written.is_upgrade = is_upgrade;
        }
        Poll::Ready(Ok(response.map(|body| AnswerBody { body, ended })))
    }
}

pin_project! {
    /// An answer's body, dropped when the last of it has been written.
    pub(super) struct AnswerBody<B> {
        #[pin]
        body: Either<B, Full<Bytes>>,
        ended: Option<Ended>,
    }
}

impl<B> Body for AnswerBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
