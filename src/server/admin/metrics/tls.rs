//! TLS with clients.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::gate::count_of;
use crate::server::admin::exposition::Exposition;
use crate::server::admin::library::{BrokenRequestMetrics, Config, TlsAcceptError};
use crate::server::http::tls_handshakes::TlsHandshakes;

pub(super) fn handshakes(
    text: &mut Exposition,
    handshakes: &TlsHandshakes,
    broken: &[BrokenRequestMetrics],
) {
    let mut family = text.counter(
        "wsgate_tls_handshakes_total",
        "TLS handshakes that clients have finished.",
    );
    for kind in handshakes.finished() {
        let resumed = match kind.is_resumed {
            true => "true",
            false => "false",
        };
        family.sample(
            &[("version", kind.version), ("resumed", resumed)],
            kind.count,
        );
    }
    let mut family = text.counter(
        "wsgate_tls_handshakes_failed_total",
        "TLS handshakes with clients that were not finished.",
    );
    let logged = TlsAcceptError::REASONS.map(|reason| (reason, count_of(broken, reason)));
    for (reason, count) in logged.into_iter().chain(handshakes.failed_silently()) {
        family.sample(&[("reason", reason)], count);
    }
    text.gauge(
        "wsgate_tls_handshakes_open",
        "Connections in their TLS handshake.",
    )
    .sample(&[], handshakes.open());
}

/// The certificates of the settings in force.
pub(super) fn certificates(text: &mut Exposition, config: &Config) {
    // A file may stand in a listener twice, and paths from environment variables have one name.
    let mut first = BTreeMap::new();
    for (listener, certificate) in config.certificates() {
        let labels = (listener.to_string(), certificate.file);
        let dates = (certificate.not_after, certificate.not_before);
        let earlier = first.entry(labels).or_insert(dates);
        *earlier = dates.min(*earlier);
    }
    let mut family = text.gauge(
        "wsgate_certificate_expiry_timestamp_seconds",
        "When a certificate that is shown to clients expires, in seconds since 1970.",
    );
    for ((listener, file), (expires, _)) in &first {
        family.sample(&[("listener", listener), ("file", file)], seconds(*expires));
    }
    let mut family = text.gauge(
        "wsgate_certificate_not_before_timestamp_seconds",
        "When a certificate that is shown to clients began to hold, in seconds since 1970.",
    );
    for ((listener, file), (_, begins)) in &first {
        family.sample(&[("listener", listener), ("file", file)], seconds(*begins));
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
