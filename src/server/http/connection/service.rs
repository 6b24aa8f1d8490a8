//! The requests of one connection, each counted until its response has been written.

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
use hyper::{Request, Response, StatusCode, Version, header};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;

use crate::server::http::client_body::ClientBody;
use crate::server::http::forward::{Forward, ForwardBody};
use crate::server::http::health::HealthPage;
use crate::server::http::limiter::{ConnectionLimiter, ConnectionState, RequestPermit};
use crate::server::http::request_lines::RequestLines;
use crate::{ClientAddr, LocalAddr, OverTls, Rejection, Transport, WrappedSocket};
use crate::{Gate, GateService, ResponseBody};

/// What answers requests on a worker: the gate, and behind it the forwarder.
pub(crate) type GatedForward = GateService<Forward>;

/// Answers the requests of one connection.
pub(super) struct RequestService {
    pub(super) gate: Gate,
    pub(super) handler: GatedForward,
    pub(super) health: Arc<HealthPage>,
    pub(super) client: ClientAddr,
    /// What it connected to; none on a unix socket.
    pub(super) local: Option<LocalAddr>,
    /// What is known of the client's TLS, if it speaks TLS.
    pub(super) over_tls: Option<OverTls>,
    pub(super) limiter: Arc<ConnectionLimiter>,
    pub(super) state: Arc<ConnectionState>,
    pub(super) lines: Arc<RequestLines>,
    pub(super) refused: RefusedUpgrade,
}

/// The upgrade that a connection requested and did not get, if there was one; clones share it.
///
/// At the end hyper hands the socket to the future of the upgrade, also where the upgrade was refused.
/// This holds that future.
#[derive(Clone, Default)]
pub(super) struct RefusedUpgrade {
    upgrade: Arc<OnceLock<OnUpgrade>>,
}

impl RefusedUpgrade {
    /// The socket, once hyper has given it back.
    pub(super) fn into_socket(self) -> Option<Transport> {
        let upgrade = self.upgrade.get().cloned()?;
        let upgraded = upgrade.now_or_never()?.ok()?;
        let parts = upgraded.downcast::<TokioIo<Box<dyn WrappedSocket>>>();
        parts
            .ok()
            .map(|parts| parts.io.into_inner().into_transport())
    }
}

impl Service<Request<Incoming>> for RequestService {
    type Response = Response<GuardedBody<ResponseBody<ForwardBody>>>;
    type Error = Infallible;
    type Future = Responding<<GatedForward as Service<Request<ClientBody>>>::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let upgrade = request.extensions().get::<OnUpgrade>().cloned();
        request.extensions_mut().insert(self.client);
        if let Some(local) = self.local {
            request.extensions_mut().insert(local);
        }
        if let Some(over_tls) = &self.over_tls {
            request.extensions_mut().insert(over_tls.clone());
        }
        let written = ResponseGuard {
            state: Arc::clone(&self.state),
            is_upgrade: false,
            may_end_with_connection: request.version() < Version::HTTP_11,
        };
        let has_fragment = self.lines.begin_request(request.body());
        let permit = self.limiter.begin_request(&self.state);
        // The page needs no descriptor beside the client's.
        let page = self
            .health
            .answer(request.method(), request.uri(), request.headers());
        let page = page.filter(|_| !has_fragment);
        let rejection = match (&permit, has_fragment) {
            (None, _) => Some(Rejection::Full),
            (Some(_), true) => Some(Rejection::Path),
            (Some(_), false) => None,
        };
        let (answer, own) = match rejection {
            _ if page.is_some() => (None, page),
            None => {
                let client = Arc::clone(self.state.client());
                request.extensions_mut().insert(client);
                let request = request.map(|body| ClientBody::Http1 { body });
                (Some(self.handler.call(request)), None)
            }
            Some(rejection) => {
                let (parts, _) = request.into_parts();
                let rejection = self.gate.refuse(&parts, rejection);
                (None, Some(rejection.into_response()))
            }
        };
        Responding {
            answer,
            own,
            upgrade,
            refused: self.refused.clone(),
            ended: Some((written, permit)),
        }
    }
}

/// Marks the response as written when it is dropped.
pub(super) struct ResponseGuard {
    state: Arc<ConnectionState>,
    is_upgrade: bool,
    /// The client may take the end of the connection for the end of the response: it knows no chunks.
    may_end_with_connection: bool,
}

impl ResponseGuard {
    /// There is no more of the response.
    fn broke_off(&self) {
        if self.may_end_with_connection {
            self.state.require_reset();
        }
    }
}

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        // A session waits for no request.
        if !self.is_upgrade {
            self.state.response_written();
        }
    }
}

/// What is dropped when a response has been written, in this order.
type Guards = (ResponseGuard, Option<RequestPermit>);

pin_project! {
    /// The response to one request, in the making.
    pub(super) struct Responding<F> {
        #[pin]
        answer: Option<F>,
        // The program's own response.
        own: Option<Response<Full<Bytes>>>,
        // The upgrade that the request asks for.
        upgrade: Option<OnUpgrade>,
        refused: RefusedUpgrade,
        ended: Option<Guards>,
    }
}

impl<F, B> Future for Responding<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<GuardedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match (this.own.take(), this.answer.as_pin_mut()) {
            (Some(own), _) => own.map(Either::Right),
            (None, Some(answer)) => ready!(answer.poll(cx))?.map(Either::Left),
            (None, None) => return Poll::Pending,
        };
        let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if let Some(upgrade) = this.upgrade.take()
            && !is_upgrade
        {
            // There is only one: a refused upgrade ends its connection.
            let _first = this.refused.upgrade.set(upgrade);
        }
        let mut ended = this.ended.take();
        if let Some((written, _)) = &mut ended {
            written.is_upgrade = is_upgrade;
            written.state.response_began();
            if written.may_end_with_connection && ends_connection(&response) {
                // To one of HTTP/1.1 hyper adds that the connection is kept.
                *response.version_mut() = Version::HTTP_10;
            }
        }
        Poll::Ready(Ok(response.map(|body| GuardedBody { body, ended })))
    }
}

/// Whether a client of HTTP/1.0 gets the end of the connection behind this response: it says so, or its
/// body has no other end.
fn ends_connection(response: &Response<impl Body>) -> bool {
    let headers = response.headers();
    let has_length = headers.contains_key(header::CONTENT_LENGTH)
        || response.body().size_hint().exact().is_some();
    let lines = headers.get_all(header::CONNECTION).into_iter();
    let mut options = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    !has_length || options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

pin_project! {
    /// A response's body; hyper drops it when the last of it has been written.
    pub(super) struct GuardedBody<B> {
        #[pin]
        body: Either<B, Full<Bytes>>,
        ended: Option<Guards>,
    }
}

impl<B> Body for GuardedBody<B>
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
        let this = self.project();
        let part = this.body.poll_frame(cx);
        if let (Poll::Ready(Some(Err(_))), Some((written, _))) = (&part, this.ended) {
            written.broke_off();
        }
        part
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
