//! The last answer of a connection, where hyper gives none.

use hyper::StatusCode;
use socket2::SockRef;

/// An answer without a body, behind which the connection ends.
pub(crate) fn last_answer(status: StatusCode) -> String {
    let retry_after = match status {
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 5\r\n",
        _ => "",
    };
    format!("HTTP/1.1 {status}\r\n{retry_after}connection: close\r\ncontent-length: 0\r\n\r\n")
}

/// What a client of plain HTTP reads that has connected to a listener with TLS.
pub(crate) fn plain_on_tls() -> String {
    const TEXT: &str = "this port speaks TLS: use https:// or wss://\n";
    let status = StatusCode::BAD_REQUEST;
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n\r\n{TEXT}",
        TEXT.len()
    )
}

/// Answers 503 on a socket that was only just accepted and is closed at once, without a wait: it has
/// room for that much. What has come by now is read, because unread bytes would reset the connection.
pub(crate) fn refuse_at_once(socket: &SockRef<'_>) {
    let answer = last_answer(StatusCode::SERVICE_UNAVAILABLE);
    let refused = socket
        .set_nonblocking(true)
        .and_then(|()| socket.send(answer.as_bytes()))
        .and_then(|_| socket.shutdown(std::net::Shutdown::Write));
    if let Err(error) = refused {
        tracing::debug!(%error, "a connection was closed without an answer");
    }
    let mut discarded = [std::mem::MaybeUninit::uninit(); 4096];
    let _nothing_more = socket.recv(&mut discarded);
}
