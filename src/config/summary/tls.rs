//! What clients get to see of TLS.

use std::fmt::Write;

use super::wrapped::wrapped;
use crate::config::checked::Config;
use crate::config::settings::{ClientAuth, Listen, ListenTls, TlsVersion};

/// The listeners with TLS, and their certificates.
pub(super) fn tell(config: &Config, summary: &mut String) {
    let listeners = config.listen.iter();
    let listeners = listeners.map(|Listen { address, tls, .. }| (address, tls));
    let admin = config
        .admin
        .iter()
        .map(|admin| (&admin.address, &admin.tls));
    let publish = config
        .publish
        .iter()
        .map(|publish| (&publish.address, &publish.tls));
    for (address, tls) in listeners.chain(admin).chain(publish) {
        let Some(settings) = tls else {
            continue;
        };
        let mut words = vec![address.to_string()];
        words.extend(rules(settings));
        // Writing to a string cannot fail.
        let _ = writeln!(summary, "tls     {}", words.join(", "));
        let certificates = config.certificates();
        for (_, certificate) in certificates.filter(|(listener, _)| *listener == address) {
            let mut words = certificate.names.clone();
            if words.is_empty() {
                words.push("no host name".to_owned());
            }
            let (file, expires) = (&certificate.file, certificate.expires());
            let _ = writeln!(summary, "  {file} until {expires}");
            let _ = writeln!(summary, "  {:9}  {}", "for", wrapped(&words));
        }
    }
}

fn rules(settings: &ListenTls) -> impl Iterator<Item = String> {
    let clients = match settings.client_auth {
        ClientAuth::Off => None,
        ClientAuth::Optional => Some("client certificates optional"),
        ClientAuth::Required => Some("client certificates required"),
    };
    let version = match settings.min_version {
        TlsVersion::Tls12 => None,
        TlsVersion::Tls13 => Some("TLS 1.3 only"),
    };
    clients.into_iter().chain(version).map(str::to_owned)
}
