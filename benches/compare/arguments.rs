//! The command line.

use clap::Parser;

use crate::peers::Peer;
use crate::scenarios::Scenario;

/// Compares wsgate with other proxies on this machine.
#[derive(Debug, Parser)]
#[command(name = "compare", about)]
pub(crate) struct Arguments {
    /// How often each peer is measured in each scenario; medians are shown.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// For how many seconds each thing is measured.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    pub(crate) time: f64,

    /// For how many seconds an idle crowd is watched: longer than its keepalive interval of 30.
    #[arg(long, default_value_t = 35.0, value_name = "SECONDS")]
    pub(crate) idle_time: f64,

    /// How often crowds are measured, which takes long.
    #[arg(long, default_value_t = 3)]
    pub(crate) crowd_rounds: usize,

    /// How many sessions a crowd is, in ascending order.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 4_000, 9_000])]
    pub(crate) crowds: Vec<usize>,

    /// Only these peers: wsgate, nginx, haproxy, caddy, envoy, tunnel, bare, messages; for the fan-out
    /// pushpin, websockets, ws, bare-fan-out.
    #[arg(long, value_delimiter = ',', value_parser = peer)]
    pub(crate) peers: Vec<Peer>,

    /// Only these scenarios: echo-128, echo-1024, echo-16384, echo-1048576, offered, handshakes,
    /// slow-reader, crowd; over TLS tls-echo-128, tls-echo-16384, tls-handshakes, tls-resumed-handshakes,
    /// tls-crowd; over HTTP/2 http2-echo-128, http2-echo-16384; fan-out-128-1000, fan-out-4096-1000,
    /// fan-out-128-9000, fan-out-4096-9000, fan-out-128-3x3000.
    #[arg(long, value_delimiter = ',', value_parser = scenario)]
    pub(crate) scenarios: Vec<Scenario>,

    /// Another wsgate to measure beside the one that was built, to compare two versions.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) against: Option<String>,

    /// Let the system choose who runs on which processor.
    #[arg(long)]
    pub(crate) unpinned: bool,

    /// Put the tables into docs/benchmarks.md.
    #[arg(long)]
    pub(crate) write: bool,

    /// Cargo's word for a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn peer(word: &str) -> Result<Peer, String> {
    let mut all = Peer::ALL.into_iter();
    all.find(|peer| peer.word() == word)
        .ok_or_else(|| "there is no such peer".to_owned())
}

fn scenario(word: &str) -> Result<Scenario, String> {
    let mut all = Scenario::ALL.into_iter();
    all.find(|scenario| scenario.word() == word)
        .ok_or_else(|| "there is no such scenario".to_owned())
}
