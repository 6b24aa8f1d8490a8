//! Interim answers (1xx) of a server, which hyper passes over without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Request, StatusCode};
use hyper::ext::on_informational;
use tokio::sync::Notify;

use super::upload::Progress;
use crate::PlainRequest;
use crate::server::http::limiter::ClientState;

/// What the interim answers to one request have taken so far.
#[derive(Clone, Default)]
pub(super) struct Interim(Arc<Taken>);

#[derive(Default)]
struct Taken {
    bytes: AtomicUsize,
    added: Notify,
}

/// The server sent more than it may before its answer.
#[derive(Debug, thiserror::Error)]
#[error("more than {MOST} bytes of interim answers")]
pub(super) struct TooManyInterim;

/// The most that may come ahead of an answer, as ahead of the answer to a handshake.
const MOST: usize = 32 * 1024;

/// The first line of a head, its end, and what stands between the name and the value of a header.
const FIRST_AND_LAST_LINE: usize = 19;
const BETWEEN: usize = 4;

impl Interim {
    /// Counts the interim answers to this request, and passes them on: a 100 (Continue) by having the body
    /// sent, so that hyper asks the client for it, and all others to `client`, where there is one that
    /// knows them.
    pub(super) fn watch<B>(
        &self,
        request: &mut Request<B>,
        progress: &Arc<Progress>,
        client: Option<Arc<ClientState>>,
    ) {
        let counted = self.clone();
        let progress = Arc::clone(progress);
        on_informational(request, move |answer| {
            let fits = counted.add(answer.headers());
            if answer.status() == StatusCode::CONTINUE {
                progress.release();
            } else if fits && let Some(client) = &client {
                pass_on(answer.status(), answer.headers(), client);
            }
        });
    }

    /// Resolves when there are too many. The task that polls it is woken by each of them, and has to be: it writes
    /// to the client.
    pub(super) async fn exceeded(&self) -> TooManyInterim {
        while self.0.bytes.load(Ordering::Relaxed) <= MOST {
            self.0.added.notified().await;
        }
        TooManyInterim
    }

    /// Counts an interim answer, and tells whether it may go on.
    fn add(&self, headers: &HeaderMap) -> bool {
        let lines = headers.iter();
        let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + BETWEEN);
        let head = FIRST_AND_LAST_LINE + lines.sum::<usize>();
        let fits = self.0.bytes.fetch_add(head, Ordering::Relaxed) + head <= MOST;
        self.0.added.notify_one();
        fits
    }
}

/// Passes an interim answer on to its client.
pub(super) fn pass_on(status: StatusCode, headers: &HeaderMap, client: &ClientState) {
    let mut headers = headers.clone();
    PlainRequest::clean_interim(&mut headers);
    client.interim().add(status, headers);
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn so_much_may_come_before_the_answer() {
        for (headers, most) in [(0, MOST / 19), (100, MOST / (19 + 100 * 6))] {
            let mut head = HeaderMap::new();
            for _ in 0..headers {
                head.append("a", HeaderValue::from_static("b"));
            }
            let interim = Interim::default();
            for _ in 0..most {
                interim.add(&head);
            }
            assert!(interim.exceeded().now_or_never().is_none());
            interim.add(&head);
            assert!(interim.exceeded().now_or_never().is_some());
        }
    }
}
