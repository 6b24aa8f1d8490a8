//! The tower layer and the services, for tower and for hyper.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::pipeline::{self, Core, Received, Unrouted, Upgrade};
use crate::rejection::fit_to_version;
use crate::request::is_websocket;

/// Puts a [`Gate`](super::Gate) before a service. See [`Gate::layer`](super::Gate::layer).
#[derive(Clone, Debug)]
pub struct GateLayer {
    core: Arc<Core>,
}

impl GateLayer {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService::new(Arc::clone(&self.core), inner)
    }
}

/// A [`Gate`](super::Gate) before a service: a tower service if that is one, and a hyper service if that is.
#[derive(Clone, Debug)]
pub struct GateService<S> {
    core: Arc<Core>,
    inner: S,
}

impl<S> GateService<S> {
    pub(super) fn new(core: Arc<Core>, inner: S) -> Self {
        Self { core, inner }
    }

    /// Decides who answers a request.
    ///
    /// The gate answers a WebSocket's handshake where a route serves its host and path, or where
    /// these could mean two things. Checks of the handshake itself come later.
    fn claim<B>(&self, request: Request<B>) -> Claim<B> {
        let (parts, body) = request.into_parts();
        if !is_websocket(&parts) {
            return Claim::Inner(Request::from_parts(parts, body));
        }
        let core = &self.core;
        let settings = core.settings();
        match pipeline::receive(core, &settings, parts) {
            Received::Handshake(mut handshake) => {
                let upgrade = Upgrade::take(&mut handshake);
                let core = Arc::clone(core);
                Claim::Gate(Box::pin(pipeline::answer(
                    core, settings, handshake, upgrade,
                )))
            }
            Received::Refused(parts, refusal) => {
                let core = Arc::clone(core);
                Claim::Gate(Box::pin(async move {
                    core.start_housekeeping();
                    core.refuse_early(&parts, refusal)
                }))
            }
            Received::Unrouted(mut parts, refusal) => {
                parts.extensions.insert(Unrouted::from(refusal));
                Claim::Inner(Request::from_parts(parts, body))
            }
        }
    }
}

/// Who answers a request.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Claim<B> {
    Gate(Answering),
    Inner(Request<B>),
}

type Answering = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

impl<S, B, R> Service<Request<B>> for GateService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.claim(request) {
            Claim::Gate(answer) => ResponseFuture::gate(answer),
            Claim::Inner(request) => ResponseFuture::inner(self.inner.call(request)),
        }
    }
}

impl<S, B, R> hyper::service::Service<Request<B>> for GateService<S>
where
    S: hyper::service::Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        match self.claim(request) {
            Claim::Gate(answer) => ResponseFuture::gate(answer),
            Claim::Inner(request) => ResponseFuture::inner(self.inner.call(request)),
        }
    }
}

pin_project! {
    /// The answer of a [`GateService`]. A refused handshake is an answer as well, never an error.
    pub struct ResponseFuture<F> {
        #[pin]
        answerer: Answerer<F>,
    }
}

pin_project! {
    #[project = AnswererProjection]
    enum Answerer<F> {
        Gate { answer: Answering },
        Inner { #[pin] future: F },
    }
}

impl<F> ResponseFuture<F> {
    fn gate(answer: Answering) -> Self {
        Self {
            answerer: Answerer::Gate { answer },
        }
    }

    fn inner(future: F) -> Self {
        Self {
            answerer: Answerer::Inner { future },
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().answerer.project() {
            AnswererProjection::Gate { answer } => answer
                .as_mut()
                .poll(cx)
                .map(|response| Ok(response.map(ResponseBody::gate))),
            AnswererProjection::Inner { future } => future
                .poll(cx)
                .map_ok(|response| response.map(ResponseBody::new)),
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of an answer: the gate's own, or the inner service's.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        source: Source<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = SourceProjection]
    enum Source<B> {
        // Short, and whole.
        Gate { #[pin] body: Full<Bytes> },
        Inner { #[pin] body: B },
    }
}

impl<B> ResponseBody<B> {
    /// A body of the inner service, for a layer around the gate that answers in its place.
    pub fn new(body: B) -> Self {
        Self {
            source: Source::Inner { body },
        }
    }

    fn gate(body: Full<Bytes>) -> Self {
        Self {
            source: Source::Gate { body },
        }
    }
}

impl<B> From<B> for ResponseBody<B> {
    fn from(body: B) -> Self {
        Self::new(body)
    }
}

/// Empty, whatever the inner service's body is: layers around the gate answer with it.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::gate(Full::default())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().source.project() {
            SourceProjection::Gate { body } => body.poll_frame(cx).map_err(|never| match never {}),
            SourceProjection::Inner { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Gate { body } => body.is_end_stream(),
            Source::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Gate { body } => body.size_hint(),
            Source::Inner { body } => body.size_hint(),
        }
    }
}

/// Refuses every request, with the status that says why: what is inside [`Gate::service`](super::Gate::service).
#[derive(Clone, Debug)]
pub struct Refuse {
    core: Arc<Core>,
}

impl Refuse {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    fn refuse<B>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let (parts, _) = request.into_parts();
        let version = parts.version;
        let mut response = pipeline::refuse_plain(&self.core, parts).into_response();
        fit_to_version(version, response.headers_mut());
        response
    }
}

impl<B> Service<Request<B>> for Refuse {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        std::future::ready(Ok(self.refuse(request)))
    }
}

impl<B> hyper::service::Service<Request<B>> for Refuse {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        std::future::ready(Ok(self.refuse(request)))
    }
}
