//! What a client would see of TLS before its request.

use std::net::IpAddr;

use http::Uri;
use wsgate::Config;

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
    let mut lines = Vec::new();
    for (listener, tls) in config.listen_tls() {
        let shown = tls.certificate_for(name.as_deref().unwrap_or_default());
        let Some((certificate, is_for_host)) = shown else {
            continue;
        };
        let (file, expires) = (&certificate.file, certificate.expires());
        lines.push(format!("{listener} shows {file}, until {expires}"));
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
