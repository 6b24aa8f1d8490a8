use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use rstest::rstest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// A client that sends these bytes, so many at once, and hears nothing.
struct Client {
    lines: Arc<RequestLines>,
    bytes: Vec<u8>,
    piece: usize,
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.piece.min(self.bytes.len()).min(buf.remaining());
        let piece: Vec<u8> = self.bytes.drain(..length).collect();
        self.lines.read(&piece);
        buf.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The paths of the requests that hyper hands out, and whether a `#` is found in their lines.
async fn served(text: &str, piece: usize) -> Vec<(String, bool)> {
    let lines = Arc::new(RequestLines::default());
    let client = Client {
        lines: Arc::clone(&lines),
        bytes: text.into(),
        piece,
    };
    let found = Mutex::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let has_fragment = lines.begin_request(request.body());
        let path = request.uri().path().to_owned();
        found.lock().unwrap().push((path, has_fragment));
        async {
            // Hyper keeps a connection only if the body has been read.
            let _read = request.into_body().collect().await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(client), service);
    let _ended = connection.await;
    found.into_inner().unwrap()
}

/// Requests whose paths say whether there is a `#` in their lines.
const REQUESTS: [&str; 16] = [
    "GET /without HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /with# HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /with#/../x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /with?x#y HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a/with#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\n\r\nGET /with#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /without HTTP/1.1\r\nHost: a\r\nReferer: http://a/#b\r\nX: GET /#b\r\n\r\n",
    "GET /with#x HTTP/1.1\nHost: a\nX: y\n\n",
    "GET /without HTTP/1.1\nHost: a\nX: #\n\n",
    "POST /without HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nGET /x#y HTTP/1.1\r\nHost: a\r\n",
    "POST /with#x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    "POST /without HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     5;x=#\r\n#\r\n0\r\r\n0a \r\nGET /x#y H\r\n0\r\n\r\n",
    "POST /with#x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     1\r\n#\r\n000\r\nX: #\r\nY: y\r\n\r\n",
    "POST /without HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     1\r\n#\r\n0\r\nX: y\n\r\n\r\n",
    "\n\nOPTIONS /without HTTP/1.1\r\nHost: a\r\n\r\n",
    "M#M /without HTTP/1.1\r\nHost: a\r\n\r\n",
];

#[rstest]
#[tokio::test]
async fn every_fragment_is_found_and_nothing_else(#[values(1, 2, 3, 7, 61, 100_000)] piece: usize) {
    let text = REQUESTS.concat();
    let found = served(&text, piece).await;
    assert_eq!(found.len(), REQUESTS.len(), "{found:?}");
    for (path, has_fragment) in found {
        assert_eq!(has_fragment, path == "/with", "{path}");
    }
}

#[test]
fn a_request_that_was_not_followed_is_not_vouched_for() {
    let lines = RequestLines::default();
    lines.read(b"GET / HTTP/1.1\r\n");
    assert!(lines.begin_request(&Empty::<Bytes>::new()));
    assert!(lines.begin_request(&Empty::<Bytes>::new()));
    lines.read(b"GET / HTTP/1.1\r\n\r\n");
    assert!(!lines.begin_request(&Empty::<Bytes>::new()));
}

proptest! {
    #[test]
    fn requests_are_told_apart_in_any_order_and_pieces(
        chosen in prop::collection::vec(0..REQUESTS.len(), 1..8),
        piece in 1_usize..300,
    ) {
        let text: String = chosen.iter().map(|index| REQUESTS[*index]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(served(&text, piece));
        prop_assert_eq!(found.len(), chosen.len());
        for (path, has_fragment) in found {
            prop_assert_eq!(has_fragment, path == "/with", "{}", path);
        }
    }
}
