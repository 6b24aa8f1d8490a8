//! The certificates of an interface, by its settings.

use std::path::{Path, PathBuf};

use wsgate::acme::certificate_file;
use wsgate::config::{ListenTls, acme_state_dir};

use crate::cli::error::CommandError;

/// The files of the certificates that an interface shows by these settings.
pub(crate) fn certificates(settings: &Path, tls: ListenTls) -> Result<Vec<PathBuf>, CommandError> {
    let folder = settings.parent().unwrap_or(Path::new(""));
    let files = tls.certificates.into_iter().filter_map(|files| files.cert);
    let mut files: Vec<_> = files.map(|file| folder.join(file)).collect();
    if let Some(order) = &tls.acme
        && let Some(state_dir) = acme_state_dir(settings, order)?
    {
        let ordered = certificate_file(&state_dir, order);
        // It comes after the others: without it they may be enough.
        if files.is_empty() || ordered.is_file() {
            files.push(ordered);
        }
    }
    Ok(files)
}
