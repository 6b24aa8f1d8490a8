//! `[listen.tls]`: TLS with the clients of a listener.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::files::{Reported, named, read, read_identity, unusable};
use crate::config::report::{Node, Report};
use crate::config::settings::{CertificateFiles, ClientAuth, ListenTls, TlsVersion};
use crate::config::values::{MASK, ValueError};
use crate::error_report::ErrorReport;
use crate::tls::{
    CertificateDefect, ClientCertificates, OrderedCertificate, ServerCertificate, ServerTls,
};

/// TLS with the clients of a listener.
pub(in crate::config::check) fn listener(
    settings: &ListenTls,
    ordered: Result<Option<Arc<OrderedCertificate>>, Reported>,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<ServerTls> {
    let list = node.get("certificates");
    let is_ordered = settings.acme.is_some() || report.has_lost(node, "acme");
    if settings.certificates.is_empty() && !is_ordered && !report.has_lost_any(&list) {
        let problem = ValueError::new("there is no certificate to show to clients").help(
            "write certificates = [{ cert = \"fullchain.pem\", key = \"privkey.pem\" }], or acme = \"NAME\"",
        );
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
    let ordered = ordered.ok()?;
    let (certificates, clients) = (certificates.ok()?, clients.ok()?);
    let only_tls13 = settings.min_version == TlsVersion::Tls13;
    let tls = ServerTls::new(certificates, ordered, clients, only_tls13);
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
            warn(&certificate, files, node, directory, report);
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
fn warn(
    certificate: &ServerCertificate,
    files: &CertificateFiles,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) {
    let (now, facts) = (SystemTime::now(), certificate.facts());
    let of_dates = match () {
        () if facts.not_after < now => Some(EXPIRED),
        () if facts.not_before > now => Some(NOT_YET),
        () => None,
    };
    let of_contents = certificate.defects().iter().map(|defect| match defect {
        CertificateDefect::NoName => NO_NAME,
        CertificateDefect::NoIssuer => NO_ISSUER,
    });
    let cert = node.get("cert");
    let path = |file: &Option<PathBuf>| directory.join(file.as_deref().unwrap_or(Path::new("")));
    for predicate in of_dates.into_iter().chain(of_contents) {
        let problem = named(&cert, &path(&files.cert), predicate, report);
        report.warn(&cert, problem);
    }
    let (key, path) = (node.get("key"), path(&files.key));
    if is_read_by_everybody(&path) {
        let problem = named(&key, &path, OPEN_KEY, report);
        report.warn(&key, problem);
    }
}

const EXPIRED: &str = "is a certificate that has expired: clients refuse it";
const NOT_YET: &str = "is a certificate that is not valid yet: clients refuse it";
const NO_NAME: &str = "is a certificate without a host name or IP address: clients refuse it, whatever its common name is";
const NO_ISSUER: &str =
    "does not have the certificate of the issuer: clients that do not know that one refuse it";
const OPEN_KEY: &str = "can be read by every user of this machine, and is a private key";

/// Whether the mode of a file says so.
fn is_read_by_everybody(path: &Path) -> bool {
    // Only permissions: a file that is gone since it was read is reported by the next reload.
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
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
