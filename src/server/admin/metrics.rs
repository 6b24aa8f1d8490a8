//! `GET /metrics`: each count under its name.

use std::sync::atomic::Ordering;

use super::exposition::Exposition;
use crate::proxy::Metrics;
use crate::server::process::Process;
use crate::server::room::Counts;

/// The connections of clients that are no sessions.
pub(super) struct Connections<'a> {
    pub(super) open: usize,
    pub(super) closed: &'a Counts,
}

/// The whole text.
pub(super) fn text(metrics: &Metrics, of_clients: &Connections<'_>, process: &Process) -> String {
    let mut text = Exposition::default();
    text.gauge("wsgate_build_info", "Which wsgate this is; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    handshakes(&mut text, metrics);
    sessions(&mut text, metrics);
    traffic(&mut text, metrics);
    servers(&mut text, metrics);
    connections(&mut text, of_clients);
    text.counter(
        "wsgate_log_lines_suppressed_total",
        "Lines about refused handshakes and failing servers that were left out of the log.",
    )
    .sample(&[], metrics.log_lines_left_out);
    text.gauge(
        "wsgate_addresses_tracked",
        "Client addresses that have limits of their own.",
    )
    .sample(&[], metrics.addresses_tracked);
    text.counter(
        "wsgate_addresses_overflowed_total",
        "Handshakes that shared a limit, because more addresses came than are tracked.",
    )
    .sample(&[], metrics.addresses_overflowed);
    of_process(&mut text, process);
    text.into_text()
}

fn handshakes(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.counter(
        "wsgate_handshakes_total",
        "Handshakes, and plain requests that were refused.",
    );
    for each in &metrics.handshakes {
        let labels = [("route", &*each.route), ("outcome", each.outcome)];
        family.sample(&labels, each.count);
    }
}

fn sessions(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.gauge("wsgate_sessions_open", "Sessions that are open.");
    for each in &metrics.routes {
        family.sample(&[("route", &*each.route)], each.open);
    }
    let mut family = text.counter("wsgate_sessions_closed_total", "Sessions that have ended.");
    for each in &metrics.closed {
        let labels = [
            ("route", &*each.route),
            ("reason", each.reason),
            ("closed_by", each.closed_by),
            ("code", &*each.code),
        ];
        family.sample(&labels, each.count);
    }
}

fn traffic(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.counter("wsgate_messages_total", "Messages of sessions.");
    for each in &metrics.routes {
        let from = |side| [("route", &*each.route), ("from", side)];
        family.sample(&from("client"), each.messages_from_client);
        family.sample(&from("upstream"), each.messages_from_upstream);
    }
    let mut family = text.counter(
        "wsgate_bytes_total",
        "Bytes that sessions passed on, frame headers included.",
    );
    for each in &metrics.routes {
        let from = |side| [("route", &*each.route), ("from", side)];
        family.sample(&from("client"), each.bytes_from_client);
        family.sample(&from("upstream"), each.bytes_from_upstream);
    }
    let mut family = text.counter(
        "wsgate_limited_total",
        "Messages, pings and pongs that a rate limit dropped, and waits that it imposed.",
    );
    for each in &metrics.routes {
        let action = |action| [("route", &*each.route), ("action", action)];
        family.sample(&action("drop"), each.dropped);
        family.sample(&action("delay"), each.delayed);
    }
}

fn servers(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.gauge(
        "wsgate_upstream_sessions_open",
        "Sessions that are open with a server.",
    );
    for each in &metrics.servers {
        let labels = [("upstream", &*each.upstream), ("server", &*each.server)];
        family.sample(&labels, each.open);
    }
    let mut family = text.counter(
        "wsgate_upstream_failures_total",
        "What went wrong with a server.",
    );
    for each in &metrics.servers {
        for (kind, count) in [
            ("connect", each.failed_connects),
            ("handshake", each.failed_handshakes),
            ("plain", each.failed_plain_requests),
        ] {
            let labels = [
                ("upstream", &*each.upstream),
                ("server", &*each.server),
                ("kind", kind),
            ];
            family.sample(&labels, count);
        }
    }
}

fn connections(text: &mut Exposition, connections: &Connections<'_>) {
    text.gauge(
        "wsgate_connections_open",
        "Connections of clients that are not sessions.",
    )
    .sample(&[], connections.open);
    let mut family = text.counter(
        "wsgate_connections_closed_total",
        "Connections that were closed for what they did, or did not do, before a session.",
    );
    let closed = connections.closed;
    for (reason, count) in [
        ("reclaimed", &closed.reclaimed),
        ("turned_away", &closed.turned_away),
        ("silent", &closed.silent),
        ("handshake_timeout", &closed.late),
        ("slow_client", &closed.slow),
    ] {
        family.sample(&[("reason", reason)], count.load(Ordering::Relaxed));
    }
}

/// The names that every exporter gives these. What the system does not tell is left out.
fn of_process(text: &mut Exposition, process: &Process) {
    let mut family = text.gauge(
        "process_start_time_seconds",
        "When the process began to serve, in seconds since 1970.",
    );
    family.sample(&[], process.started.as_secs_f64());
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Memory in use.",
            process.resident_bytes,
        ),
        (
            "process_open_fds",
            "File descriptors in use.",
            process.open_descriptors,
        ),
        (
            "process_max_fds",
            "File descriptors that the process may have.",
            process.most_descriptors,
        ),
    ] {
        if let Some(value) = value {
            text.gauge(name, help).sample(&[], value);
        }
    }
}
