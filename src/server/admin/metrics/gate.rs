//! What the gate itself has counted.

use crate::server::admin::exposition::{Exposition, Family};
use crate::server::admin::library::{BrokenRequestMetrics, Metrics, RouteMetrics};

/// All that the program reports of requests that it cannot read, or whose answers nobody reads. Each
/// count is there from the start, so that its first step is seen.
const BROKEN: [&str; 7] = [
    "bad_request",
    "head_too_large",
    "handshake_timeout",
    "overload",
    "slow_client",
    "proxy_denied",
    "bad_proxy_header",
];

/// All of it.
pub(super) fn write(text: &mut Exposition, metrics: &Metrics) {
    handshakes(text, metrics);
    requests(text, metrics);
    sessions(text, metrics);
    traffic(text, metrics);
    liveness(text, metrics);
    servers(text, metrics);
    issuers(text, metrics);
    bounds(text, metrics);
}

fn handshakes(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.counter(
        "wsgate_handshakes_total",
        "Handshakes that were accepted, refused or abandoned.",
    );
    for each in &metrics.handshakes {
        let labels = [("route", &*each.route), ("outcome", each.outcome)];
        family.sample(&labels, each.count);
    }
    text.gauge(
        "wsgate_handshakes_open",
        "Handshakes that hold the place of a session.",
    )
    .sample(&[], metrics.handshakes_open);
    let mut family = text.histogram(
        "wsgate_handshake_duration_seconds",
        "From the head of a request to its 101.",
    );
    for each in &metrics.routes {
        family.durations(&[("route", &*each.route)], &each.handshake_duration);
    }
    let mut family = text.histogram(
        "wsgate_upstream_connect_duration_seconds",
        "To connect to a server for a handshake, those that were tried in vain included.",
    );
    for each in &metrics.routes {
        family.durations(&[("route", &*each.route)], &each.connect_duration);
    }
}

fn requests(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.counter(
        "wsgate_plain_requests_total",
        "Plain requests, forwarded or refused.",
    );
    for each in &metrics.plain_requests {
        let labels = [
            ("route", &*each.route),
            ("outcome", each.outcome),
            ("status", each.status),
        ];
        family.sample(&labels, each.count);
    }
    let mut family = text.gauge(
        "wsgate_plain_requests_open",
        "Forwarded plain requests whose response is not over.",
    );
    for each in &metrics.plain_routes {
        family.sample(&[("route", &*each.route)], each.open);
    }
    let mut family = text.histogram(
        "wsgate_plain_request_duration_seconds",
        "From the head of a forwarded plain request to the end of its response.",
    );
    for each in &metrics.plain_routes {
        family.durations(&[("route", &*each.route)], &each.duration);
    }
    let mut family = text.histogram(
        "wsgate_plain_response_head_duration_seconds",
        "From the head of a forwarded plain request to the head of its response.",
    );
    for each in &metrics.plain_routes {
        family.durations(&[("route", &*each.route)], &each.response_head);
    }
    let mut family = text.counter(
        "wsgate_plain_bytes_total",
        "Bytes of the bodies of forwarded plain requests and their responses.",
    );
    for each in &metrics.plain_routes {
        let from = |side| [("route", &*each.route), ("from", side)];
        family.sample(&from("client"), each.bytes_from_client);
        family.sample(&from("upstream"), each.bytes_from_upstream);
    }
    let mut family = text.counter(
        "wsgate_broken_requests_total",
        "Requests whose head could not be read, or whose answer was not.",
    );
    for reason in BROKEN {
        family.sample(
            &[("reason", reason)],
            count_of(&metrics.broken_requests, reason),
        );
    }
}

/// How often this was the reason.
pub(super) fn count_of(broken: &[BrokenRequestMetrics], reason: &str) -> u64 {
    let counts = broken.iter().filter(|each| each.reason == reason);
    counts.map(|each| each.count).sum()
}

