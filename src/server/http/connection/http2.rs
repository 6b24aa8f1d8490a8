//! A connection of HTTP/2: many requests and sessions at once, each on a stream (RFC 9113, RFC 8441).
//!
//! ```text
//! connection ─► stream ─► Exchange ─► response, or an Http2Stream that the session keeps
//! ```
//!
//! The crate h2 itself, and not hyper's server on it: that sends no interim answers (1xx), ends the stream of
//! a session that is cut as if it had ended well, and hands what a session writes to another task first.

mod budget;
mod exchange;
pub(crate) mod extended_connect;
mod response;
mod streams;
mod watched_socket;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::context::{ClientConnection, ConnectionContext};
use super::early_bytes::EarlySocket;
use super::end::End;
use super::head_deadline::HeadLimits;
use crate::server::http::limiter::ConnectionState;
use crate::{ClientAddr, ErrorReport, config};
use exchange::{Exchange, Exchanges};
use streams::Streams;
use watched_socket::WatchedSocket;

/// Streams at once: as many as nginx and Envoy at the edge take, and browsers need. More sessions of a client take another
/// connection, whose streams another worker may serve.
const MOST_STREAMS: u32 = 100;

/// What a client may send on a stream ahead of its reader. Behind a reader that stops, so much waits here, as much as
/// the buffers of a TCP socket hold.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all streams together. Sixteen that are read by nobody leave nothing for the others; each of them ends
/// at the write timeout of its reader. It is also what a client can make this process hold without any session.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What waits on a stream for the socket to take it.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams that the client may have reset before they were looked at, and those that were reset for an error of the
/// client: beyond that it gets GOAWAY (ENHANCE_YOUR_CALM).
const MOST_PENDING_RESETS: usize = 20;
const MOST_LOCAL_RESETS: usize = 100;

/// The word of the log for a client that sends what costs much and asks for nothing.
const FLOOD: &str = "h2_flood";

/// How long the client has to take a GOAWAY and to end the connection.
const GOODBYE: Duration = Duration::from_secs(5);

/// h2's part of the settings.
pub(crate) fn builder(settings: &config::Server) -> Builder {
    let mut http = Builder::new();
    let head_size = u32::try_from(settings.head_size).unwrap_or(u32::MAX);
    http.enable_connect_protocol()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(head_size)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
        .max_local_error_reset_streams(Some(MOST_LOCAL_RESETS));
    http
}

/// One connection while it is served.
struct Serving {
    connection: Connection<WatchedSocket, Bytes>,
    exchanges: Exchanges,
    /// Those that are under way.
    open: FuturesUnordered<Exchange>,
    streams: Arc<Streams>,
    state: Arc<ConnectionState>,
    access: Arc<Access>,
}

/// How far the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The process or the listener stops, or others may connect by now; sessions are open, and end first.
    Closing,
    /// The client has got a GOAWAY; since then.
    Goodbye(Instant),
}

/// Why a connection ended.
#[derive(Debug)]
enum Ended {
    /// It did so itself.
    Closed,
    /// By an error of the client's, of the transport or of h2.
    Failed(h2::Error),
    /// The client did not end it after its GOAWAY.
    Left,
    /// The client took nothing of what had ended.
    Slow,
}

/// A request, and where its response goes.
type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Serves the connection and the sessions on it, to its end.
pub(super) async fn serve(context: &ConnectionContext, connection: ClientConnection) {
    let ClientConnection {
        socket,
        early,
        client,
        local,
        permit,
        handler,
        access,
        closing,
    } = connection;
    let address = client.address;
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    let limits = context.limits.head;
    let (socket, writes) = WatchedSocket::new(EarlySocket::new(early, socket));
    let deadline = state.idle_since() + limits.handshake_timeout;
    let opened = tokio::select! {
        biased;
        () = closing.cancelled() => return,
        () = state.evicted() => return End::evicted(false).count(&limiter),
        opened = timeout_at(deadline, context.http2.handshake(socket)) => opened,
    };
    let connection = match opened {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return report(context, address, &error),
        Err(_late) => return End::Silent.count(&limiter),
    };
    let streams = Streams::new(Arc::clone(&limiter), Arc::clone(&state), writes);
    let mut serving = Serving {
        connection,
        exchanges: Exchanges {
            gate: context.gate.clone(),
            handler,
            health: Arc::clone(&context.health),
            client,
            local,
            streams: Arc::clone(&streams),
        },
        open: FuturesUnordered::new(),
        streams: Arc::clone(&streams),
        state,
        access,
    };
    let ended = run(&mut serving, &limits, &closing, context, address).await;
    serving.end();
    match ended {
        Ended::Failed(error) => report(context, address, &error),
        Ended::Slow if !streams.is_slow_told() => {
            End::SlowReader.count(&limiter);
            context.report(End::SlowReader, address);
        }
        Ended::Closed | Ended::Left | Ended::Slow => {}
    }
}

