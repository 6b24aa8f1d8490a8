//! Sockets that are no more than what a peer says, and the two ends of HTTP on them.
//!
//! Both ends are hyper's, set as the gate sets them. Nothing waits for anything outside, so that
//! they are polled to their end without a runtime.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(feature = "server")]
use crate::server::RequestLines;

/// A socket whose peer says what it has to say, in pieces, waits a while and hangs up.
pub(super) struct Script {
    says: Says,
    at: usize,
    /// The most that one read gets; 0 is all there is.
    piece: usize,
    /// So many reads find nothing yet.
    late: u32,
    heard: Heard,
}

/// What the peer was told.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<u8>>>);

enum Says {
    Now(Vec<u8>),
    /// It depends on the head that it is told.
    Then(Option<Reply>),
}

/// What a peer says to what it was told.
type Reply = Box<dyn FnOnce(&[u8]) -> Vec<u8> + Send>;

impl Script {
    pub(super) fn new(says: &[u8], piece: usize) -> (Self, Heard) {
        Self::saying(Says::Now(says.to_vec()), piece)
    }

    pub(super) fn replying(
        reply: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static,
        piece: usize,
    ) -> (Self, Heard) {
        Self::saying(Says::Then(Some(Box::new(reply))), piece)
    }

    fn saying(says: Says, piece: usize) -> (Self, Heard) {
        let heard = Heard::default();
        let script = Self {
            says,
            at: 0,
            piece,
            late: u32::from(piece > 0),
            heard: heard.clone(),
        };
        (script, heard)
    }

    /// What has not been read of it.
    pub(super) fn unread(&self) -> &[u8] {
        match &self.says {
            Says::Now(bytes) => &bytes[self.at..],
            Says::Then(_) => b"",
        }
    }
}

impl Heard {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(left) = this.late.checked_sub(1) {
            this.late = left;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Says::Then(reply) = &mut this.says {
            let heard = this.heard.bytes();
            if !heard.ends_with(b"\r\n\r\n") {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let reply = reply.take().map(|reply| reply(&heard));
            this.says = Says::Now(reply.unwrap_or_default());
        }
        let rest = this.unread();
        let most = match this.piece {
            0 => rest.len(),
            piece => piece,
        };
        let length = rest.len().min(most).min(buf.remaining());
        buf.put_slice(&rest[..length]);
        this.at += length;
        this.late = match this.unread() {
            // Time for an answer, before it hangs up.
            [] => 4,
            _ => u32::from(this.piece > 0),
        };
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let heard = &self.heard.0;
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A client's socket, as the program shows it to what follows the request lines.
struct Followed {
    script: Script,
    lines: Arc<RequestLines>,
}

impl Followed {
    fn new(says: &[u8], piece: usize) -> (Self, Arc<RequestLines>, Heard) {
        let (script, heard) = Script::new(says, piece);
        let lines = Arc::<RequestLines>::default();
        let followed = Self {
            script,
            lines: Arc::clone(&lines),
        };
        (followed, lines, heard)
    }
}

impl AsyncRead for Followed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.script).poll_read(cx, buf);
        this.lines.read(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Followed {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().script).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Without the program nobody follows them.
#[cfg(not(feature = "server"))]
#[derive(Default)]
struct RequestLines;

#[cfg(not(feature = "server"))]
impl RequestLines {
    fn read(&self, _: &[u8]) {}

    fn begin_request(&self, _: &Incoming) -> bool {
        false
    }
}

/// Polls a future to its end, which has to come.
pub(super) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MOST_POLLS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("it goes on, though all has been said");
}

/// More than there are bytes in an input.
const MOST_POLLS: usize = 1 << 20;

/// Serves what a client says as the program does, and returns what the client is told. The answer may
/// depend on whether the request's line held a `#`.
pub(super) fn serve(
    says: &[u8],
    piece: usize,
    answer: impl Fn(Parts, bool) -> Response<Full<Bytes>>,
) -> Vec<u8> {
    let (socket, lines, heard) = Followed::new(says, piece);
    let service = service_fn(|request: Request<Incoming>| {
        let has_fragment = lines.begin_request(request.body());
        let answer = answer(request.into_parts().0, has_fragment);
        ready(Ok::<_, Infallible>(answer))
    });
    // An error is hyper's to answer; what it answers is looked at like any other answer.
    let _ended = run(http().serve_connection(TokioIo::new(socket), service));
    heard.bytes()
}

/// Answers all that a client says on one connection, as the program does where it forwards plain
/// requests, and shows each request, and whether its line held a `#`.
pub(super) fn serve_on(says: &[u8], piece: usize, show: impl Fn(&Parts, bool)) {
    let (socket, lines, _heard) = Followed::new(says, piece);
    let service = service_fn(|request: Request<Incoming>| {
        let has_fragment = lines.begin_request(request.body());
        let (parts, body) = request.into_parts();
        show(&parts, has_fragment);
        async {
            let _read = body.collect().await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let _ended = run(http().serve_connection(TokioIo::new(socket), service));
}

/// Hyper as the program sets it.
fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.max_header_size(HEAD_SIZE)
        .max_buf_size(HEAD_SIZE)
        .max_headers(100);
    http
}

/// The program's `server.head_size`.
const HEAD_SIZE: usize = 16 * 1024;
