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

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_channel_that_no_session_joins_is_a_warning() {
        let upstream = "[upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n";
        let route = |join: &str| {
            format!(
                "[[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\nchannels.join = [\"{join}\"]\n"
            )
        };
        let listen = "[[listen]]\naddress = \"127.0.0.1:8080\"\n";
        let warnings = |text: &str| {
            let config = Config::from_toml("a.toml", text).unwrap();
            config.warnings().collect::<Vec<_>>()
        };
        let expected = "a.toml:9:18: no session joins this channel: the route knows no subject of a client \
                        ([route.auth] says who a client is)";
        for join in ["user.{subject}", "org.{claim.org}"] {
            let text = [listen, upstream, &route(join)].concat();
            assert_eq!(warnings(&text), [expected], "{join}");
            // A library has policies that are in no file.
            let text = [upstream, &route(join)].concat();
            assert_eq!(warnings(&text), [""; 0], "{join}");
        }
        let text = [listen, upstream, &route("ip.{client_ip}")].concat();
        assert_eq!(warnings(&text), [""; 0]);
        let forward = "auth.forward.url = \"http://127.0.0.1:2\"\n";
        let text = [listen, upstream, &route("user.{subject}"), forward].concat();
        if cfg!(feature = "auth") {
            assert_eq!(warnings(&text), [""; 0]);
        }
    }
}
