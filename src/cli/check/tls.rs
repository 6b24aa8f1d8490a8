//! What a client would see of TLS before its request.

use std::net::IpAddr;

use http::Uri;
use wsgate::Config;
use wsgate::acme::Status;
use wsgate::tls::ServerTls;

/// The name that a client sends in its handshake: that of the host, and no address (RFC 6066 §3).
pub(super) fn server_name(uri: &Uri) -> Option<String> {
    let host = uri.host()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<IpAddr>().is_ok();
    (!is_address).then(|| host.to_owned())
}

/// The certificate of each listener with TLS for a request to this URL.
pub(super) fn certificates(config: &Config, uri: &Uri) -> Vec<String> {
    if config.listen_tls().is_empty() {
        let hint =
            "no listener speaks TLS: a proxy in front has to, and what it says is not looked at";
        return vec![hint.to_owned()];
    }
    let name = server_name(uri);
    let host = name.as_deref().unwrap_or_default();
    let (settings, orders) = (config.settings(), Status::of_all(config));
    let mut lines = Vec::new();
    for (listener, tls) in config.listen_tls() {
        let mut listeners = settings.listen.iter();
        let named = listeners.find(|listen| listen.address == *listener);
        let named = named.and_then(|listen| listen.tls.as_ref()?.acme.as_ref());
        let order = named.and_then(|name| orders.iter().find(|order| order.name() == name));
        let Some((shown, is_for_host)) = shown(tls, order, host) else {
            continue;
        };
        lines.push(format!("{listener} shows {shown}"));
        if !is_for_host && name.is_some() {
            lines.push("which is for other hosts: clients refuse it".to_owned());
        }
    }
    if name.is_some() {
        lines.push(
            "a request for another host on that connection gets 421 (misdirected)".to_owned(),
        );
    }
    lines
}

/// What one listener shows for a host, which is empty without one, and whether that is for it. The order of a listener
/// comes before its files that are for other hosts.
fn shown(tls: &ServerTls, order: Option<&Status>, host: &str) -> Option<(String, bool)> {
    let of_order = |order: &Status| format!("[acme.{}], {}", order.name(), order.shown());
    let of_file = tls.certificate_for(host);
    let is_for_other = !of_file.is_some_and(|(_, is_for_host)| is_for_host);
    if let Some(order) = order.filter(|order| is_for_other && order.is_for(host)) {
        return Some((of_order(order), true));
    }
    if let Some((certificate, is_for_host)) = of_file {
        let (file, expires) = (&certificate.file, certificate.expires());
        return Some((format!("{file}, until {expires}"), is_for_host));
    }
    order.map(|order| (of_order(order), false))
}

/// Why no listener takes a request without TLS, if none does.
pub(super) fn refusal_of_plain(config: &Config) -> Vec<String> {
    let settings = config.settings();
    match settings.listen.iter().all(|listen| listen.tls.is_some()) {
        true => {
            vec!["every listener speaks TLS: without it the answer is 400 (not_tls)".to_owned()]
        }
        false => Vec::new(),
    }
}
