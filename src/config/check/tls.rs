//! `[upstream.NAME.tls]`: TLS with the servers of a pool.

use std::path::Path;

use crate::config::load::file::read_again;
use crate::config::named_file::{Fingerprint, NamedFile};
use crate::config::report::{Node, Report};
use crate::config::settings::UpstreamTls;
use crate::config::values::ValueError;
use crate::error_report::ErrorReport;
use crate::tls::{ClientFiles, ClientTls};

/// TLS with the servers of a pool, of which at least one URL asks for it.
pub(super) fn client(
    settings: &UpstreamTls,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<ClientTls> {
    let mut read = |key: &str, path: &Path| {
        let path = directory.join(path);
        let contents = read_again(&path);
        let state = Fingerprint::of(&contents);
        let read = contents.map_err(|error| {
            let error = ErrorReport(&error);
            of_file(
                &node.get(key),
                &path,
                format!("cannot be read: {error}"),
                report,
            );
        });
        report.note_file(NamedFile { path, state });
        read
    };
    let ca = settings.ca.as_ref().map(|ca| read("ca", ca)).transpose();
    let identity = match (&settings.cert, &settings.key) {
        (Some(cert), Some(key)) => match (read("cert", cert), read("key", key)) {
            (Ok(cert), Ok(key)) => Ok(Some((cert, key))),
            _ => Err(()),
        },
        (None, None) => Ok(None),
        (cert, _) => {
            let (written, missing) = match cert {
                Some(_) => ("cert", "key"),
                None => ("key", "cert"),
            };
            let problem = ValueError::new(format!("`{written}` stands without `{missing}`")).help(
                format!("write `{missing}` beside it: a certificate needs both files"),
            );
            report.error(&node.get(written), problem);
            Err(())
        }
    };
    let (Ok(ca), Ok(identity)) = (ca, identity) else {
        return None;
    };
    match ClientTls::new(ClientFiles { ca, identity }, settings.server_name.clone()) {
        Ok(tls) => Some(tls),
        Err(error) => {
            let file = match error.key() {
                "ca" => &settings.ca,
                "cert" => &settings.cert,
                _ => &settings.key,
            };
            let path = directory.join(file.as_deref().unwrap_or(Path::new("")));
            let problem = format!("cannot be used: {}", ErrorReport(&error));
            of_file(&node.get(error.key()), &path, problem, report);
            None
        }
    }
}

/// Reports a problem with a file; its path is not shown where an environment variable is a part of it.
fn of_file(node: &Node<'_>, path: &Path, problem: String, report: &mut Report<'_>) {
    let is_filled = report.is_filled(node);
    let file = match is_filled {
        true => "the file, with the environment variables filled in,".to_owned(),
        false => path.display().to_string(),
    };
    let problem = ValueError::new(format!("{file} {problem}"));
    match is_filled {
        true => report.error_of_form(node, problem),
        false => report.error(node, problem),
    }
}
