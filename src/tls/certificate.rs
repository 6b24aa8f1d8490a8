//! A certificate with its key, and what is written in a certificate.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::{DateTime, Decode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName};

use super::error::TlsError;
use super::pem::{certificates, private_key};

/// A certificate that is shown to clients, with its key.
#[derive(Clone)]
pub(crate) struct ServerCertificate {
    key: Arc<CertifiedKey>,
    facts: CertificateFacts,
    defects: Vec<CertificateDefect>,
}

/// Why clients may refuse a certificate that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateDefect {
    /// It is for no host name and no IP address (RFC 9525 §6: the common name does not count).
    NoName,
    /// It is not self-signed, and its file does not have the certificate of its issuer.
    NoIssuer,
}

/// What is written in a certificate (RFC 5280 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// Its file as the settings name it, or `***` if an environment variable is a part of that; `[acme.NAME]` if an
    /// authority is asked for it.
    pub file: Arc<str>,
    /// The names of hosts that it is for, in lower case; `*.` stands for one label.
    pub names: Vec<String>,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// When it begins to hold.
    pub not_before: SystemTime,
    /// When it expires.
    pub not_after: SystemTime,
}

impl ServerCertificate {
    /// Reads a certificate with its chain, and its private key, both in PEM. `file` is what it is called.
    ///
    /// # Errors
    /// [`TlsError`] if one of them cannot be read, or the key is that of another certificate.
    pub(crate) fn new(file: &str, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain).map_err(TlsError::Certificate)?;
        let Some(first) = chain.first() else {
            return Err(TlsError::NoCertificate);
        };
        let facts = CertificateFacts::of(file, first).ok_or(TlsError::UnreadableCertificate)?;
        let defects = defects(&chain).ok_or(TlsError::UnreadableCertificate)?;
        let key = private_key(key)?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        Ok(Self {
            key: Arc::new(key.map_err(TlsError::of_identity)?),
            facts,
            defects,
        })
    }

    /// What clients may refuse it for, beside its dates.
    pub(crate) fn defects(&self) -> &[CertificateDefect] {
        &self.defects
    }

    pub(crate) fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// What names the certificate where its authority is asked when to renew it (RFC 9773 §4.1): the identifier of the
    /// authority's key, and the serial number. None if it has no such identifier.
    pub(crate) fn renewal_identifier(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let certificate = Certificate::from_der(self.key.cert.first()?).ok()?;
        let contents = certificate.tbs_certificate();
        let (_, authority) = contents.get_extension::<AuthorityKeyIdentifier>().ok()??;
        let authority = authority.key_identifier?.as_bytes().to_vec();
        Some((authority, contents.serial_number().as_bytes().to_vec()))
    }

    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

/// A certificate is renewed with another serial number, so that its chain tells two of them apart.
impl PartialEq for ServerCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

impl Eq for ServerCertificate {}

impl CertificateFacts {
    /// When it expires, as RFC 3339 writes it, in UTC.
    pub fn expires(&self) -> String {
        // No certificate has a date that cannot be written.
        let written = DateTime::from_system_time(self.not_after);
        written.map_or_else(|_| String::new(), |written| written.to_string())
    }

    /// How much time is left at this moment; none once it has expired.
    pub fn time_left(&self, now: SystemTime) -> Option<Duration> {
        self.not_after.duration_since(now).ok()
    }

    fn of(file: &str, certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let contents = certificate.tbs_certificate();
        let names = match contents.get_extension::<SubjectAltName>().ok()? {
            Some((_, SubjectAltName(names))) => names,
            None => Vec::new(),
        };
        let names = names.into_iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        });
        let validity = contents.validity();
        Some(Self {
            file: file.into(),
            names: names.collect(),
            serial: contents.serial_number().to_string(),
            not_before: validity.not_before.to_system_time(),
            not_after: validity.not_after.to_system_time(),
        })
    }
}

/// What is wrong with the first of these certificates; none if one cannot be read.
fn defects(chain: &[CertificateDer<'_>]) -> Option<Vec<CertificateDefect>> {
    let chain: Result<Vec<_>, _> = chain.iter().map(|one| Certificate::from_der(one)).collect();
    let chain = chain.ok()?;
    let (first, others) = chain.split_first()?;
    let first = first.tbs_certificate();
    let is_named =
        |name: &GeneralName| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_));
    let names = first.get_extension::<SubjectAltName>().ok()?;
    let mut defects = Vec::new();
    if !names.is_some_and(|(_, SubjectAltName(names))| names.iter().any(is_named)) {
        defects.push(CertificateDefect::NoName);
    }
    let mut subjects = others.iter().map(|other| other.tbs_certificate().subject());
    if first.issuer() != first.subject() && !subjects.any(|subject| subject == first.issuer()) {
        defects.push(CertificateDefect::NoIssuer);
    }
    Some(defects)
}

