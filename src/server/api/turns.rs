//! Whose turn it is to have an answer made.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::Mutex;
use tokio::task::yield_now;

/// Has the work of a worker's connections done one after the other: some takes long, and the worker has sessions to serve.
#[derive(Debug)]
pub(crate) struct Turns {
    /// How long there was work since the last pause.
    worked: Mutex<Duration>,
    /// How long there may be.
    slice: Duration,
}

impl Turns {
    pub(crate) fn new(slice: Duration) -> Self {
        Self {
            worked: Mutex::default(),
            slice,
        }
    }

    /// Begins a piece of work when it is its turn. Once it has to wait for something, others have their turn.
    pub(crate) async fn take<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut worked = self.worked.lock().await;
        if *worked >= self.slice {
            // What else there is to do on this worker is done now.
            yield_now().await;
            *worked = Duration::ZERO;
        }
        let began = Instant::now();
        let done = (&mut work).now_or_never();
        *worked += began.elapsed();
        drop(worked);
        match done {
            Some(output) => output,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    /// Does so many pieces of work, and returns the most that were done without a pause.
    async fn most_without_a_pause(slice: Duration, pieces: usize) -> usize {
        let (turns, done) = (Arc::new(Turns::new(slice)), Arc::new(AtomicUsize::new(0)));
        let mut workers = JoinSet::new();
        for _ in 0..pieces {
            let (turns, done) = (Arc::clone(&turns), Arc::clone(&done));
            workers.spawn(async move {
                turns
                    .take(async { done.fetch_add(1, Ordering::Relaxed) })
                    .await
            });
        }
        let (mut before, mut most) = (0, 0);
        while before < pieces {
            yield_now().await;
            let now = done.load(Ordering::Relaxed);
            most = most.max(now - before);
            before = now;
        }
        most
    }

    #[tokio::test]
    async fn without_a_slice_there_is_a_pause_before_each_piece_of_work() {
        assert_eq!(most_without_a_pause(Duration::ZERO, 64).await, 1);
    }

    #[tokio::test]
    async fn within_a_slice_there_is_none() {
        assert!(most_without_a_pause(Duration::from_secs(3600), 64).await > 1);
    }

    #[tokio::test]
    async fn what_waits_keeps_nobody_waiting() {
        let turns = Turns::new(Duration::ZERO);
        tokio::select! {
            biased;
            () = turns.take(pending()) => {}
            answer = turns.take(async { 7 }) => assert_eq!(answer, 7),
        }
    }
}
