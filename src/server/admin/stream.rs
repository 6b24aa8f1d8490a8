//! The body of `GET /events`.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::access::Admission;
use super::event;
use super::library::{EventKind, EventStream as Events};

/// A body that continues for as long as its client reads it.
///
/// No other response outlives its connection's minute, so this one has ends of its own: the end of
/// a drain, another token, and the interface leaving its address. A reader that takes no byte is
/// cut off as with any other response; one that is slow loses events, and delays nothing else.
pub(super) struct EventStream {
    events: Events,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    ping: Interval,
    has_begun: bool,
    _tracked: TaskTrackerToken,
}

/// How often a stream on which nothing happens says that it is there.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Events in one piece of the body.
const MAX_EVENTS: usize = 32;

impl EventStream {
    pub(super) fn new(events: Events, admission: Admission, tracked: TaskTrackerToken) -> Self {
        let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            events,
            ended: Box::pin(admission.ended()),
            ping,
            has_begun: false,
            _tracked: tracked,
        }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let mut text = String::new();
        if !std::mem::replace(&mut this.has_begun, true) {
            // The client sees that its subscription has begun before the first event.
            text.push_str(": listening\n\n");
        }
        if let Some(count) = this.events.take_lost() {
            write_event(&mut text, None, "lost", event::lost(count));
        }
        for _ in 0..MAX_EVENTS {
            match this.events.poll_next(cx) {
                Poll::Ready(Some(event)) => {
                    let kind = event.event.kind().map_or("", EventKind::as_str);
                    write_event(&mut text, Some(event.number), kind, event::data(&event));
                }
                Poll::Ready(None) if text.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if text.is_empty() {
            if this.ping.poll_tick(cx).is_pending() {
                return Poll::Pending;
            }
            text.push_str(": ping\n\n");
        }
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

/// JSON on one line is one line of data.
fn write_event(
    text: &mut String,
    number: Option<u64>,
    kind: &str,
    data: serde_json::Result<String>,
) {
    // Nothing fails to be written to a string, and none of these to be JSON.
    if let Some(number) = number {
        let _written = writeln!(text, "id: {number}");
    }
    let _written = write!(
        text,
        "event: {kind}\ndata: {}\n\n",
        data.unwrap_or_default()
    );
}
