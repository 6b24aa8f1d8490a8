//! What is written in the certificate of a server.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The certificate that a server has shown (RFC 5280 §4.1).
#[derive(Debug)]
pub(in crate::cli::probe) struct ShownCertificate {
    /// The hosts and addresses that it is for.
    pub(in crate::cli::probe) names: Vec<String>,
    /// Who has issued it, as RFC 4514 writes it.
    pub(in crate::cli::probe) issuer: String,
    begins: SystemTime,
    expires: SystemTime,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl ShownCertificate {
    /// Nothing for what is no certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let contents = certificate.tbs_certificate();
        let names = match contents.get_extension::<SubjectAltName>().ok()? {
            Some((_, SubjectAltName(names))) => names,
            None => Vec::new(),
        };
        let validity = contents.validity();
        Some(Self {
            names: names.iter().filter_map(host).collect(),
            issuer: contents.issuer().to_string(),
            begins: validity.not_before.to_system_time(),
            expires: validity.not_after.to_system_time(),
        })
    }

    /// When it expires, as RFC 3339 writes it.
    pub(in crate::cli::probe) fn expires(&self) -> String {
        written(self.expires)
    }

    /// When it expires, and how far that is from now; or when it begins to hold, if it does not yet.
    pub(in crate::cli::probe) fn validity(&self, now: SystemTime) -> String {
        if let Ok(until) = self.begins.duration_since(now) {
            return format!(
                "not valid before {}, {}",
                written(self.begins),
                ahead(until)
            );
        }
        let expires = written(self.expires);
        match self.expires.duration_since(now) {
            Ok(left) => format!("{expires}, {}", ahead(left)),
            Err(over) => format!("{expires}, {} ago", days(over.duration())),
        }
    }
}

fn ahead(time: Duration) -> String {
    format!("in {}", days(time))
}

fn days(time: Duration) -> String {
    match time.as_secs() / DAY.as_secs() {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn written(moment: SystemTime) -> String {
    let moment = Timestamp::try_from(moment).unwrap_or_default();
    format!("{moment:.0}")
}

/// A name that a host is verified by.
fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(|v4| Ipv4Addr::from(v4).to_string());
            let v6 = <[u8; 16]>::try_from(bytes).map(|v6| Ipv6Addr::from(v6).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn it_tells_names_issuer_and_time() {
        let names = ["a.test", "*.b.test", "192.0.2.1", "2001:db8::1"].map(String::from);
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = date_time_ymd(2026, 1, 1);
        parameters.not_after = date_time_ymd(2026, 4, 1);
        parameters
            .distinguished_name
            .push(DnType::CommonName, "an authority");
        let made = parameters.self_signed(&KeyPair::generate().unwrap());
        let shown = ShownCertificate::of(made.unwrap().der()).unwrap();
        assert_eq!(
            shown.names,
            ["a.test", "*.b.test", "192.0.2.1", "2001:db8::1"]
        );
        assert!(shown.issuer.contains("CN=an authority"), "{}", shown.issuer);
        assert_eq!(shown.expires(), "2026-04-01T00:00:00Z");
        for (now, expected) in [
            (
                "2025-12-30T12:00:00Z",
                "not valid before 2026-01-01T00:00:00Z, in 1 day",
            ),
            ("2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z, in 59 days"),
            (
                "2026-03-31T12:00:00Z",
                "2026-04-01T00:00:00Z, in less than a day",
            ),
            ("2026-04-03T00:00:00Z", "2026-04-01T00:00:00Z, 2 days ago"),
        ] {
            let now: Timestamp = now.parse().unwrap();
            let now = Duration::from_secs(now.as_second().try_into().unwrap());
            assert_eq!(shown.validity(SystemTime::UNIX_EPOCH + now), expected);
        }
    }

    #[test]
    fn what_is_no_certificate_tells_nothing() {
        assert!(ShownCertificate::of(&CertificateDer::from(vec![0x30, 0])).is_none());
    }
}
