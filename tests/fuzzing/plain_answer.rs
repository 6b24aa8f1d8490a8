//! An upstream's bytes as the answer to a plain request, up to what the client is told.

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::Ways;
use super::head::Head;
use super::said::Said;
use super::wire::{Script, run, serve};
use crate::framing;
use crate::request::plain_response_headers;

/// A `GET` that the server answers with these bytes: the client is told what a simple reader of the
/// RFC makes of them, or that they are wrong.
pub(super) fn check_plain(ways: Ways, says: &[u8]) {
    let Some((parts, body)) = ask(ways, says) else {
        return;
    };
    let said = Said::read(says).expect("an answer where the gate found one");
    let expected = said.body().expect("a body that every reader finds");
    assert_eq!((parts.status.as_u16(), &*body), (said.status, &*expected));
    let told = serve(CLIENT, 0, |_, _| {
        Response::from_parts(parts.clone(), Full::new(body.clone()))
    });
    let head = Head::read(&told);
    assert_eq!(head.status(), said.status);
    let length = head.one("content-length").map(|length| length.parse());
    let length = length.map(|length| length.expect("a number"));
    assert!(head.all("transfer-encoding").is_empty());
    assert!(length.is_some() || body.is_empty(), "an end that is none");
    assert!(length.is_none_or(|length: usize| length == body.len()));
    assert_eq!(head.rest, body);
}

const CLIENT: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// What the forwarder has of an answer, if it passes that on.
fn ask(ways: Ways, says: &[u8]) -> Option<(Parts, Bytes)> {
    let said = says.to_vec();
    let piece = if ways.has(0) { 7 } else { 0 };
    let (server, _heard) = Script::replying(move |_| said, piece);
    let request = Request::get("/").header("host", "a.test");
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    run(async {
        let opened = http1::handshake(TokioIo::new(server)).await;
        let (mut sender, connection) = opened.ok()?;
        let answer = async move {
            let response = sender.send_request(request).await.ok()?;
            let (mut parts, body) = response.into_parts();
            if parts.status == 101 {
                return None;
            }
            framing::check(&mut parts).ok()?;
            plain_response_headers(&mut parts.headers);
            Some((parts, body.collect().await.ok()?.to_bytes()))
        };
        let (answer, _ended) = tokio::join!(answer, connection);
        answer
    })
}
