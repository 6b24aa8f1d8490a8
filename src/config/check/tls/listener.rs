//! `[listen.tls]`: TLS with the clients of a listener.

use std::path::Path;
use std::time::SystemTime;

use super::files::{Reported, named, read, read_identity, unusable};
use crate::config::report::{Node, Report};
use crate::config::settings::{CertificateFiles, ClientAuth, ListenTls, TlsVersion};
use crate::config::values::{MASK, ValueError};
use crate::error_report::ErrorReport;
use crate::tls::{ClientCertificates, ServerCertificate, ServerTls};

/// TLS with the clients of a listener.
pub(in crate::config::check) fn listener(
    settings: &ListenTls,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<ServerTls> {
    let list = node.get("certificates");
    if settings.certificates.is_empty() && !report.has_lost_any(&list) {
        let problem = ValueError::new("there is no certificate to show to clients")
            .help("write certificates = [{ cert = \"fullchain.pem\", key = \"privkey.pem\" }]");
        report.error(node, problem);
        return None;
    }
    let certificates = settings.certificates.iter().enumerate();
    let certificates = certificates
        .map(|(index, files)| certificate(files, &list.at(index), directory, report))
        // Every mistake is reported.
        .collect::<Vec<_>>();
    let clients = clients(settings, node, directory, report);
    let certificates = certificates.into_iter().collect::<Result<Vec<_>, _>>();
    let (certificates, clients) = (certificates.ok()?, clients.ok()?);
    let only_tls13 = settings.min_version == TlsVersion::Tls13;
    let tls = ServerTls::new(certificates, clients, only_tls13);
    tls.map_err(|error| report.error(node, ValueError::new(ErrorReport(&error).to_string())))
        .ok()
}

fn certificate(
    files: &CertificateFiles,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Result<ServerCertificate, Reported> {
    let identity = read_identity((&files.cert, &files.key), node, directory, report)?;
    let Some((chain, key)) = identity else {
        let problem = ValueError::new("neither a certificate nor a key is named here");
        report.error(node, problem);
        return Err(Reported);
    };
    let file = match &files.cert {
        Some(file) if !report.is_filled(&node.get("cert")) => file.display().to_string(),
        _ => MASK.to_owned(),
    };
    match ServerCertificate::new(&file, &chain, &key) {
        Ok(certificate) => {
            warn_of_dates(&certificate, files, node, directory, report);
            Ok(certificate)
        }
        Err(error) => {
            let file = match error.key() {
                "cert" => &files.cert,
                _ => &files.key,
            };
            let node = node.get(error.key());
            unusable(&error, file.as_ref(), &node, directory, report);
            Err(Reported)
        }
    }
}

/// Clients do not take such a certificate, but it may be all that there is.
fn warn_of_dates(
    certificate: &ServerCertificate,
    files: &CertificateFiles,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) {
    let (now, facts) = (SystemTime::now(), certificate.facts());
    let predicate = match () {
        () if facts.not_after < now => "is a certificate that has expired: clients refuse it",
        () if facts.not_before > now => "is a certificate that is not valid yet: clients refuse it",
        () => return,
    };
    let path = directory.join(files.cert.as_deref().unwrap_or(Path::new("")));
    let node = node.get("cert");
    let problem = named(&node, &path, predicate, report);
    report.warn(&node, problem);
}

fn clients(
    settings: &ListenTls,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Result<ClientCertificates, Reported> {
    let ca = node.get("client_ca");
    let path = match (settings.client_auth, &settings.client_ca) {
        (ClientAuth::Off, None) => return Ok(ClientCertificates::default()),
        (ClientAuth::Off, Some(_)) => {
            let problem = ValueError::new("no client is asked for a certificate").help(
                "write client_auth = \"required\" beside it, or \"optional\", or leave it out",
            );
            // A typing error in `client_auth` was reported.
            if !report.has_lost(node, "client_auth") {
                report.error(&ca, problem);
            }
            return Err(Reported);
        }
        (ClientAuth::Optional | ClientAuth::Required, None) => {
            let problem = ValueError::new("it is not said whose certificates clients may show")
                .help(
                    "write client_ca = \"ca.pem\" beside it, with the authorities that you trust",
                );
            if !report.has_lost(node, "client_ca") {
                report.error(&node.get("client_auth"), problem);
            }
            return Err(Reported);
        }
        (ClientAuth::Optional | ClientAuth::Required, Some(path)) => path,
    };
    let contents = read(path, &ca, directory, report)?;
    let is_required = settings.client_auth == ClientAuth::Required;
    ClientCertificates::verified(contents, is_required).map_err(|error| {
        unusable(&error, Some(path), &ca, directory, report);
        Reported
    })
}
