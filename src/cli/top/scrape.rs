//! One scrape of the process: its counts so far, its servers, its sessions.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::time::Instant;

use super::exposition::{Sample, Samples};
use crate::cli::interface::{Client, ClientError, RequestTarget};
use crate::cli::upstreams::servers;

/// The state of the process at one moment.
#[derive(Debug)]
pub(super) struct Scrape {
    /// When the counts were made, by the clock of this machine.
    pub(super) at: Instant,
    pub(super) process: Process,
    /// TLS with clients, where there is any.
    pub(super) tls: Option<TlsTotals>,
    /// By name; what had no route yet is under the empty one.
    pub(super) routes: BTreeMap<String, RouteTotals>,
    /// Likewise the plain requests of routes that have any, or forward them.
    pub(super) plain: BTreeMap<String, PlainTotals>,
    /// How handshakes, plain requests and sessions ended, and how often; good responses are not among them.
    pub(super) endings: BTreeMap<Ending, u64>,
    /// As `GET /upstreams` has them, each with the name of its upstream.
    pub(super) servers: Vec<Value>,
    /// By number.
    pub(super) sessions: HashMap<u64, SessionTotals>,
    /// Whether there are sessions that are not among them.
    pub(super) has_more_sessions: bool,
}

/// The process itself. What it does not tell is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub(super) version: String,
    /// In seconds since 1970.
    pub(super) started: f64,
    pub(super) up: Duration,
    pub(super) is_draining: bool,
    pub(super) handshakes_open: u64,
    pub(super) most_sessions: Option<u64>,
    pub(super) connections: u64,
    pub(super) memory: Option<u64>,
    pub(super) descriptors: Option<u64>,
    pub(super) most_descriptors: Option<u64>,
    /// Seconds of processor time.
    pub(super) processor: Option<f64>,
    /// Connections of HTTP/2 to servers; `None` if there are none for it.
    pub(super) http2_to_servers: Option<u64>,
}

/// What is counted of TLS handshakes with clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TlsTotals {
    pub(super) finished: f64,
    /// Those of them that resumed an earlier session.
    pub(super) resumed: f64,
    pub(super) failed: f64,
    pub(super) open: u64,
    /// The certificate that expires first: its file, and when, in seconds since 1970.
    pub(super) first_to_expire: Option<(String, f64)>,
}

/// What a route has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RouteTotals {
    pub(super) open: u64,
    pub(super) accepted: f64,
    pub(super) refused: f64,
    pub(super) messages: [f64; 2],
    pub(super) bytes: [f64; 2],
}

/// What a route has counted of its plain requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PlainTotals {
    pub(super) open: u64,
    pub(super) requests: f64,
    /// Those that did not get to a server, or got no response.
    pub(super) refused: f64,
    /// Those whose client got a 5xx, from the server or from wsgate.
    pub(super) failed: f64,
    /// How many responses have begun, and how long that took together, in seconds.
    pub(super) responses: f64,
    pub(super) waited: f64,
    pub(super) bytes: [f64; 2],
}

/// A way for a handshake, a plain request or a session to end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ending {
    /// `rejected` (a handshake), `plain`, `broken` or `closed`.
    pub(super) what: &'static str,
    pub(super) route: String,
    pub(super) reason: String,
    pub(super) closed_by: String,
    pub(super) code: String,
}

