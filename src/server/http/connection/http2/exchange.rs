//! One request and its response.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Empty, Full};
use hyper::body::Body;
use hyper::service::Service;

use super::extended_connect::offer_stream;
use super::response::{self, Sent};
use super::streams::{ActiveRequest, Streams};
use crate::server::http::client_body::{ClientBody, Http2Body};
use crate::server::http::connection::service::GatedForward;
use crate::server::http::forward::ForwardBody;
use crate::server::http::health::HealthPage;
use crate::server::http::limiter::{ClientState, PeerState};
use crate::server::listener::proxy_header::Client;
use crate::{Gate, Http2Stream, LocalAddr, Rejection, ResponseBody, StreamSender};

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Exchanges {
    pub(super) gate: Gate,
    pub(super) handler: GatedForward,
    pub(super) health: Arc<HealthPage>,
    pub(super) client: Client,
    pub(super) local: Option<LocalAddr>,
    pub(super) streams: Arc<Streams>,
}

/// A request that is being answered. Dropping it resets its stream.
pub(super) struct Exchange {
    client: Arc<ClientState>,
    answering: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What a stream becomes if its handshake is accepted.
struct Tunnel {
    receive: RecvStream,
    sender: StreamSender,
}

impl Exchange {
    /// The connection is gone.
    pub(super) fn lose_client(&mut self) {
        self.client.set_peer(PeerState::Gone);
    }
}

impl Future for Exchange {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.answering.as_mut().poll(cx)
    }
}

impl Exchanges {
    pub(super) fn begin(
        &self,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) -> Exchange {
        let client = Arc::<ClientState>::default();
        let active = self.streams.begin_request();
        let answering = self
            .clone()
            .answer(request, respond, Arc::clone(&client), active);
        Exchange {
            client,
            answering: Box::pin(answering),
        }
    }

    async fn answer(
        self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        client: Arc<ClientState>,
        active: ActiveRequest,
    ) {
        let (mut parts, receive) = request.into_parts();
        let method = parts.method.clone();
        parts.extensions.insert(self.client.address);
        if let Some(local) = self.local {
            parts.extensions.insert(local);
        }
        if let Some(over_tls) = &self.client.over_tls {
            parts.extensions.insert(over_tls.clone());
        }
        let own = self.own_answer(&parts, &active);
        let (body, tunnel) = match method == Method::CONNECT {
            true => {
                let sender = offer_stream(&mut parts);
                (ClientBody::None, Some(Tunnel { receive, sender }))
            }
            false => {
                let body = Http2Body::new(receive, &parts.headers, &client);
                (ClientBody::Http2 { body }, None)
            }
        };
        let response = match own {
            Some(own) => own.map(Either::Right),
            None => {
                parts.extensions.insert(Arc::clone(&client));
                let request = Request::from_parts(parts, body);
                let Some(response) = self.ask(request, &mut respond, &client).await else {
                    self.streams.budget().note_reset();
                    return;
                };
                response.map(Either::Left)
            }
        };
        client.interim().end();
        match tunnel {
            Some(tunnel) if response.status().is_success() => {
                self.accept(response.map(drop), tunnel, respond);
            }
            tunnel => {
                if tunnel.is_some() {
                    self.streams.budget().note_refusal();
                }
                self.deliver(response, &method, respond, &client).await;
            }
        }
        drop(active);
    }

    /// The answer of the program itself, if there is one.
    fn own_answer(&self, parts: &Parts, active: &ActiveRequest) -> Option<Response<Full<Bytes>>> {
        // The page needs no descriptor beside the client's.
        if let Some(page) = self
            .health
            .answer(&parts.method, &parts.uri, &parts.headers)
        {
            return Some(page);
        }
        let rejection = (!active.is_admitted()).then_some(Rejection::Full)?;
        Some(self.gate.refuse(parts, rejection).into_response())
    }

    /// The handler's answer; none if the client resets the stream before. Interim answers go to the client as they
    /// come.
    async fn ask(
        &self,
        request: Request<ClientBody>,
        respond: &mut SendResponse<Bytes>,
        client: &ClientState,
    ) -> Option<Response<ResponseBody<ForwardBody>>> {
        let mut answer = pin!(Service::call(&self.handler, request));
        loop {
            tokio::select! {
                biased;
                response = &mut answer => {
                    send_interim(respond, client);
                    return response.ok();
                }
                () = client.interim().added() => send_interim(respond, client),
                _reset = poll_fn(|cx| respond.poll_reset(cx)) => {
                    // Known before the request is dropped, which asks why.
                    client.set_peer(PeerState::Gone);
                    return None;
                }
            }
        }
    }

    /// Accepts a handshake: the stream is the session's.
    fn accept(&self, response: Response<()>, tunnel: Tunnel, mut respond: SendResponse<Bytes>) {
        // An answer of somebody who takes a CONNECT for a GET.
        if response.status() != StatusCode::OK || tunnel.sender.is_closed() {
            return respond.send_reset(Reason::INTERNAL_ERROR);
        }
        let (parts, ()) = response.into_parts();
        let empty = Empty::<Bytes>::new();
        let (head, _) = response::head(parts, &empty, &Method::CONNECT);
        if let Ok(send) = respond.send_response(head, false) {
            let active = self.streams.begin_session();
            let stream = Http2Stream::new(send, tunnel.receive, active);
            tunnel.sender.send(stream);
        }
    }

    async fn deliver<B>(
        &self,
        response: Response<B>,
        method: &Method,
        mut respond: SendResponse<Bytes>,
        client: &ClientState,
    ) where
        B: Body<Data = Bytes>,
    {
        let (parts, body) = response.into_parts();
        let (head, has_body) = response::head(parts, &body, method);
        let Ok(stream) = respond.send_response(head, !has_body) else {
            client.set_peer(PeerState::Gone);
            return;
        };
        if !has_body {
            return;
        }
        let sent = response::send(body, stream, client).await;
        self.streams.set_write_limit(client.write_limit());
        if sent == Sent::Slow {
            self.streams.note_slow();
            let slow = &self.streams.limiter().counts().slow;
            slow.fetch_add(1, Ordering::Relaxed);
            if !client.is_slow_response_told() {
                let handle = self.gate.handle();
                handle.report_malformed(self.client.address, "slow_client");
            }
        }
    }
}

fn send_interim(respond: &mut SendResponse<Bytes>, client: &ClientState) {
    for (status, headers) in client.interim().take() {
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.headers_mut() = headers;
        // If the client is gone, the answer finds out.
        let _ = respond.send_informational(head);
    }
}
