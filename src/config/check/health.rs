//! Warns of routes that lose requests to `server.health_path`.

use crate::config::report::{Node, Report};
use crate::config::settings::RouteSettings;
use crate::config::values::ValueError;

/// Warns of every route with this path among its own. One of all paths (`/*`) is for what nothing else
/// answers.
pub(super) fn warn(
    health_path: &str,
    routes: &[RouteSettings],
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    if health_path.is_empty() {
        return;
    }
    for (index, route) in routes.iter().enumerate() {
        let pattern = route.path.as_ref();
        if pattern.is_some_and(|path| path.matches(health_path) && !path.is_every_path()) {
            let message = format!(
                "this route never sees GET requests for `{health_path}`: `server.health_path` answers \
                 them first"
            );
            report.warn(&node.at(index).get("path"), ValueError::new(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_route_with_the_health_path_among_its_own_is_warned_of() {
        for (path, is_shadowed) in [
            ("/up", true),
            ("/%75p", true),
            ("/{id}", true),
            ("/up/*", false),
            ("/ws", false),
            ("/*", false),
        ] {
            let text = format!(
                "[server]\nhealth_path = \"/up\"\n[upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                 [[route]]\nname = \"a\"\npath = \"{path}\"\nupstream = \"a\"\n"
            );
            let config = Config::from_toml("a.toml", &text).unwrap();
            let warned = config
                .warnings()
                .any(|warning| warning.contains("`server.health_path` answers"));
            assert_eq!(warned, is_shadowed, "{path}");
        }
    }
}