/// What a session has moved, both ways.
#[derive(Clone, Debug)]
pub(super) struct SessionTotals {
    pub(super) client: String,
    pub(super) age: Duration,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

const NAMES: &[&str] = &[
    "wsgate_build_info",
    "wsgate_handshakes_total",
    "wsgate_handshakes_open",
    "wsgate_plain_requests_total",
    "wsgate_plain_requests_open",
    "wsgate_plain_response_head_duration_seconds_sum",
    "wsgate_plain_response_head_duration_seconds_count",
    "wsgate_plain_bytes_total",
    "wsgate_broken_requests_total",
    "wsgate_sessions_open",
    "wsgate_sessions_limit",
    "wsgate_sessions_closed_total",
    "wsgate_messages_total",
    "wsgate_bytes_total",
    "wsgate_tls_handshakes_total",
    "wsgate_tls_handshakes_failed_total",
    "wsgate_tls_handshakes_open",
    "wsgate_certificate_expiry_timestamp_seconds",
    "wsgate_upstream_http2_connections_open",
    "wsgate_draining",
    "wsgate_connections_open",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
];

/// The outcomes of plain requests that were not refused.
const FORWARDED: &[&str] = &[
    "forwarded",
    "abandoned",
    "client_lost",
    "slow_client",
    "upstream_lost",
    "upstream_idle",
    "cut",
];

/// As many as the admin interface puts on one page.
const PAGE: u64 = 1000;

/// Each page costs the process a moment.
const PAGES: usize = 5;

impl Scrape {
    pub(super) async fn take(client: &Client) -> Result<Self, ClientError> {
        let response = client.get(&RequestTarget::path("/metrics")).await?;
        let at = Instant::now();
        let samples = Samples::read(response.text()?, NAMES);
        let samples = samples.filter(|samples| samples.one("wsgate_build_info").is_some());
        let samples = samples.ok_or_else(|| response.unexpected())?;
        let servers = servers(client).await?;
        let (sessions, has_more_sessions) = sessions(client).await?;
        Ok(Self {
            at,
            process: process(&samples),
            tls: tls(&samples),
            routes: routes(&samples),
            plain: plain(&samples),
            endings: endings(&samples),
            servers,
            sessions,
            has_more_sessions,
        })
    }
}

async fn sessions(client: &Client) -> Result<(HashMap<u64, SessionTotals>, bool), ClientError> {
    let (mut sessions, mut after) = (HashMap::new(), None);
    for _page in 0..PAGES {
        let target = RequestTarget::path("/sessions").pair("limit", Some(PAGE));
        let target = target.pair("after", after);
        let response = client.get(&target).await?;
        let page = response.json()?;
        let listed = page["sessions"].as_array();
        for session in listed.ok_or_else(|| response.unexpected())? {
            let id = session["id"]
                .as_u64()
                .ok_or_else(|| response.unexpected())?;
            sessions.insert(id, totals(session));
        }
        after = page["next"].as_u64();
        if after.is_none() {
            break;
        }
    }
    Ok((sessions, after.is_some()))
}

fn totals(session: &Value) -> SessionTotals {
    let number = |key: &str| session[key].as_u64().unwrap_or_default();
    SessionTotals {
        client: session["client"].as_str().unwrap_or("?").to_owned(),
        age: Duration::from_secs(number("age_seconds")),
        messages: number("messages_from_client").saturating_add(number("messages_from_upstream")),
        bytes: number("bytes_from_client").saturating_add(number("bytes_from_upstream")),
    }
}

fn process(samples: &Samples) -> Process {
    let count = |name: &str| samples.one(name).map(Sample::count);
    let started = samples
        .value("process_start_time_seconds")
        .unwrap_or_default();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let since = Duration::try_from_secs_f64(started).unwrap_or_default();
    let build = samples.one("wsgate_build_info");
    Process {
        version: build.map_or_else(String::new, |build| build.label("version").to_owned()),
        started,
        up: now.saturating_sub(since),
        is_draining: count("wsgate_draining") == Some(1),
        handshakes_open: count("wsgate_handshakes_open").unwrap_or_default(),
        most_sessions: count("wsgate_sessions_limit"),
        connections: count("wsgate_connections_open").unwrap_or_default(),
        memory: count("process_resident_memory_bytes"),
        descriptors: count("process_open_fds"),
        most_descriptors: count("process_max_fds"),
        processor: samples.value("process_cpu_seconds_total"),
        http2_to_servers: match samples.all("wsgate_upstream_http2_connections_open") {
            [] => None,
            servers => Some(servers.iter().map(Sample::count).sum()),
        },
    }
}

fn tls(samples: &Samples) -> Option<TlsTotals> {
    let sum = |name: &str, counts: &dyn Fn(&Sample) -> bool| {
        let counted = samples.all(name).iter().filter(|sample| counts(sample));
        counted.map(|sample| sample.value).sum::<f64>()
    };
    let finished = "wsgate_tls_handshakes_total";
    let certificates = samples.all("wsgate_certificate_expiry_timestamp_seconds");
    let first = (certificates.iter()).min_by(|one, other| one.value.total_cmp(&other.value));
    let totals = TlsTotals {
        finished: sum(finished, &|_| true),
        resumed: sum(finished, &|sample| sample.label("resumed") == "true"),
        failed: sum("wsgate_tls_handshakes_failed_total", &|_| true),
        open: samples
            .one("wsgate_tls_handshakes_open")
            .map_or(0, Sample::count),
        first_to_expire: first.map(|first| (first.label("file").to_owned(), first.value)),
    };
    // The counts are there without it too.
    (totals != TlsTotals::default()).then_some(totals)
}

/// Adds the samples of one name to the totals of their routes.
fn add_to<T: Default>(
    routes: &mut BTreeMap<String, T>,
    samples: &[Sample],
    add: impl Fn(&mut T, &Sample),
) {
    for sample in samples {
        let route = sample.label("route").to_owned();
        add(routes.entry(route).or_default(), sample);
    }
}

/// The client's side, or the upstream's.
fn side(sample: &Sample) -> usize {
    usize::from(sample.label("from") != "client")
}

fn plain(samples: &Samples) -> BTreeMap<String, PlainTotals> {
    let mut routes = BTreeMap::new();
    let mut add = |name: &str, add: &dyn Fn(&mut PlainTotals, &Sample)| {
        add_to(&mut routes, samples.all(name), add);
    };
    add("wsgate_plain_requests_open", &|route, sample| {
        route.open += sample.count();
    });
    add("wsgate_plain_requests_total", &|route, sample| {
        route.requests += sample.value;
        if !FORWARDED.contains(&sample.label("outcome")) {
            route.refused += sample.value;
        }
        if sample.label("status") == "5xx" {
            route.failed += sample.value;
        }
    });
    let head = "wsgate_plain_response_head_duration_seconds";
    add(&format!("{head}_count"), &|route, sample| {
        route.responses += sample.value;
    });
    add(&format!("{head}_sum"), &|route, sample| {
        route.waited += sample.value;
    });
    add("wsgate_plain_bytes_total", &|route, sample| {
        if let Some(bytes) = route.bytes.get_mut(side(sample)) {
            *bytes += sample.value;
        }
    });
    routes
}

fn routes(samples: &Samples) -> BTreeMap<String, RouteTotals> {
    let mut routes = BTreeMap::new();
    let mut add = |name: &str, add: &dyn Fn(&mut RouteTotals, &Sample)| {
        add_to(&mut routes, samples.all(name), add);
    };
    add("wsgate_sessions_open", &|route, sample| {
        route.open += sample.count();
    });
    add(
        "wsgate_handshakes_total",
        &|route, sample| match sample.label("outcome") {
            "accepted" => route.accepted += sample.value,
            _ => route.refused += sample.value,
        },
    );
    add("wsgate_messages_total", &|route, sample| {
        if let Some(messages) = route.messages.get_mut(side(sample)) {
            *messages += sample.value;
        }
    });
    add("wsgate_bytes_total", &|route, sample| {
        if let Some(bytes) = route.bytes.get_mut(side(sample)) {
            *bytes += sample.value;
        }
    });
    routes
}

fn endings(samples: &Samples) -> BTreeMap<Ending, u64> {
    let of = |what, sample: &Sample, reason: &str, code: &str| {
        let label = |name: &str| sample.label(name).to_owned();
        let ending = Ending {
            what,
            route: label("route"),
            reason: label(reason),
            closed_by: label("closed_by"),
            code: label(code),
        };
        (ending, sample.count())
    };
    let closed = samples.all("wsgate_sessions_closed_total").iter();
    let closed = closed.map(|sample| of("closed", sample, "reason", "code"));
    let handshakes = samples.all("wsgate_handshakes_total").iter();
    let rejected = handshakes.filter(|sample| sample.label("outcome") != "accepted");
    let rejected = rejected.map(|sample| of("rejected", sample, "outcome", "code"));
    let plain = samples.all("wsgate_plain_requests_total").iter();
    let plain = plain.filter(|sample| sample.label("outcome") != "forwarded");
    let plain = plain.map(|sample| of("plain", sample, "outcome", "status"));
    let broken = samples.all("wsgate_broken_requests_total").iter();
    let broken = broken.map(|sample| of("broken", sample, "reason", "code"));
    let endings = closed.chain(rejected).chain(plain).chain(broken);
    endings.filter(|(_, count)| *count > 0).collect()
}
