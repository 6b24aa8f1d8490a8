//! Clients that do no harm, and what they notice.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::kit::{Frame, Request, Wire};

/// How long round trips took.
#[derive(Debug)]
pub(super) struct Latency {
    /// In order.
    samples: Vec<Duration>,
}

/// How many there are, and how often each says something.
const CLIENTS: usize = 20;
const PERIOD: Duration = Duration::from_millis(10);

impl Latency {
    /// What so many round trips of 128 bytes take while this goes on, and how long that is.
    pub(super) async fn over(address: &str, time: Duration) -> Self {
        let address: SocketAddr = address.parse().expect("an address");
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(talk(address, time));
        }
        let mut samples: Vec<_> = clients.join_all().await.concat();
        samples.sort_unstable();
        Self { samples }
    }

    pub(super) fn percentile(&self, percent: f64) -> Duration {
        let last = self.samples.len() - 1;
        self.samples[(last as f64 * percent / 100.0).round() as usize]
    }
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, high, most] = [50.0, 99.0, 100.0].map(|percent| self.percentile(percent));
        let count = self.samples.len();
        write!(
            f,
            "{count} round trips, p50 {median:.1?}, p99 {high:.1?}, most {most:.1?}"
        )
    }
}

async fn talk(address: SocketAddr, time: Duration) -> Vec<Duration> {
    let mut client = Wire::connect(address).await;
    client.send(Request::websocket("/echo").text()).await;
    assert_eq!(client.head().await.status(), 101);
    let message = Frame::binary(vec![1; 128]);
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < time {
        tick.tick().await;
        let sent = Instant::now();
        client.send_frame(&message).await;
        client.expect(message.clone()).await;
        samples.push(sent.elapsed());
    }
    samples
}
