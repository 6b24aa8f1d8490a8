//! `[route.channels]`: templates parsed, and checked against the path and the policies of the route.

use crate::config::checked::channels::ChannelRules;
use crate::config::report::{Node, Report};
use crate::config::settings::ChannelSettings;
use crate::config::values::{ChannelTemplate, PathPattern, ValueError};

/// The rules of the settings at `node`. `has_subjects` is whether a policy may say who a client of the route is.
pub(super) fn channels(
    settings: ChannelSettings,
    path: &PathPattern,
    has_subjects: bool,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> ChannelRules {
    let list = node.get("join");
    let mut join: Vec<ChannelTemplate> = Vec::with_capacity(settings.join.len());
    for (index, text) in settings.join.iter().enumerate() {
        let node = list.at(index);
        let mut before = settings.join[..index].iter();
        if let Some(first) = before.position(|before| before == text) {
            let problem = ValueError::new("this channel stands in the list twice");
            report.duplicate(&node, &list.at(first), problem);
            continue;
        }
        match ChannelTemplate::parse(text, path) {
            Ok(template) => {
                if template.uses_identity() && !has_subjects {
                    let problem = ValueError::new(
                        "no session joins this channel: the route knows no subject of a client",
                    )
                    .help("[route.auth] says who a client is");
                    report.warn(&node, problem);
                }
                join.push(template);
            }
            Err(problem) => report.error(&node, problem),
        }
    }
    ChannelRules::new(&settings, join)
}
