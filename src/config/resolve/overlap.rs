//! Warns of routes that no request can reach, because an earlier one takes everything they could.

use crate::config::file::RouteTable;
use crate::config::reader::{Reader, Setting};

/// Warns of every route that an earlier one covers. Only what is certain is reported.
pub(super) fn warn(tables: &[Setting<RouteTable>], reader: &mut Reader<'_>) {
    for (index, later) in tables.iter().enumerate() {
        let Some(route) = later.given() else {
            continue;
        };
        let covering = (tables[..index].iter().filter_map(Setting::given))
            .find(|earlier| covers(earlier.get_ref(), route.get_ref()));
        if let Some(earlier) = covering {
            let message = format!(
                "this route never matches: the one in line {} takes all of its requests",
                reader.line(&earlier.span())
            );
            reader.warn(&route.span(), &message);
        }
    }
}

fn covers(earlier: &RouteTable, later: &RouteTable) -> bool {
    let (Some(earlier_path), Some(later_path)) = (earlier.path.get(), later.path.get()) else {
        return false;
    };
    path_covers(&earlier_path.text, &later_path.text)
        && hosts_cover(&hosts(earlier), &hosts(later))
        && subprotocols_cover(&subprotocols(earlier), &subprotocols(later))
}

fn hosts(table: &RouteTable) -> Vec<&str> {
    let hosts = table.host.get().map_or(&[][..], |hosts| &hosts.0);
    let hosts = hosts.iter().filter_map(Setting::get);
    hosts.map(|host| host.text.as_str()).collect()
}

fn subprotocols(table: &RouteTable) -> Vec<&str> {
    let subprotocols = table.subprotocols.get().map_or(&[][..], Vec::as_slice);
    let subprotocols = subprotocols.iter().filter_map(Setting::get);
    subprotocols
        .map(|subprotocol| subprotocol.0.as_str())
        .collect()
}

/// No host is every host.
fn hosts_cover(earlier: &[&str], later: &[&str]) -> bool {
    let is_covered = |later: &&str| earlier.iter().any(|earlier| host_covers(earlier, later));
    earlier.is_empty() || (!later.is_empty() && later.iter().all(is_covered))
}

fn host_covers(earlier: &str, later: &str) -> bool {
    let (earlier, later) = (earlier.to_ascii_lowercase(), later.to_ascii_lowercase());
    let one_label_below = |suffix: &str| {
        let label = later
            .strip_suffix(suffix)
            .and_then(|label| label.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty() && !label.contains(['.', '*']))
    };
    earlier == later || earlier.strip_prefix("*.").is_some_and(one_label_below)
}

/// An offer with one of `later` in it has to have one of `earlier` in it.
fn subprotocols_cover(earlier: &[&str], later: &[&str]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|name| earlier.contains(name)))
}

fn path_covers(earlier: &str, later: &str) -> bool {
    if earlier == later || earlier == "/*" {
        return true;
    }
    let is_parameter = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    let mut later = later.split('/');
    for segment in earlier.split('/') {
        match (segment, later.next()) {
            ("*", next) => return next.is_some_and(|next| !next.is_empty()),
            (_, None | Some("*")) => return false,
            (segment, Some(next)) if is_parameter(segment) => {
                if next.is_empty() {
                    return false;
                }
            }
            (segment, Some(next)) if segment != next => return false,
            (_, Some(_)) => {}
        }
    }
    later.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_what_it_certainly_takes() {
        for (earlier, later, expected) in [
            ("/*", "/", true),
            ("/*", "/a/{b}", true),
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a", "/a/b", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/*", true),
            ("/a/*", "/a/b/*", true),
            ("/a/*", "/a/{id}", true),
            ("/a/*", "/a", false),
            ("/a/*", "/a/", false),
            ("/a/*", "/ab", false),
            ("/a/{id}", "/a/b", true),
            ("/a/{id}", "/a/{name}", true),
            ("/a/{id}", "/a/*", false),
            ("/a/{id}", "/a/b/c", false),
            ("/a/{id}/*", "/a/b/c", true),
            ("/a/b", "/a/{id}", false),
            ("/a/b", "/a/*", false),
        ] {
            assert_eq!(path_covers(earlier, later), expected, "{earlier} {later}");
        }
    }

    #[test]
    fn hosts_cover_what_they_certainly_take() {
        for (earlier, later, expected) in [
            (vec![], vec![], true),
            (vec![], vec!["a.com"], true),
            (vec!["a.com"], vec![], false),
            (vec!["A.com", "b.com"], vec!["a.com"], true),
            (vec!["a.com"], vec!["a.com", "b.com"], false),
            (vec!["*.a.com"], vec!["x.a.com"], true),
            (vec!["*.a.com"], vec!["*.a.com"], true),
            (vec!["*.a.com"], vec!["a.com"], false),
            (vec!["*.a.com"], vec!["x.y.a.com"], false),
            (vec!["*.a.com"], vec!["xa.com"], false),
            (vec!["x.a.com"], vec!["*.a.com"], false),
        ] {
            assert_eq!(
                hosts_cover(&earlier, &later),
                expected,
                "{earlier:?} {later:?}"
            );
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
            assert_eq!(
                subprotocols_cover(&earlier, &later),
                expected,
                "{earlier:?} {later:?}"
            );
        }
    }
}
