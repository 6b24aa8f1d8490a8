//! `[shared]`: the engine that several processes share.

#[cfg(feature = "shared")]
use std::path::Path;

#[cfg(feature = "shared")]
use super::tls;
#[cfg(feature = "shared")]
use crate::config::checked::shared::{Engine, SharedLimits, SharedRules};
use crate::config::report::{Node, Report};
use crate::config::settings::SharedSettings;
use crate::config::values::ValueError;
#[cfg(feature = "shared")]
use crate::tls::ApplicationProtocol;

/// What is shared, and through which engine.
#[cfg(feature = "shared")]
pub(super) fn engine(
    settings: &SharedSettings,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Option<SharedRules> {
    let limits = node.get("limits");
    for (index, limit) in settings.limits.iter().enumerate() {
        let mut before = settings.limits[..index].iter();
        if let Some(first) = before.position(|before| before == limit) {
            let problem = ValueError::new("this limit stands in the list twice");
            report.duplicate(&limits.at(index), &limits.at(first), problem);
        }
    }
    let Some(url) = &settings.url else {
        report.missing(node, "url");
        return None;
    };
    if settings.ca.is_some() && !url.is_tls {
        let problem = ValueError::new("the engine is spoken to without TLS")
            .help("write rediss in the place of redis in the URL, or leave the file out");
        report.error(&node.get("ca"), problem);
        return None;
    }
    let tls = match url.is_tls {
        true => Some(tls::client_of_urls(
            settings.ca.as_ref(),
            ApplicationProtocol::Unnamed,
            node,
            directory,
            report,
        )?),
        false => None,
    };
    Some(SharedRules {
        engine: Engine {
            layout: url.layout.clone(),
            endpoints: url.endpoints.clone(),
            database: url.database,
            username: url.username.clone(),
            password: url.password.clone(),
            tls,
        },
        limits: SharedLimits::of(&settings.limits),
        on_failure: settings.on_failure,
        prefix: settings.prefix.as_str().into(),
    })
}

/// Nothing is shared in this build.
#[cfg(not(feature = "shared"))]
pub(super) fn refuse(settings: Option<&SharedSettings>, node: &Node<'_>, report: &mut Report<'_>) {
    if settings.is_some() {
        let problem = ValueError::new("this build of wsgate shares nothing with others")
            .help("build it with the feature `shared`");
        report.error_of_form(node, problem);
    }
}
