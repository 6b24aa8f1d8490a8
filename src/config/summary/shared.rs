//! What several processes share, in the words of the summary.

use std::fmt::Write;

use super::wrapped::wrapped;
use crate::config::checked::Config;
use crate::config::settings::OnFailure;

/// The engine without its password, and which limits count over all processes.
pub(super) fn tell(config: &Config, summary: &mut String) {
    let Some((settings, url)) = config
        .written_shared
        .as_ref()
        .and_then(|settings| Some((settings, settings.url.as_ref()?)))
    else {
        return;
    };
    let limits = settings
        .limits
        .iter()
        .map(|limit| limit.as_str().to_owned());
    let mut limits: Vec<_> = limits.collect();
    if limits.is_empty() {
        limits.push("none".to_owned());
    }
    let failure = match settings.on_failure {
        OnFailure::Local => "each process counts for itself",
        OnFailure::Deny => "denied",
    };
    // Writing to a string cannot fail.
    let place = url.without_user();
    let _ = writeln!(summary, "shared  {place}, prefix {}", settings.prefix);
    let _ = writeln!(summary, "  {:9}  {}", "limits", wrapped(&limits));
    let _ = writeln!(summary, "  failure    {failure}");
}
