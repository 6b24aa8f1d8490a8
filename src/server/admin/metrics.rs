//! `GET /metrics`: each count under its name.

mod channels;
mod gate;
mod shared;
mod tls;

use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use super::exposition::Exposition;
use super::interface::Interface;
use crate::server::lifecycle::process::Process;
use crate::server::lifecycle::reload::counts::Counted;
use crate::server::logging::queue::LogQueue;

/// The whole text.
pub(super) fn text(interface: &Interface) -> String {
    let mut text = Exposition::default();
    text.gauge("wsgate_build_info", "Which wsgate this is; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let metrics = interface.handle.metrics();
    gate::write(&mut text, &metrics);
    shared::write(&mut text, metrics.shared.as_ref());
    connections(&mut text, interface);
    let handshakes = &interface.limiter.counts().tls;
    tls::handshakes(&mut text, handshakes, &metrics.broken_requests);
    tls::certificates(&mut text, &interface.handle.config());
    channels::write(&mut text, &metrics.channels);
    channels::refusals(&mut text, &interface.publish_refusals);
    reloads(&mut text, &interface.reload_counts.counted());
    log(&mut text, interface);
    process(&mut text, &Process::read(interface.started));
    text.into_text()
}

fn connections(text: &mut Exposition, interface: &Interface) {
    text.gauge(
        "wsgate_connections_open",
        "Connections of clients that are not sessions.",
    )
    .sample(&[], interface.connections.len());
    let mut family = text.counter(
        "wsgate_connections_closed_total",
        "Connections that were closed for what they did, or did not do, before a session.",
    );
    let closed = interface.limiter.counts();
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

fn reloads(text: &mut Exposition, reloads: &Counted) {
    let mut family = text.counter(
        "wsgate_reloads_total",
        "Times that the settings were read again, by what came of it.",
    );
    for (result, count) in [
        ("applied", reloads.applied),
        ("unchanged", reloads.unchanged),
        ("rejected", reloads.rejected),
    ] {
        family.sample(&[("result", result)], count);
    }
    let last_success = reloads.last_success.duration_since(UNIX_EPOCH);
    text.gauge(
        "wsgate_reload_last_success_timestamp_seconds",
        "When the settings were last read and found right, in seconds since 1970.",
    )
    .sample(&[], last_success.unwrap_or_default().as_secs_f64());
    text.gauge(
        "wsgate_reload_last_failed",
        "1 if the settings were wrong when they were last read again.",
    )
    .sample(&[], u8::from(reloads.last_failed));
}

fn log(text: &mut Exposition, interface: &Interface) {
    text.counter(
        "wsgate_log_lines_dropped_total",
        "Lines of the log that were not written, because standard error did not take them in time.",
    )
    .sample(&[], interface.log.as_ref().map_or(0, LogQueue::dropped));
}

/// The names that every exporter gives these. What the system does not tell is left out.
fn process(text: &mut Exposition, process: &Process) {
    let mut family = text.gauge(
        "process_start_time_seconds",
        "When the process began to serve, in seconds since 1970.",
    );
    family.sample(&[], process.started.as_secs_f64());
    if let Some(time) = process.processor_time {
        text.counter(
            "process_cpu_seconds_total",
            "User and system time of the processors, in seconds.",
        )
        .sample(&[], time.as_secs_f64());
    }
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
