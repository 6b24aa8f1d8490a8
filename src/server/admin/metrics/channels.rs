//! What channels and the publish interface have counted.

use crate::ChannelMetrics;
use crate::server::admin::exposition::Exposition;
use crate::server::publish::refusals::RefusalCounts;

/// What became of publications.
pub(super) fn write(text: &mut Exposition, metrics: &ChannelMetrics) {
    text.gauge(
        "wsgate_channels",
        "Channels that have members, or retain publications.",
    )
    .sample(&[], metrics.open);
    text.gauge(
        "wsgate_channel_members",
        "Members of channels; a session in two channels counts twice.",
    )
    .sample(&[], metrics.members);
    let mut family = text.counter("wsgate_publications_total", "Publications by audience.");
    for each in &metrics.publications {
        let labels = [("audience", each.audience), ("origin", "here")];
        family.sample(&labels, each.count);
    }
    deliveries(text, metrics);
    text.gauge(
        "wsgate_retained_bytes",
        "Memory that channels take for the publications that they retain, estimated, in bytes.",
    )
    .sample(&[], metrics.retained_bytes);
    let mut family = text.counter(
        "wsgate_channel_joins_refused_total",
        "Channels that a session could not join.",
    );
    for each in &metrics.deliveries {
        family.sample(&[("route", &*each.route)], each.joins_refused);
    }
}

fn deliveries(text: &mut Exposition, metrics: &ChannelMetrics) {
    let mut family = text.counter(
        "wsgate_deliveries_total",
        "Publications that went to clients; one for three sessions is three.",
    );
    for each in &metrics.deliveries {
        family.sample(&[("route", &*each.route)], each.messages);
    }
    let mut family = text.counter(
        "wsgate_delivered_bytes_total",
        "Bytes of these, frame headers included.",
    );
    for each in &metrics.deliveries {
        family.sample(&[("route", &*each.route)], each.bytes);
    }
    let mut family = text.counter(
        "wsgate_deliveries_dropped_total",
        "Publications that a session did not get: it was slow, or ended before.",
    );
    for each in &metrics.deliveries {
        for (cause, count) in [("slow", each.slow), ("closed", each.unsent)] {
            family.sample(&[("route", &*each.route), ("cause", cause)], count);
        }
    }
}

/// What was not published.
pub(super) fn refusals(text: &mut Exposition, refusals: &RefusalCounts) {
    let mut family = text.counter(
        "wsgate_publish_refusals_total",
        "Requests and lines of batches that the publish interface refused.",
    );
    for (status, count) in refusals.iter() {
        family.sample(&[("status", status.as_str())], count);
    }
}
