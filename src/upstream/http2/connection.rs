//! Opening one HTTP/2 connection to a server.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use h2::client::Builder;

use super::driver::{Driver, Heard};
use super::places::{MOST_STREAMS, Places};
use crate::transport::Transport;
use crate::upstream::connect_error::ConnectError;

/// What a server may send on a stream before the session has passed it on.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all streams of a connection: however many of them stall, the others go on.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MOST_STREAMS as u32;

/// What the small DATA frames of stalled streams may take beyond their payload, by the count of the crate h2, which
/// gives the connection up beyond it. A window full of messages of 16 bytes takes one MiB.
const FRAME_OVERHEAD: usize = MOST_STREAMS * 1024 * 1024;

/// What a stream holds of data that the connection has not sent yet.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams that were reset are remembered for so long, and so many of them, because their server may still be sending.
const RESET_MEMORY: Duration = Duration::from_secs(10);
const MOST_RESET: usize = 10 * MOST_STREAMS;

/// A limit on streams that no server can set, so that the first settings of a server are told from none.
const NO_SETTINGS: usize = usize::MAX - 1;

/// Begins HTTP/2 with a server, and waits for its settings, which are the first that it sends (RFC 9113 §3.4).
pub(super) async fn open(
    transport: Transport,
    head_size: usize,
) -> Result<(Arc<Places>, Driver), ConnectError> {
    let (transport, heard) = Heard::new(transport);
    let opened = Builder::new()
        .initial_max_send_streams(NO_SETTINGS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(FRAME_OVERHEAD)
        .max_header_list_size(u32::try_from(head_size).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .reset_stream_duration(RESET_MEMORY)
        .max_concurrent_reset_streams(MOST_RESET)
        .enable_push(false)
        .handshake(transport);
    let (sender, mut http) = opened.await.map_err(no_http2)?;
    poll_fn(|cx| match Pin::new(&mut http).poll(cx) {
        Poll::Pending if sender.current_max_send_streams() != NO_SETTINGS => Poll::Ready(Ok(())),
        Poll::Ready(Ok(())) => Poll::Ready(Err(ConnectError::NoHttp2(
            io::ErrorKind::UnexpectedEof.into(),
        ))),
        Poll::Ready(Err(error)) => Poll::Ready(Err(no_http2(error))),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    let places = Arc::new(Places::new(sender));
    let driver = Driver::new(http, heard, Arc::clone(&places));
    Ok((places, driver))
}

fn no_http2(error: h2::Error) -> ConnectError {
    ConnectError::NoHttp2(io::Error::other(error))
}