/// The subject of a certificate as RFC 4514 writes it, such as `CN=a client,O=Example`; in ASCII, where any other
/// byte is an escape (§2.4). None if the certificate cannot be read.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let written = certificate.tbs_certificate().subject().to_string();
    let mut subject = String::with_capacity(written.len());
    for byte in written.bytes() {
        match byte {
            b' '..=b'~' => subject.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => write!(subject, "\\{byte:02X}").ok()?,
        }
    }
    Some(subject)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
    };

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> (rcgen::Certificate, KeyPair) {
        let names = ["a.test", "*.B.test", "127.0.0.1"].map(String::from);
        let mut parameters = CertificateParams::new(names).unwrap();
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        (parameters.self_signed(&key).unwrap(), key)
    }

    #[test]
    fn names_and_dates_are_those_of_the_certificate() {
        let (certificate, key) = made(|parameters| {
            parameters.serial_number = Some(vec![0x0a, 0xb1].into());
            parameters.not_before = date_time_ymd(2001, 1, 1);
            parameters.not_after = date_time_ymd(2049, 1, 1);
        });
        let read = ServerCertificate::new(
            "a.pem",
            certificate.pem().as_bytes(),
            key.serialize_pem().as_bytes(),
        );
        let days = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 24 * 60 * 60);
        let read = read.unwrap();
        assert_eq!(read.facts().expires(), "2049-01-01T00:00:00Z");
        assert_eq!(
            *read.facts(),
            CertificateFacts {
                file: "a.pem".into(),
                names: vec!["a.test".to_owned(), "*.b.test".to_owned()],
                serial: "0A:B1".to_owned(),
                not_before: days(11_323),
                not_after: days(28_855),
            }
        );
    }

    #[test]
    fn a_certificate_without_names_or_issuer_has_a_defect() {
        let mut parameters = CertificateParams::default();
        let names = &mut parameters.distinguished_name;
        names.push(DnType::CommonName, "an issuer");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap());
        let issuer = issuer.unwrap();
        let issued = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string);
            let mut parameters = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
            parameters
                .distinguished_name
                .push(DnType::CommonName, "a.test");
            let key = KeyPair::generate().unwrap();
            let certificate = parameters.signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let both = [CertificateDefect::NoName, CertificateDefect::NoIssuer];
        for (names, has_issuer, expected) in [
            (&["a.test"][..], true, &[][..]),
            (&["a.test"], false, &both[1..]),
            (&["127.0.0.1"], true, &[]),
            (&[], true, &both[..1]),
            (&[], false, &both),
        ] {
            let (mut chain, key) = issued(names);
            if has_issuer {
                chain.push_str(&issuer.pem());
            }
            let read = ServerCertificate::new("a.pem", chain.as_bytes(), key.as_bytes());
            assert_eq!(read.unwrap().defects(), expected, "{names:?} {has_issuer}");
        }
        let (alone, key) = made(|_| {});
        let (chain, key) = (alone.pem(), key.serialize_pem());
        let read = ServerCertificate::new("a.pem", chain.as_bytes(), key.as_bytes());
        assert_eq!(read.unwrap().defects(), []);
    }

    #[test]
    fn a_certificate_is_named_by_its_authority_and_its_serial_number() {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![7; 20]);
        let issuer = rcgen::CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap());
        let mut parameters = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        parameters.use_authority_key_identifier_extension = true;
        // As in the example of RFC 9773: its first bit is set, so that a byte comes before it.
        parameters.serial_number = Some(vec![0x87, 0x65, 0x43, 0x21].into());
        let key = KeyPair::generate().unwrap();
        let issued = parameters.signed_by(&key, &issuer.unwrap()).unwrap();
        let (chain, key) = (issued.pem(), key.serialize_pem());
        let issued = ServerCertificate::new("a", chain.as_bytes(), key.as_bytes()).unwrap();
        let named = issued.renewal_identifier();
        assert_eq!(named, Some((vec![7; 20], vec![0, 0x87, 0x65, 0x43, 0x21])));
        let (own, key) = made(|_| {});
        let (own, key) = (own.pem(), key.serialize_pem());
        let own = ServerCertificate::new("own", own.as_bytes(), key.as_bytes());
        assert_eq!(own.unwrap().renewal_identifier(), None);
    }

    #[test]
    fn the_key_of_another_certificate_is_refused() {
        let ((certificate, _), (_, other)) = (made(|_| {}), made(|_| {}));
        let read = ServerCertificate::new(
            "a.pem",
            certificate.pem().as_bytes(),
            other.serialize_pem().as_bytes(),
        );
        assert_eq!(
            read.err().unwrap().to_string(),
            "this is not the private key of the certificate in `cert`, or that is not the first one in its file"
        );
    }

    #[test]
    fn what_is_not_in_its_form_is_said_with_what_it_should_be() {
        let (certificate, key) = made(|_| {});
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let old = key.replacen(
            '\n',
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
            1,
        );
        for (certificate, key, error) in [
            (&*certificate, &*locked, "`openssl pkey`"),
            (&certificate, &old, "`openssl pkey`"),
            (&certificate, &certificate, "-----BEGIN PRIVATE KEY-----"),
            (&key, &key, "-----BEGIN CERTIFICATE-----"),
            ("\x30\x03", &key, "-----BEGIN CERTIFICATE-----"),
        ] {
            let read = ServerCertificate::new("a.pem", certificate.as_bytes(), key.as_bytes());
            let read = read.err().unwrap().to_string();
            assert!(read.contains(error), "{read}");
        }
    }

    #[test]
    fn a_subject_is_one_line_of_ascii() {
        let (certificate, _) = made(|parameters| {
            let names = &mut parameters.distinguished_name;
            names.push(DnType::OrganizationName, "Ex\u{e4}mple, \"Inc\"");
            names.push(DnType::CommonName, "a\r\nclient");
        });
        assert_eq!(
            subject(certificate.der()).as_deref(),
            Some("O=Ex\\C3\\A4mple\\, \\\"Inc\\\",CN=a\\0d\\0aclient")
        );
    }
}