async fn run(
    serving: &mut Serving,
    limits: &HeadLimits,
    closing: &CancellationToken,
    context: &ConnectionContext,
    client: ClientAddr,
) -> Ended {
    let (state, streams) = (Arc::clone(&serving.state), Arc::clone(&serving.streams));
    let mut phase = Phase::Open;
    let mut timer = Box::pin(sleep_until(state.idle_since() + limits.handshake_timeout));
    loop {
        let due = phase.due(&state, &streams, limits);
        if let Some(due) = due
            && (timer.is_elapsed() || timer.deadline() > due)
        {
            timer.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            accepted = poll_fn(|cx| serving.poll_accept(cx)) => match accepted {
                Some(Ok(accepted)) if serving.access.is_over() => phase = serving.refuse(accepted, phase),
                Some(Ok(accepted)) => serving.begin(accepted),
                Some(Err(error)) if phase.is_before_goodbye() => return Ended::Failed(error),
                // What we have ended is told already.
                Some(Err(_)) => return Ended::Left,
                None => return Ended::Closed,
            },
            () = closing.cancelled(), if phase == Phase::Open => phase = Phase::Closing,
            () = state.evicted(), if phase.is_before_goodbye() => {
                End::evicted(false).count(streams.limiter());
                phase = serving.leave(Reason::NO_ERROR);
            }
            () = streams.changed() => {}
            () = timer.as_mut(), if due.is_some() => {
                let is_due = phase.due(&state, &streams, limits).is_some_and(|due| due <= Instant::now());
                match phase {
                    _ if !is_due => {}
                    _ if streams.unsent_since().is_some() => return Ended::Slow,
                    Phase::Goodbye(_) => return Ended::Left,
                    Phase::Open | Phase::Closing => {
                        if !state.had_request() {
                            End::Silent.count(streams.limiter());
                        }
                        phase = serving.say_goodbye();
                    }
                }
            }
        }
        if phase.is_before_goodbye() && streams.budget().is_flood() {
            context.gate.handle().report_malformed(client, FLOOD);
            phase = serving.leave(Reason::ENHANCE_YOUR_CALM);
        }
        let may_leave =
            streams.budget().is_spent() || phase == Phase::Closing && !streams.has_sessions();
        if phase.is_before_goodbye() && may_leave {
            phase = serving.say_goodbye();
        }
    }
}

impl Serving {
    /// The next request. It carries all exchanges on, and the connection itself.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Accepted, h2::Error>>> {
        // First, because the connection sends what they write.
        while let Poll::Ready(Some(())) = self.open.poll_next_unpin(cx) {}
        let accepted = self.connection.poll_accept(cx);
        // A request that has just come is none that has ended.
        if accepted.is_pending() {
            self.streams.settle(self.connection.has_streams());
        }
        accepted
    }

    fn begin(&mut self, (request, respond): Accepted) {
        self.open.push(self.exchanges.begin(request, respond));
    }

    /// Refuses a request by a connection that the client might not open by now. A client that asks for more has to
    /// know that it takes another connection: it may send there what is not processed (RFC 9113 §8.7).
    fn refuse(&mut self, (_, mut respond): Accepted, phase: Phase) -> Phase {
        respond.send_reset(Reason::REFUSED_STREAM);
        match phase.is_before_goodbye() {
            true => self.say_goodbye(),
            false => phase,
        }
    }

    /// Asks the client to take another connection for what it has not sent yet. What is open goes on.
    fn say_goodbye(&mut self) -> Phase {
        self.connection.graceful_shutdown();
        Phase::Goodbye(Instant::now())
    }

    /// Ends the connection and all that is open on it.
    fn leave(&mut self, reason: Reason) -> Phase {
        self.connection.abrupt_shutdown(reason);
        Phase::Goodbye(Instant::now())
    }

    /// The connection is over: so are the exchanges on it, because their client is gone.
    fn end(mut self) {
        self.streams.end();
        for exchange in self.open.iter_mut() {
            exchange.lose_client();
        }
    }
}

impl Phase {
    fn is_before_goodbye(self) -> bool {
        match self {
            Self::Open | Self::Closing => true,
            Self::Goodbye(_) => false,
        }
    }

    /// When a connection on which nothing is open has been kept for long enough.
    fn due(
        self,
        state: &ConnectionState,
        streams: &Streams,
        limits: &HeadLimits,
    ) -> Option<Instant> {
        if let Some(since) = streams.unsent_since() {
            return Some(since + streams.write_limit());
        }
        let idle_since = state.is_idle().then(|| state.idle_since())?;
        Some(match self {
            Self::Goodbye(since) => idle_since.max(since) + GOODBYE,
            Self::Open | Self::Closing if state.had_request() => {
                idle_since + limits.keepalive_timeout
            }
            Self::Open | Self::Closing => idle_since + limits.handshake_timeout,
        })
    }
}

/// Logs the end of a connection that broke HTTP/2. To leave is not worth a line.
fn report(context: &ConnectionContext, client: ClientAddr, error: &h2::Error) {
    let reason = match error.reason() {
        _ if error.is_io() || error.is_remote() => None,
        Some(Reason::ENHANCE_YOUR_CALM) => Some(FLOOD),
        Some(Reason::NO_ERROR) | None => None,
        Some(_) => Some("bad_request"),
    };
    match reason {
        Some(reason) => context.gate.handle().report_malformed(client, reason),
        None => tracing::debug!(%client, error = %ErrorReport(error), "connection ended"),
    }
}