fn sessions(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.gauge("wsgate_sessions_open", "Sessions that are open.");
    for each in &metrics.routes {
        family.sample(&[("route", &*each.route)], each.open);
    }
    let mut family = text.counter("wsgate_sessions_total", "Sessions that there have been.");
    for each in &metrics.routes {
        family.sample(&[("route", &*each.route)], each.opened);
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
    let mut family = text.histogram(
        "wsgate_session_duration_seconds",
        "How long the sessions that have ended had lasted.",
    );
    for each in &metrics.routes {
        family.durations(&[("route", &*each.route)], &each.session_duration);
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
        "Messages, pings and pongs that a rate limit dropped, waits that it imposed, and sessions that it closed.",
    );
    for each in &metrics.routes {
        let action = |action| [("route", &*each.route), ("action", action)];
        family.sample(&action("drop"), each.dropped);
        family.sample(&action("delay"), each.delayed);
        family.sample(&action("close"), each.over_limit);
    }
}

/// What sessions notice of peers that are gone, or take nothing.
fn liveness(text: &mut Exposition, metrics: &Metrics) {
    let family = text.counter("wsgate_pings_sent_total", "Pings of wsgate's own.");
    of_sides(family, metrics, |route| {
        [route.pings_to_client, route.pings_to_upstream]
    });
    let family = text.counter(
        "wsgate_ping_timeouts_total",
        "Sessions that ended because nothing came after a ping.",
    );
    of_sides(family, metrics, |route| {
        [
            route.ping_timeouts_of_client,
            route.ping_timeouts_of_upstream,
        ]
    });
    let family = text.counter(
        "wsgate_slow_readers_total",
        "Sessions that ended because this side took nothing.",
    );
    of_sides(family, metrics, |route| {
        [route.slow_clients, route.slow_upstreams]
    });
}

/// Samples of each route, for the client's side and the upstream's.
fn of_sides(mut family: Family<'_>, metrics: &Metrics, counts: impl Fn(&RouteMetrics) -> [u64; 2]) {
    for each in &metrics.routes {
        for (side, count) in ["client", "upstream"].into_iter().zip(counts(each)) {
            family.sample(&[("route", &*each.route), ("side", side)], count);
        }
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
        "wsgate_upstream_sessions_total",
        "Sessions that there have been with a server.",
    );
    for each in &metrics.servers {
        let labels = [("upstream", &*each.upstream), ("server", &*each.server)];
        family.sample(&labels, each.opened);
    }
    let mut family = text.gauge(
        "wsgate_upstream_http2_connections_open",
        "Connections of HTTP/2 to a server, which sessions share.",
    );
    for each in &metrics.servers {
        let labels = [("upstream", &*each.upstream), ("server", &*each.server)];
        if let Some(connections) = each.http2_connections {
            family.sample(&labels, connections);
        }
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

/// What lets clients in.
fn issuers(text: &mut Exposition, metrics: &Metrics) {
    let mut family = text.gauge(
        "wsgate_issuer_keys",
        "Keys of an issuer that are in use; without any its tokens are refused.",
    );
    for each in &metrics.issuers {
        family.sample(&[("issuer", &each.issuer)], each.keys);
    }
    let mut family = text.gauge(
        "wsgate_issuer_keys_age_seconds",
        "How long ago the keys of an issuer were fetched.",
    );
    for each in &metrics.issuers {
        if let Some(age) = each.keys_age {
            family.sample(&[("issuer", &each.issuer)], age.as_secs());
        }
    }
    let mut family = text.counter(
        "wsgate_issuer_fetches_total",
        "Fetches of the keys of an issuer.",
    );
    for each in &metrics.issuers {
        for (result, count) in [("success", each.fetched), ("failure", each.failed_fetches)] {
            family.sample(&[("issuer", &each.issuer), ("result", result)], count);
        }
    }
    text.gauge(
        "wsgate_tickets_open",
        "One-time tickets that this process has issued and nobody has used.",
    )
    .sample(&[], metrics.tickets_open);
}

/// What is left of what the gate has, and of what it tells.
fn bounds(text: &mut Exposition, metrics: &Metrics) {
    if let Some(most) = metrics.most_sessions {
        let help = "The most sessions at once, handshakes on their way to one included.";
        text.gauge("wsgate_sessions_limit", help).sample(&[], most);
    }
    text.gauge("wsgate_draining", "1 from the beginning of a drain on.")
        .sample(&[], u8::from(metrics.draining));
    text.counter(
        "wsgate_log_lines_suppressed_total",
        "Lines about refused requests and failing servers that were left out of the log.",
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
    text.gauge(
        "wsgate_subjects_tracked",
        "Subjects that have limits of their own.",
    )
    .sample(&[], metrics.subjects_tracked);
    text.counter(
        "wsgate_subjects_overflowed_total",
        "Handshakes that shared a limit, because more subjects came than are tracked.",
    )
    .sample(&[], metrics.subjects_overflowed);
}
