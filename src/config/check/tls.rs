//! `[upstream.NAME.tls]`: TLS with the servers of a pool.

use std::path::Path;

use crate::config::load::file::{FileError, read_again};
use crate::config::named_file::{Fingerprint, NamedFile};
use crate::config::report::{Node, Report};
use crate::config::settings::UpstreamTls;
use crate::config::values::ValueError;
use crate::error_report::ErrorReport;
use crate::tls::{ClientFiles, ClientTls};

/// TLS with servers of whose URLs one asks for it.
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
        let read =
            contents.map_err(|error| report.error(&node.get(key), unreadable(&path, &error)));
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
            let problem = ValueError::new(format!("`{written}` stands without `{missing}`"));
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
            let file = file.as_ref().map(|file| directory.join(file));
            let file = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
            let problem = ValueError::new(format!("{file}{}", ErrorReport(&error)));
            report.error(&node.get(error.key()), problem);
            None
        }
    }
}

fn unreadable(path: &Path, error: &FileError) -> ValueError {
    let error = ErrorReport(error);
    ValueError::new(format!("{} cannot be read: {error}", path.display()))
}
