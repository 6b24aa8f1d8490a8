//! Files of TLS that the settings name: read, and reported where they cannot be used.

use std::path::{Path, PathBuf};

use crate::config::load::file::read_again;
use crate::config::named_file::{Fingerprint, NamedFile};
use crate::config::report::{Node, Report};
use crate::config::values::ValueError;
use crate::error_report::ErrorReport;
use crate::tls::TlsError;

/// A file was reported.
pub(in crate::config::check) struct Reported;

/// The contents of the files of a certificate and its key.
type Identity = (Vec<u8>, Vec<u8>);

/// Reads a file that the value at `node` names, and notes that the settings depend on it.
pub(super) fn read(
    path: &Path,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Result<Vec<u8>, Reported> {
    let path = directory.join(path);
    let contents = read_again(&path);
    let state = Fingerprint::of(&contents);
    let read = contents.map_err(|error| {
        let error = ErrorReport(&error);
        of_file(node, &path, format!("cannot be read: {error}"), report);
        Reported
    });
    report.note_file(NamedFile { path, state });
    read
}

/// Reads a file, which is no other's to report.
#[cfg(feature = "auth")]
pub(in crate::config::check) fn read_file(
    path: &Path,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<Vec<u8>> {
    read(path, node, directory, report).ok()
}

/// Reads the files of a certificate and its key, of which neither stands without the other.
pub(super) fn read_identity(
    (cert, key): (&Option<PathBuf>, &Option<PathBuf>),
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Result<Option<Identity>, Reported> {
    let (written, missing) = match (cert, key) {
        (Some(cert), Some(key)) => {
            let cert = read(cert, &node.get("cert"), directory, report);
            let key = read(key, &node.get("key"), directory, report);
            return Ok(Some((cert?, key?)));
        }
        (None, None) => return Ok(None),
        (Some(_), None) => ("cert", "key"),
        (None, Some(_)) => ("key", "cert"),
    };
    let problem = ValueError::new(format!("`{written}` stands without `{missing}`")).help(format!(
        "write `{missing}` beside it: a certificate needs both files"
    ));
    report.error(&node.get(written), problem);
    Err(Reported)
}

/// Reports a file that cannot be used.
pub(super) fn unusable(
    error: &TlsError,
    file: Option<&PathBuf>,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) {
    let path = directory.join(file.map_or(Path::new(""), PathBuf::as_path));
    let problem = format!("cannot be used: {}", ErrorReport(error));
    of_file(node, &path, problem, report);
}

/// Reports a problem with a file; its path is not shown where an environment variable is a part of it.
fn of_file(node: &Node<'_>, path: &Path, problem: String, report: &mut Report<'_>) {
    let problem = named(node, path, &problem, report);
    match report.is_filled(node) {
        true => report.error_of_form(node, problem),
        false => report.error(node, problem),
    }
}

/// A sentence about a file.
pub(super) fn named(
    node: &Node<'_>,
    path: &Path,
    predicate: &str,
    report: &Report<'_>,
) -> ValueError {
    let file = match report.is_filled(node) {
        true => "the file, with the environment variables filled in,".to_owned(),
        false => path.display().to_string(),
    };
    ValueError::new(format!("{file} {predicate}"))
}
