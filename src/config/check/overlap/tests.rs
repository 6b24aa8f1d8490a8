use proptest::prelude::*;

use super::*;
use crate::config::values::HostPattern;

fn route(path: &str, hosts: &[&str], subprotocols: &[&str]) -> RouteSettings {
    RouteSettings {
        path: Some(path.parse().unwrap()),
        host: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        subprotocols: subprotocols.iter().map(|&name| name.to_owned()).collect(),
        ..RouteSettings::default()
    }
}

/// For each route the first one that covers it, and the steps that were taken.
fn found(routes: &[RouteSettings]) -> (Vec<Option<usize>>, usize) {
    let mut index = Index::default();
    let routes = routes.iter().enumerate();
    let found = routes.map(|(number, route)| index.find_or_add(number, route));
    (found.collect(), index.steps)
}

fn host_covers(one: &HostPattern, other: &HostPattern) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    let below = |suffix| other.strip_prefix('*').unwrap_or(&other).ends_with(suffix);
    one == other || one.strip_prefix('*').is_some_and(below)
}

/// The same by a look at every one before it.
fn by_all_pairs(routes: &[RouteSettings]) -> Vec<Option<usize>> {
    let covers = |earlier: &RouteSettings, later: &RouteSettings| {
        let hosts = |later| earlier.host.iter().any(|one| host_covers(one, later));
        let names = |name: &String| earlier.subprotocols.contains(name);
        earlier
            .path
            .as_ref()
            .unwrap()
            .covers(later.path.as_ref().unwrap())
            && (earlier.host.is_empty() || !later.host.is_empty() && later.host.iter().all(hosts))
            && (earlier.subprotocols.is_empty()
                || !later.subprotocols.is_empty() && later.subprotocols.iter().all(names))
    };
    let first = |(number, later): (usize, &RouteSettings)| {
        routes[..number]
            .iter()
            .position(|earlier| covers(earlier, later))
    };
    routes.iter().enumerate().map(first).collect()
}

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
        ("*.a.com", "*.b.a.com", true),
        ("127.0.0.1", "127.0.0.1", true),
    ] {
        let [earlier, later] = [earlier, later].map(|hosts| {
            let hosts: Vec<_> = hosts.split_whitespace().collect();
            route("/*", &hosts, &[])
        });
        let covered = found(&[earlier, later]).0[1];
        assert_eq!(covered, expected.then_some(0), "{expected}");
    }
}

#[test]
fn subprotocols_cover_their_subsets() {
    for (earlier, later, expected) in [
        (&[][..], &["a"][..], true),
        (&["a"], &[], false),
        (&["a", "b"], &["b"], true),
        (&["a"], &["a", "b"], false),
    ] {
        let routes = [route("/*", &[], earlier), route("/*", &[], later)];
        let covered = found(&routes).0[1];
        assert_eq!(covered, expected.then_some(0), "{earlier:?} {later:?}");
    }
}

#[test]
fn a_route_that_refuses_encoded_slashes_covers_what_they_decode_to() {
    use crate::config::settings::EncodedSlashes::{self, Pass, Refuse};
    let route = |path: &str, encoded_slashes: EncodedSlashes| RouteSettings {
        encoded_slashes,
        ..route(path, &[], &[])
    };
    for (earlier, of_earlier, later, expected) in [
        ("/ws/*", Refuse, "/ws%2Fa", true),
        ("/ws/*", Pass, "/ws%2Fa", false),
        ("/*", Pass, "/ws%2Fa", true),
        ("/{a}", Refuse, "/ws%2Fa", true),
        ("/ws/{a}/*", Refuse, "/ws%2fa/*", true),
        ("/ws/{a}", Refuse, "/ws%2F", false),
        ("/ws/b", Refuse, "/ws%2Fa", false),
        ("/ws/a", Refuse, "/ws%2Fa/*", false),
        ("/ws%2Fa", Pass, "/ws/a", false),
    ] {
        let routes = [route(earlier, of_earlier), route(later, Pass)];
        let covered = found(&routes).0[1];
        assert_eq!(covered, expected.then_some(0), "{earlier} {later}");
    }
}

#[test]
fn the_work_grows_with_the_routes_and_not_with_their_square() {
    const ROUTES: usize = 8000;
    let numbered =
        |make: &dyn Fn(usize) -> RouteSettings| (0..ROUTES).map(make).collect::<Vec<_>>();
    let name = |number: usize| format!("n{number}");
    for (what, routes) in [
        (
            "paths",
            numbered(&|n| route(&format!("/ws/{n}/*"), &[], &[])),
        ),
        (
            "parameters",
            numbered(&|n| route(&format!("/{{a}}/{n}/{{b}}"), &[], &[])),
        ),
        (
            "hosts",
            numbered(&|n| route("/*", &[&format!("h{n}.example.com")], &[])),
        ),
        (
            "domains",
            numbered(&|n| route("/*", &[&format!("*.h{n}.example.com")], &[])),
        ),
        (
            "subprotocols",
            numbered(&|n| route("/*", &["a.com"], &[&name(n)])),
        ),
        (
            "one host in common",
            numbered(&|n| route("/*", &["a.com", &format!("h{n}.com")], &[])),
        ),
        ("the same", numbered(&|_| route("/*", &["a.com"], &["a"]))),
        (
            "longer and longer",
            numbered(&|n| route(&"/a".repeat(n % 40 + 1), &[&format!("h{n}.com")], &[])),
        ),
        (
            "a grid",
            numbered(&|n| route("/*", &[&format!("h{}.com", n / 90)], &[&name(n % 90)])),
        ),
    ] {
        let (_, steps) = found(&routes);
        assert!(steps < ROUTES * 100, "{what}: {steps} steps");
    }
}

/// Few words, so that many routes meet.
fn any_route() -> impl Strategy<Value = RouteSettings> {
    let segment = prop::sample::select(vec!["a", "b", "{x}", "{y}"]);
    let segments = prop::collection::vec(segment, 0..3);
    let host = prop::sample::select(vec![
        "a.com",
        "x.a.com",
        "*.a.com",
        "*.x.a.com",
        "127.0.0.1",
    ]);
    let name = prop::sample::select(vec!["p", "q", "r"]);
    let hosts = prop::collection::vec(host, 0..3);
    let names = prop::collection::vec(name, 0..3);
    (segments, any::<bool>(), hosts, names).prop_map(|(mut segments, is_open, hosts, names)| {
        segments.dedup();
        let end = if is_open { "/*" } else { "" };
        let path = segments
            .iter()
            .map(|segment| format!("/{segment}"))
            .collect::<String>()
            + end;
        let path = if path.is_empty() { "/" } else { &path };
        match path.parse::<crate::config::values::PathPattern>() {
            Ok(_) => route(path, &hosts, &names),
            // A parameter twice.
            Err(_) => route("/a", &hosts, &names),
        }
    })
}

proptest! {
    #[test]
    fn it_finds_what_a_look_at_all_pairs_finds(
        routes in prop::collection::vec(any_route(), 0..25),
    ) {
        prop_assert_eq!(found(&routes).0, by_all_pairs(&routes));
    }
}
