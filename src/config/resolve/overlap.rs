//! Warns of routes that no request can reach, because an earlier one takes everything they could.

use crate::config::HostPattern;
use crate::config::file::RouteTable;
use crate::config::reader::{Reader, Setting};

/// Warns of every route that an earlier one covers.
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
    earlier_path.0.covers(&later_path.0)
        && hosts_cover(&hosts(earlier), &hosts(later))
        && subprotocols_cover(&subprotocols(earlier), &subprotocols(later))
}

fn hosts(table: &RouteTable) -> Vec<&HostPattern> {
    let hosts = table.host.get().map_or(&[][..], |hosts| &hosts.0);
    let hosts = hosts.iter().filter_map(Setting::get);
    hosts.map(|host| &host.0).collect()
}

fn subprotocols(table: &RouteTable) -> Vec<&str> {
    let subprotocols = table.subprotocols.get().map_or(&[][..], Vec::as_slice);
    let subprotocols = subprotocols.iter().filter_map(Setting::get);
    subprotocols
        .map(|subprotocol| subprotocol.0.as_str())
        .collect()
}

/// No host is every host.
fn hosts_cover(earlier: &[&HostPattern], later: &[&HostPattern]) -> bool {
    let is_covered = |later: &&HostPattern| earlier.iter().any(|earlier| earlier.covers(later));
    earlier.is_empty() || (!later.is_empty() && later.iter().all(is_covered))
}

/// An offer with one of `later` in it has to have one of `earlier` in it.
fn subprotocols_cover(earlier: &[&str], later: &[&str]) -> bool {
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
            let covers = hosts_cover(&Vec::from_iter(&hosts.0), &Vec::from_iter(&hosts.1));
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
            let covers = subprotocols_cover(&earlier, &later);
            assert_eq!(covers, expected, "{earlier:?} {later:?}");
        }
    }
}
