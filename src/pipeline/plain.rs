//! The way of a plain HTTP request, as far as it is a handshake's: receive → route → policies.

mod connect;
mod http2;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::Entry;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header, request, response};
use http_body::Body;

use super::admit::admit as let_in;
use super::connection_key::ConnectionKey;
use super::core::Core;
use super::forwarding::{FORWARDED, Forwarding, UPSTREAM_IDLE, UPSTREAM_LOST};
use super::plain_body::{Delivered, Delivery, PlainRequestBody, PlainResponseBody, Undelivered};
use super::proxied::proxied_connection;
use super::receive::{Unrouted, receive_plain};
use super::refusal::{Refusal, refusal_of_connect};
use crate::config::ServerAddress;
use crate::error_report::ErrorReport;
use crate::framing;
use crate::handshake::{path_and_query, plain_request_headers};
use crate::rejection::Rejection;
use crate::request::plain_response_headers;
use crate::types::Side;
use crate::upstream::{Lease, Pool, ServerFailure, Tries};

/// A plain request that its route forwards and its policies have accepted, with a place on a server:
/// [`Gate::admit`](crate::Gate::admit).
///
/// Send [`PlainRequest::request`] on an idle connection of the same [`PlainRequest::connection_key`] or on a new one
/// ([`PlainRequest::connect`]), or on a stream of HTTP/2 where its server speaks that
/// ([`PlainRequest::connect_http2`]), and answer with [`PlainRequest::respond`], which makes of the server's response
/// what goes on to the client. Where there is no response, answer with the rejection of
/// [`PlainRequest::fail`], [`PlainRequest::refuse`] or [`PlainRequest::give_up`].
///
/// Its place and its grants last until the response is over. Then it is counted and logged: the bodies do it
/// that the two methods return. A request that is dropped before counts as abandoned by its client.
///
/// ```
/// # use std::error::Error;
/// # use http::{Request, Response, request::Parts};
/// # use http_body_util::Full;
/// # use bytes::Bytes;
/// # use wsgate::{Gate, PlainRequestBody, PlainResponseBody, Rejection};
/// # type Body = Full<Bytes>;
/// # async fn send<S>(_: S, _: Request<PlainRequestBody<Body>>) -> Result<Response<Body>, std::io::Error> {
/// #     Ok(Response::default())
/// # }
/// async fn forward(
///     gate: &Gate,
///     head: Parts,
///     body: Body,
/// ) -> Result<Response<PlainResponseBody<Body>>, Rejection> {
///     let admitted = gate.admit(head).await?;
///     let (admitted, stream) = admitted.connect().await?;
///     let request = admitted.request(body)?;
///     match send(stream, request).await {
///         Ok(response) => admitted.respond(response),
///         Err(error) => Err(admitted.fail(Rejection::UpstreamReset, Some(&error))),
///     }
/// }
/// ```
#[must_use = "a request that is dropped counts as abandoned by its client"]
pub struct PlainRequest {
    forwarding: Forwarding,
    pool: Pool,
    lease: Lease,
    headers: HeaderMap,
    path: String,
    /// What was tried over HTTP/2.
    tries: Option<Tries>,
}

/// Decides about a plain request, in the order of a handshake.
#[expect(clippy::result_large_err, reason = "it is taken apart at once")]
pub(crate) async fn admit(
    core: &Arc<Core>,
    mut parts: request::Parts,
) -> Result<PlainRequest, Rejection> {
    core.start_housekeeping();
    if let Some(unrouted) = parts.extensions.remove::<Unrouted>() {
        return Err(core.refuse_plain(&parts, unrouted.into()));
    }
    let settings = core.settings();
    if let Some(rejection) = refusal_of_connect(&parts) {
        return Err(refuse_by_host(core, &parts, rejection));
    }
    let mut forwarding = match receive_plain(core, &settings, parts) {
        Ok(handshake) => Forwarding::begin(core, handshake),
        Err((parts, refusal)) => return Err(core.refuse_plain(&parts, refusal)),
    };
    let route = Arc::clone(forwarding.handshake().settings());
    let admitted = match core.registry.is_draining() {
        true => Err(Rejection::Draining.into()),
        false => let_in(core, &settings, forwarding.handshake_mut()).await,
    };
    let pool = settings.pool(&route);
    let prepared: Result<_, Refusal> = admitted.and_then(|_| {
        let handshake = forwarding.handshake();
        let mut headers = plain_request_headers(handshake)?;
        let version = handshake.parts().version;
        core.pseudonym.sign(&mut headers, version)?;
        let path = route
            .upstream_path(handshake.path(), handshake.identity().map(Arc::as_ref))?
            .into_owned();
        Ok((headers, path, pool.place(handshake.client())?))
    });
    match prepared {
        Ok((headers, path, lease)) => Ok(PlainRequest {
            forwarding,
            pool: pool.clone(),
            lease,
            headers,
            path,
            tries: None,
        }),
        Err(refusal) => Err(forwarding.refuse(refusal)),
    }
}

