//! Does for the page what an operator does: it asks the admin interface of the gate.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use http::Method;
use serde::Serialize;
use tokio::runtime;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, timeout_at};

use crate::cli::interface::{Client, ClientError, InterfaceAddress, RequestTarget};

/// A thread that carries out commands; a clone is the same one.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    work: Sender<Work>,
    figures: Arc<Mutex<Figures>>,
}

/// What the admin interface said last.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figures {
    sessions: u64,
    /// Pings that the gate has sent to clients.
    pings: u64,
    draining: bool,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Look,
    Drain,
}

/// For how long the echo server is out of service.
const OUT_OF_SERVICE: Duration = Duration::from_secs(5);

/// What waits while the thread is busy; more is left out, as it would be the same.
const MOST_WAITING: usize = 4;

impl Operator {
    pub(super) fn start(admin: &Path) -> io::Result<Self> {
        let (work, waiting) = mpsc::channel(MOST_WAITING);
        let figures = Arc::<Mutex<Figures>>::default();
        let desk = Desk {
            client: Client::without_token(InterfaceAddress::Unix(admin.to_owned())),
            figures: Arc::clone(&figures),
        };
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name("operator".to_owned());
        thread.spawn(move || runtime.block_on(desk.serve(waiting)))?;
        Ok(Self { work, figures })
    }

    /// What is known now; the next call knows more.
    pub(super) fn figures(&self) -> Figures {
        let _busy = self.work.try_send(Work::Look);
        unpoisoned(&self.figures).clone()
    }

    /// Takes the echo server out of service for a while, and closes its sessions.
    pub(super) fn drain(&self) {
        let _busy = self.work.try_send(Work::Drain);
    }
}

struct Desk {
    client: Client,
    figures: Arc<Mutex<Figures>>,
}

impl Desk {
    /// Works until nobody can ask for anything more.
    async fn serve(self, mut waiting: Receiver<Work>) {
        while let Some(work) = waiting.recv().await {
            let done = match work {
                Work::Look => self.look().await,
                Work::Drain => self.drain(&mut waiting).await,
            };
            if let Err(error) = done {
                tracing::debug!(%error, "the demo's admin interface did not answer");
            }
        }
    }

    async fn look(&self) -> Result<(), ClientError> {
        let sessions = RequestTarget::path("/sessions").pair("limit", Some(1));
        let sessions = self.client.get(&sessions).await?.number("total")?;
        let metrics = self.client.get(&RequestTarget::path("/metrics")).await?;
        let pings = pings(metrics.text()?);
        let mut figures = unpoisoned(&self.figures);
        (figures.sessions, figures.pings) = (sessions, pings);
        Ok(())
    }

    async fn drain(&self, waiting: &mut Receiver<Work>) -> Result<(), ClientError> {
        unpoisoned(&self.figures).draining = true;
        let drain = RequestTarget::path("/upstreams/echo/0/drain").pair("close", Some(true));
        let drained = self.client.send(Method::POST, &drain).await;
        let end = Instant::now() + OUT_OF_SERVICE;
        while let Ok(Some(work)) = timeout_at(end, waiting.recv()).await {
            if let Work::Look = work {
                // The next one says what this one could not.
                let _looked = self.look().await;
            }
        }
        let resume = RequestTarget::path("/upstreams/echo/0/resume");
        let resumed = self.client.send(Method::POST, &resume).await;
        unpoisoned(&self.figures).draining = false;
        drained?.succeeded()?;
        resumed?.succeeded()?;
        Ok(())
    }
}

fn pings(metrics: &str) -> u64 {
    let lines = metrics.lines().filter(|line| {
        line.starts_with("wsgate_pings_sent_total{") && line.contains("side=\"client\"")
    });
    let numbers = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    numbers.sum()
}

fn unpoisoned(figures: &Mutex<Figures>) -> MutexGuard<'_, Figures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_to_clients_are_found_in_the_metrics() {
        let metrics = "# HELP wsgate_pings_sent_total Pings.\n\
                       wsgate_pings_sent_total{route=\"echo\",side=\"client\"} 3\n\
                       wsgate_pings_sent_total{route=\"echo\",side=\"upstream\"} 5\n";
        assert_eq!(pings(metrics), 3);
        assert_eq!(pings(""), 0);
    }
}
