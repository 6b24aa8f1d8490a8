//! Warns of routes that no request can reach, because an earlier one takes everything they could.

use crate::config::report::{Node, Report};
use crate::config::settings::RouteSettings;
use crate::config::values::HostPattern;

/// Warns of every route that an earlier one covers.
pub(super) fn warn(routes: &[RouteSettings], node: &Node<'_>, report: &mut Report<'_>) {
    for (index, later) in routes.iter().enumerate() {
        let earlier = routes[..index]
            .iter()
            .position(|earlier| covers(earlier, later));
        if let Some(earlier) = earlier {
            let message = format!(
                "this route never matches: the one {} takes all of its requests",
                report.place(&node.at(earlier))
            );
            report.warn(&node.at(index), &message);
        }
    }
}

fn covers(earlier: &RouteSettings, later: &RouteSettings) -> bool {
    let (Some(earlier_path), Some(later_path)) = (&earlier.path, &later.path) else {
        return false;
    };
    earlier_path.covers(later_path)
        && hosts_cover(&earlier.host, &later.host)
        && subprotocols_cover(&earlier.subprotocols, &later.subprotocols)
}

/// No host is every host.
fn hosts_cover(earlier: &[HostPattern], later: &[HostPattern]) -> bool {
    let is_covered = |later: &HostPattern| earlier.iter().any(|earlier| earlier.covers(later));
    earlier.is_empty() || (!later.is_empty() && later.iter().all(is_covered))
}

/// An offer with one of `later` in it has to have one of `earlier` in it.
fn subprotocols_cover(earlier: &[String], later: &[String]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|name| earlier.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_cover_what_they_certainly_take() {
        for (earlier, later, expected) in [
            ("", "", true),
            ("", "a.com", true),
            ("a.com", "", false),
            ("A.com b.com", "a.com", true),
            ("a.com", "a.com b.com", false),
            ("*.a.com", "x.a.com y.a.com", true),
            ("*.a.com", "a.com", false),
            ("x.a.com", "*.a.com", false),
        ] {
            let parse = |hosts: &str| -> Vec<HostPattern> {
                let hosts = hosts.split_whitespace();
                hosts.map(|host| host.parse().unwrap()).collect()
            };
            let hosts = (parse(earlier), parse(later));
            let covers = hosts_cover(&hosts.0, &hosts.1);
            assert_eq!(covers, expected, "{earlier:?} {later:?}");
        }
    }

    #[test]
    fn subprotocols_cover_their_subsets() {
        for (earlier, later, expected) in [
            (vec![], vec!["a"], true),
            (vec!["a"], vec![], false),
            (vec!["a", "b"], vec!["b"], true),
            (vec!["a"], vec!["a", "b"], false),
        ] {
            let owned = |names: Vec<&str>| Vec::from_iter(names.into_iter().map(str::to_owned));
            let (earlier, later) = (owned(earlier), owned(later));
            let covers = subprotocols_cover(&earlier, &later);
            assert_eq!(covers, expected, "{earlier:?} {later:?}");
        }
    }
}
