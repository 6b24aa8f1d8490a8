//! Who serves a stage: the program, or the plugin in a server of the test's own.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tracing::Level;

use super::metrics::Metrics;
use super::{Bench, Host, Logs, Program, Vitals, until};

/// A gate that serves, and how to look at it from outside.
pub(crate) enum Served {
    Program {
        program: Program,
        admin: String,
    },
    Plugin {
        bench: Bench,
        logs: Logs,
        address: String,
    },
}

/// Counts by what is counted: outcomes of handshakes, or reasons of ends.
pub(crate) type Counts = BTreeMap<String, u64>;

impl Served {
    pub(crate) async fn by(host: Host, settings: &str) -> Self {
        if host == Host::Program {
            let program = Program::run(settings).await;
            let admin = program.admin().await;
            return Self::Program { program, admin };
        }
        let logs = Logs::capture();
        let bench = Bench::serving(host, settings).await;
        let address = bench.address.to_string();
        Self::Plugin {
            bench,
            logs,
            address,
        }
    }

    pub(crate) fn is_program(&self) -> bool {
        matches!(self, Self::Program { .. })
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Program { program, .. } => &program.address,
            Self::Plugin { address, .. } => address,
        }
    }

    /// The lines of the log so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        match self {
            Self::Program { program, .. } => {
                let lines = program.lines().into_iter();
                let lines = lines.map(|line| serde_json::from_str(&line).expect("a line of JSON"));
                lines.collect()
            }
            Self::Plugin { logs, .. } => {
                let lines = logs.all().into_iter();
                let lines = lines
                    .filter(|line| line.level <= Level::INFO && line.target.starts_with("wsgate"));
                let lines = lines.map(|line| {
                    let fields = line.names().into_iter().map(|name| {
                        let value = Value::from(line.field(name));
                        (name.to_owned(), value)
                    });
                    let mut fields: Map<_, _> = fields.collect();
                    fields.insert("message".to_owned(), line.message.as_str().into());
                    Value::Object(fields)
                });
                lines.collect()
            }
        }
    }

    /// Waits until something holds of the log.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        match self {
            Self::Program { program, .. } => program.until(what, holds).await,
            Self::Plugin { .. } => until(what, holds).await,
        }
    }

    /// What was counted on all routes but this one: handshakes and requests, without those that were
    /// forwarded, and sessions that ended.
    pub(crate) async fn counts(&self, except: &str) -> (Counts, Counts) {
        let (mut requests, closed) = match self {
            Self::Program { admin, .. } => {
                let metrics = Metrics::of(admin).await;
                let sum = |family, label| metrics.sums(family, label, except);
                let families = [
                    sum("wsgate_handshakes_total", "outcome"),
                    sum("wsgate_plain_requests_total", "outcome"),
                    sum("wsgate_broken_requests_total", "reason"),
                ];
                (families, sum("wsgate_sessions_closed_total", "reason"))
            }
            Self::Plugin { bench, .. } => {
                let metrics = bench.handle.metrics();
                let handshakes = metrics.handshakes.iter();
                let plain = metrics.plain_requests.iter();
                let broken = metrics.broken_requests.iter();
                let closed = metrics.closed.iter();
                let families = [
                    summed(
                        handshakes.map(|each| (&*each.route, each.outcome, each.count)),
                        except,
                    ),
                    summed(
                        plain.map(|each| (&*each.route, each.outcome, each.count)),
                        except,
                    ),
                    summed(broken.map(|each| ("", each.reason, each.count)), except),
                ];
                let closed = closed.map(|each| (&*each.route, each.reason, each.count));
                (families, summed(closed, except))
            }
        };
        requests[1].retain(|outcome, _| !FORWARDED.contains(&outcome.as_str()));
        let mut counted = Counts::new();
        for (word, count) in requests.into_iter().flatten() {
            *counted.entry(word).or_default() += count;
        }
        (counted, closed)
    }

    /// Plain requests that were forwarded, on all routes but this one, by outcome.
    pub(crate) async fn forwarded(&self, except: &str) -> Counts {
        let mut counts = match self {
            Self::Program { admin, .. } => {
                let metrics = Metrics::of(admin).await;
                metrics.sums("wsgate_plain_requests_total", "outcome", except)
            }
            Self::Plugin { bench, .. } => {
                let metrics = bench.handle.metrics();
                let plain = metrics.plain_requests.iter();
                let plain = plain.map(|each| (&*each.route, each.outcome, each.count));
                summed(plain, except)
            }
        };
        counts.retain(|outcome, _| FORWARDED.contains(&outcome.as_str()));
        counts
    }

    /// What the program takes of the machine; a plugin's is the tests' own.
    pub(crate) fn vitals(&self) -> Option<Vitals> {
        match self {
            Self::Program { program, .. } => Some(Vitals::of(program.id())),
            Self::Plugin { .. } => None,
        }
    }

    /// Waits until it has no more descriptors than these.
    pub(crate) async fn lets_go(&self, before: Option<Vitals>) {
        if let (Self::Program { program, .. }, Some(before)) = (self, before) {
            before.let_go(program.id()).await;
        }
    }

    /// Ends it as an operator does, and checks that it ends well.
    pub(crate) async fn stop(self) {
        match self {
            Self::Program { program, .. } => drop(program.stop().await),
            Self::Plugin { bench, .. } => {
                bench.handle.drain(super::AT_ONCE).await;
                assert!(bench.handle.sessions().is_empty());
            }
        }
    }
}

fn summed<'a>(counts: impl Iterator<Item = (&'a str, &'a str, u64)>, except: &str) -> Counts {
    let mut sums = Counts::new();
    for (_, what, count) in counts.filter(|(route, _, count)| *route != except && *count > 0) {
        *sums.entry(what.to_owned()).or_default() += count;
    }
    sums
}

/// What has grown since.
pub(crate) fn grown(now: &Counts, before: &Counts) -> Counts {
    let grown = now.iter().map(|(what, count)| {
        let before = before.get(what).copied().unwrap_or_default();
        (what.clone(), count - before)
    });
    grown.filter(|(_, count)| *count > 0).collect()
}

/// What becomes of a plain request that no rule and no failure refuses.
const FORWARDED: [&str; 7] = [
    "forwarded",
    "abandoned",
    "client_lost",
    "slow_client",
    "upstream_lost",
    "upstream_idle",
    "cut",
];