/// Refuses a request before it is read.
pub(crate) fn refuse_by_host(
    core: &Arc<Core>,
    parts: &request::Parts,
    rejection: Rejection,
) -> Rejection {
    core.start_housekeeping();
    let mut refusal = Refusal::from(rejection);
    refusal.client = core.identify(&core.settings(), parts).ok();
    core.refuse_plain(parts, refusal)
}

/// Refuses a plain request where nothing but WebSockets is served.
pub(crate) fn refuse(core: &Arc<Core>, mut parts: request::Parts) -> Rejection {
    core.start_housekeeping();
    if let Some(unrouted) = parts.extensions.remove::<Unrouted>() {
        return core.refuse_plain(&parts, unrouted.into());
    }
    if let Some(rejection) = refusal_of_connect(&parts) {
        return refuse_by_host(core, &parts, rejection);
    }
    let (parts, refusal) = match receive_plain(core, &core.settings(), parts) {
        Err(refused) => refused,
        Ok(handshake) => {
            let client = *handshake.client_identity();
            let route = &handshake.settings().name;
            let target = handshake.target().clone();
            let refusal = Refusal::on(route, Rejection::NotUpgrade);
            let refusal = refusal.by(client).to(target);
            return core.refuse_plain(handshake.parts(), refusal);
        }
    };
    core.refuse_plain(&parts, refusal)
}

impl PlainRequest {
    /// The request as it was received.
    pub fn received(&self) -> &request::Parts {
        self.forwarding.handshake().parts()
    }

    /// Calls `why` if this is dropped before its response is over and no body reports the end. Without `why` its
    /// client counts as lost.
    pub fn with_cause(mut self, why: impl Fn() -> Undelivered + Send + Sync + 'static) -> Self {
        self.forwarding.set_cause(Box::new(why));
        self
    }

    /// A client that takes no byte of the response for so long is a slow reader.
    pub fn write_timeout(&self) -> Duration {
        self.forwarding.handshake().settings().http.write_timeout
    }

    /// How long its server may take to answer.
    pub fn response_timeout(&self) -> Duration {
        self.forwarding.handshake().settings().http.response_timeout
    }

