//! `GET /events`: what happens, as it happens, as server-sent events (the HTML standard, §9.2).

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Either;
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::AdminService;
use super::answer::{Answer, answer_with, error};
use super::query::BadQuery;
use super::router::Asked;
use super::timestamp::timestamp;
use crate::events::{Ending, Event, Kind, Listening, NotHeard, Refusal, Session, Wants, What};

/// A body that goes on for as long as somebody reads it.
///
/// It is the one answer that outlives [`LIFETIME`](super::LIFETIME), so it has ends of its own: the
/// end of a drain, another token, and the interface leaving its address. Whoever takes no byte of it
/// is cut off as with any other answer; whoever is slow loses events, and holds up nobody.
pub(in crate::server) struct EventStream {
    listening: Listening,
    ends: Pin<Box<dyn Future<Output = ()> + Send>>,
    ping: Interval,
    has_begun: bool,
    _tracked: TaskTrackerToken,
}

/// How often a stream on which nothing happens says that it is there.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Events in one piece of the body.
const AT_ONCE: usize = 32;

/// `GET /events`
pub(super) fn stream(admin: &AdminService, asked: &Asked<'_>) -> Result<Answer, BadQuery> {
    let kinds = asked.query.words("kind", &Kind::ALL.map(Kind::as_str))?;
    let is_asked_for = |kind: &Kind| {
        let kinds = kinds.as_ref();
        kinds.is_none_or(|kinds| kinds.contains(&kind.as_str()))
    };
    let wants = Wants {
        kinds: Kind::ALL.into_iter().filter(is_asked_for).collect(),
        route: asked.query.name("route")?,
    };
    let refuse = |sentence| Ok(error(StatusCode::SERVICE_UNAVAILABLE, sentence));
    let listening = match admin.inner.handle.listen(wants) {
        Ok(listening) => listening,
        Err(NotHeard::Full) => return refuse("eight listen already: that is as many as may"),
        Err(NotHeard::Ended) => {
            return refuse("the gate has drained, and nothing happens any more");
        }
    };
    let stream = EventStream {
        listening,
        ends: Box::pin(either(admin.closing.clone(), asked.let_in.clone())),
        ping: pings(),
        has_begun: false,
        _tracked: admin.inner.streams.token(),
    };
    Ok(answer_with(
        StatusCode::OK,
        "text/event-stream",
        Either::Right(stream),
    ))
}

async fn either(one: CancellationToken, other: CancellationToken) {
    tokio::select! {
        () = one.cancelled() => {}
        () = other.cancelled() => {}
    }
}

fn pings() -> Interval {
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.ends.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let mut text = String::new();
        if !std::mem::replace(&mut this.has_begun, true) {
            // Whoever asked sees that it is heard before anything happens.
            text.push_str(": listening\n\n");
        }
        if let Some(count) = this.listening.take_lost() {
            write_event(&mut text, None, "lost", &json!({ "count": count }));
        }
        for _ in 0..AT_ONCE {
            match this.listening.poll_next(cx) {
                Poll::Ready(Some(event)) => {
                    let (number, kind) = (Some(event.number), event.kind().as_str());
                    write_event(&mut text, number, kind, &describe(&event));
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
fn write_event(text: &mut String, number: Option<u64>, kind: &str, data: &Value) {
    // Nothing fails to be written to a string.
    if let Some(number) = number {
        let _written = writeln!(text, "id: {number}");
    }
    let _written = write!(text, "event: {kind}\ndata: {data}\n\n");
}

fn describe(event: &Event) -> Value {
    let mut data = match &event.what {
        What::Open(session) => of_session(session),
        What::Close(session, ending) => of_ending(of_session(session), ending),
        What::Reject(refusal) => of_refusal(refusal),
    };
    data["time"] = timestamp(event.time).into();
    data
}

fn of_session(session: &Session) -> Value {
    json!({
        "id": session.id.get(),
        "route": &*session.route,
        "client": session.client,
        "peer": session.peer.to_string(),
        "upstream": &*session.upstream,
        "server": &*session.server,
        "opened": timestamp(session.opened),
    })
}

fn of_ending(mut data: Value, ending: &Ending) -> Value {
    let duration = u64::try_from(ending.duration.as_millis()).unwrap_or(u64::MAX);
    data["duration_ms"] = duration.into();
    data["messages_from_client"] = ending.messages_from_client.into();
    data["bytes_from_client"] = ending.bytes_from_client.into();
    data["messages_from_upstream"] = ending.messages_from_upstream.into();
    data["bytes_from_upstream"] = ending.bytes_from_upstream.into();
    data["closed_by"] = ending.closed_by.into();
    data["code"] = ending.code.into();
    data["reason"] = ending.reason.into();
    data
}

fn of_refusal(refusal: &Refusal) -> Value {
    json!({
        "reason": refusal.reason,
        "status": refusal.status,
        "route": refusal.route.as_deref(),
        "client": refusal.client,
        "peer": refusal.peer.map(|peer| peer.to_string()),
        "upstream": refusal.upstream.as_deref(),
        "server": refusal.server.as_deref(),
        "error": refusal.error,
    })
}

#[cfg(test)]
mod tests;
