//! The engine that gates share.

use crate::server::admin::exposition::Exposition;
use crate::server::admin::library::SharedMetrics;

pub(super) fn write(text: &mut Exposition, metrics: Option<&SharedMetrics>) {
    let mut family = text.gauge(
        "wsgate_shared_up",
        "1 if every connection with the engine is there.",
    );
    if let Some(metrics) = metrics {
        family.sample(&[], u8::from(metrics.up));
    }
    let mut family = text.counter(
        "wsgate_shared_interruptions_total",
        "How often what other gates published was not heard for a while.",
    );
    if let Some(metrics) = metrics {
        family.sample(&[], metrics.interruptions);
    }
    let mut family = text.counter(
        "wsgate_shared_failures_total",
        "What the engine did not answer, or not in time.",
    );
    for each in metrics.iter().flat_map(|metrics| &metrics.failures) {
        family.sample(&[("operation", each.operation)], each.count);
    }
    let mut family = text.histogram(
        "wsgate_shared_round_trip_seconds",
        "How long the answers of the engine took.",
    );
    if let Some(metrics) = metrics {
        family.durations(&[], &metrics.round_trips);
    }
}