    /// How long its server may be silent in the middle of a response; `None` is no limit.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.forwarding.handshake().settings().http.idle_timeout
    }

    /// Which idle connections it may be sent on.
    pub fn connection_key(&self) -> ConnectionKey {
        let proxied = proxied_connection(self.forwarding.handshake());
        ConnectionKey::of(&self.lease, proxied)
    }

    pub(crate) fn address(&self) -> &ServerAddress {
        self.lease.address()
    }

    /// What goes to its server. The bytes of the body are counted as they go. If the request names no host,
    /// which HTTP/1.0 allows, `Host` is that of the server.
    ///
    /// # Errors
    /// [`Rejection::Path`] to answer with, if the path comes out as none, and [`Rejection::Host`] if the
    /// server's address does as a `Host`; it is counted and logged.
    pub fn request<B>(&self, body: B) -> Result<Request<PlainRequestBody<B>>, Rejection> {
        let head = self.head().map_err(|rejection| self.refuse(rejection))?;
        Ok(Request::from_parts(head, self.count(body)))
    }

    /// Counts the bytes of the request's body.
    pub(crate) fn count<B>(&self, body: B) -> PlainRequestBody<B> {
        PlainRequestBody::new(body, Arc::clone(self.forwarding.traffic()))
    }

    /// The head that goes to its server.
    ///
    /// # Errors
    /// As [`PlainRequest::request`] has them.
    pub(crate) fn head(&self) -> Result<request::Parts, Rejection> {
        self.forwarding.set_server(self.lease.server());
        let handshake = self.forwarding.handshake();
        let path = path_and_query(
            self.lease.base_path(),
            &self.path,
            handshake.forwarded_query().as_deref(),
        );
        let mut sent = http::Request::new(()).into_parts().0;
        sent.method = handshake.method().clone();
        sent.uri = path.parse::<Uri>().map_err(|_| Rejection::Path)?;
        sent.headers = self.headers.clone();
        if let Entry::Vacant(host) = sent.headers.entry(header::HOST) {
            let authority = HeaderValue::try_from(self.address().authority());
            host.insert(authority.map_err(|_| Rejection::Host)?);
        }
        // A client such as hyper's takes a GET or HEAD for one without a body if no header says otherwise. No
        // other coding than `chunked` comes here.
        if self
            .received()
            .headers
            .contains_key(header::TRANSFER_ENCODING)
        {
            let chunked = HeaderValue::from_static("chunked");
            sent.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        self.forwarding.parents().inject(&mut sent.headers);
        Ok(sent)
    }

    /// What goes to the client of its server's response: without what ends at this hop, and with a body that
    /// tells the end. The server has answered: its earlier failures no longer count against it.
    ///
    /// # Errors
    /// [`Rejection::UpstreamBadResponse`] to answer with, if two readers of the head could find two
    /// ends of the body; it is counted and logged.
    pub fn respond<B: Body>(
        self,
        response: Response<B>,
    ) -> Result<Response<PlainResponseBody<B>>, Rejection> {
        let (mut head, body) = response.into_parts();
        self.clean(&mut head)?;
        let body = Arc::new(self).deliver(body);
        Ok(Response::from_parts(head, body))
    }

    /// The body of the response as it goes on.
    pub(crate) fn deliver<B: Body>(self: Arc<Self>, body: B) -> PlainResponseBody<B> {
        PlainResponseBody::new(body, self)
    }

    /// Takes out of the server's head what does not go on to the client.
    ///
    /// # Errors
    /// As [`PlainRequest::respond`] has them. Nothing of the body may go on then.
    pub(crate) fn clean(&self, response: &mut response::Parts) -> Result<(), Rejection> {
        framing::check(response)
            .map_err(|error| self.fail(Rejection::UpstreamBadResponse, Some(&error)))?;
        self.lease.note_answer();
        self.forwarding.answered(response.status);
        plain_response_headers(&mut response.headers);
        Ok(())
    }

    /// Takes out of the head of an interim answer (1xx) what does not go on to the client, for a host that passes
    /// them on (RFC 9110 §15.2).
    pub fn clean_interim(headers: &mut HeaderMap) {
        plain_response_headers(headers);
        // It has no body (RFC 9110 §8.6).
        headers.remove(header::CONTENT_LENGTH);
    }

    /// Refuses it because its server failed: both are counted and logged. Returns the rejection to
    /// answer with.
    pub fn fail(&self, rejection: Rejection, error: Option<&(dyn Error + 'static)>) -> Rejection {
        let failure = ServerFailure::Plain;
        let error = self.lease.at_fault(rejection, failure, error);
        self.forwarding.refuse(error)
    }

    /// Refuses it for no fault of its server; it is counted and logged. Returns the rejection to
    /// answer with.
    pub fn refuse(&self, rejection: Rejection) -> Rejection {
        self.forwarding.refuse(rejection)
    }

    /// Its client has left in the middle of its body: there is nobody to refuse it to.
    pub fn abandon(&self) {
        self.forwarding.abandon();
    }

    /// Refuses it because its server has not answered yet, which counts as no failure; it is logged
    /// with the server. Returns the rejection to answer with.
    pub fn give_up(&self, rejection: Rejection) -> Rejection {
        self.forwarding.refuse(self.lease.refused(rejection, None))
    }

    /// Its server has broken the response off: that is a failure of the server, and the end of the request.
    pub(crate) fn broke_off(&self, error: &(dyn Error + 'static)) {
        self.stopped(UPSTREAM_LOST, error);
    }

    /// The same for a server that was silent for longer than it may be.
    pub(crate) fn fell_silent(&self, error: &(dyn Error + 'static)) {
        self.stopped(UPSTREAM_IDLE, error);
    }

    fn stopped(&self, reason: &'static str, error: &(dyn Error + 'static)) {
        if self.forwarding.end(reason, Some(&ErrorReport(error))) {
            let message = "a response to a plain request stopped";
            self.lease.log_failure(ServerFailure::Plain, message, error);
        }
    }
}

impl Delivery for PlainRequest {
    fn passed(&self, bytes: u64) {
        self.forwarding.traffic().add(Side::Upstream, bytes);
    }

    fn ended(&self, how: Delivered<'_>) {
        let reason = match how {
            Delivered::Whole => FORWARDED,
            Delivered::Failed(error) if is_timeout(error) => return self.fell_silent(error),
            Delivered::Failed(error) => return self.broke_off(error),
            Delivered::Dropped(why) => why.as_str(),
        };
        self.forwarding.end(reason, None);
    }
}

/// Whether an error is a time-out of a host that has one on the pauses of a body.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The headers stay out: they may hold secrets.
impl fmt::Debug for PlainRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainRequest")
            .field("handshake", self.forwarding.handshake())
            .finish_non_exhaustive()
    }
}
