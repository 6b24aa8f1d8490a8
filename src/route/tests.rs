use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::config::{ChannelName, Config, Rewrite, Values};

/// A route named after its path.
fn route(hosts: &[&str], path: &str) -> Route {
    Route {
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        ..Route::for_tests(path, path)
    }
}

fn table(routes: impl IntoIterator<Item = Route>) -> Table {
    let routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
    Table::new(&routes)
}

fn some_routes() -> Table {
    let chat = Route {
        subprotocols: vec!["chat.v2".to_owned(), "chat.v3".to_owned()],
        ..route(&["a.test", "*.b.test"], "/chat/*")
    };
    table([
        chat,
        route(&["a.test"], "/chat/{room}"),
        route(&["a.test"], "/chat/*"),
        route(&["c.test"], "/{any}/ws"),
    ])
}

#[rstest]
#[case::offer("a.test", "/chat/1", &["chat.v3"], Ok("/chat/*"))]
#[case::one_of_the_offers("x.b.test", "/chat/1", &["chat.v1", "chat.v2"], Ok("/chat/*"))]
#[case::no_offer("a.test", "/chat/1", &[], Ok("/chat/{room}"))]
#[case::other_offer("a.test", "/chat/1", &["chat.v1"], Ok("/chat/{room}"))]
#[case::offer_in_another_case("a.test", "/chat/1", &["Chat.v2"], Ok("/chat/{room}"))]
#[case::later_route("a.test", "/chat/1/2", &[], Ok("/chat/*"))]
#[case::host_in_another_case("A.Test", "/chat/1", &[], Ok("/chat/{room}"))]
#[case::no_route_without_the_offer("x.b.test", "/chat/1", &[], Err(Rejection::NoRoute))]
#[case::no_such_path("a.test", "/other", &[], Err(Rejection::NoRoute))]
#[case::path_of_another_host("c.test", "/chat/1", &[], Err(Rejection::NoRoute))]
#[case::host_of_none("d.test", "/chat/1", &[], Err(Rejection::HostNotOurs))]
#[case::apex_of_a_wildcard("b.test", "/chat/1", &["chat.v2"], Err(Rejection::HostNotOurs))]
fn the_first_route_that_matches_is_found(
    #[case] host: &str,
    #[case] path: &str,
    #[case] offered: &[&str],
    #[case] expected: Result<&str, Rejection>,
) {
    let table = some_routes();
    let found = table
        .find(Some(host), path, offered)
        .map_err(Rejection::from);
    let name = found.map(|found| found.name.to_string());
    assert_eq!(name, expected.map(str::to_owned));
}

#[test]
fn the_order_of_the_file_decides_not_the_longest_match() {
    let table = table([route(&[], "/*"), route(&[], "/ws")]);
    let found = table.find(Some("a.test"), "/ws", &[""; 0]).unwrap();
    assert_eq!(&*found.name, "/*");
}

#[test]
fn a_route_without_hosts_serves_every_host() {
    let table = table([route(&["a.test"], "/ws"), route(&[], "/any")]);
    assert!(table.find(Some("b.test"), "/any", &[""; 0]).is_ok());
    let refused = table.find(Some("b.test"), "/ws", &[""; 0]).unwrap_err();
    assert_eq!(refused, RouteError::NoRoute);
}

#[test]
fn a_request_without_a_host_is_for_the_routes_of_every_host() {
    let routes = table([
        route(&["a.test", "*.test", "::1"], "/*"),
        route(&[], "/any"),
    ]);
    let found = routes.find(None, "/any", &[""; 0]).unwrap();
    assert_eq!(&*found.name, "/any");
    let refused = routes.find(None, "/ws", &[""; 0]).unwrap_err();
    assert_eq!(refused, RouteError::NoRoute);
    let routes = table([route(&["a.test"], "/*")]);
    let refused = routes.find(None, "/any", &[""; 0]).unwrap_err();
    assert_eq!(refused, RouteError::HostNotOurs);
}

#[test]
fn a_table_without_routes_has_no_route() {
    let refused = Table::default()
        .find(Some("a.test"), "/", &[""; 0])
        .unwrap_err();
    assert_eq!(refused, RouteError::NoRoute);
}

fn passing(path: &str) -> Route {
    Route {
        encoded_slashes: EncodedSlashes::Pass,
        ..route(&["a.test"], path)
    }
}

#[rstest]
#[case::its_own("/ws/a%2Fb", Ok("/ws/*"))]
#[case::literal("/a%2Fb/c%2Fd", Ok("/a%2Fb/{id}"))]
#[case::route_that_refuses("/open/a%2Fb", Err(Some("/open/*")))]
#[case::decoded_of_one_before("/ws/admin%2Fx", Err(Some("/ws/admin/*")))]
#[case::all_decoded("/ws%2Fadmin%2Fx", Err(Some("/ws/admin/*")))]
#[case::decoded_of_one_that_passes("/ws%2Fx", Err(None))]
#[case::decoded_of_one_behind("/ws/late%2Fx", Ok("/ws/*"))]
#[case::of_none("/x%2Fy", Err(None))]
fn an_encoded_slash_is_no_separator_and_refused_where_it_might_be_one(
    #[case] path: &str,
    #[case] expected: Result<&str, Option<&str>>,
) {
    let table = table([
        route(&["a.test"], "/ws/admin/*"),
        passing("/ws/*"),
        passing("/a%2Fb/{id}"),
        route(&["a.test"], "/open/*"),
        route(&["a.test"], "/ws/late/*"),
    ]);
    let found = match table.find(Some("a.test"), path, &[""; 0]) {
        Ok(route) => Ok(route.name.to_string()),
        Err(RouteError::EncodedSlash(route)) => Err(route.map(|route| route.name.to_string())),
        Err(other) => panic!("{other:?}"),
    };
    let expected = expected.map(str::to_owned);
    assert_eq!(found, expected.map_err(|route| route.map(str::to_owned)));
    // Before 421 as well.
    let of_none = table.find(Some("b.test"), path, &[""; 0]).unwrap_err();
    assert_eq!(of_none, RouteError::EncodedSlash(None));
}

#[test]
fn the_upstream_path_is_rewritten_from_the_raw_path() {
    let mut rewritten = Route {
        encoded_slashes: EncodedSlashes::Pass,
        ..route(&[], "/rooms/{room}/*")
    };
    rewritten.rewrite = Some(Rewrite::parse("/r/{room}/*", &rewritten.path).unwrap());
    let table = table([rewritten, route(&[], "/plain/{id}")]);

    let path = "/rooms/a%2Fb/c//d";
    let found = table.find(Some("a.test"), path, &[""; 0]).unwrap();
    assert_eq!(found.upstream_path(path, None).unwrap(), "/r/a%2Fb/c//d");
    let captured = found.path.named_captures(path);
    assert_eq!(captured, [("room".to_owned(), "a%2Fb".to_owned())]);

    let found = table.find(Some("a.test"), "/plain/7", &[""; 0]).unwrap();
    assert!(matches!(
        found.upstream_path("/plain/7", None),
        Ok(Cow::Borrowed("/plain/7"))
    ));
}

#[test]
fn a_rewrite_makes_no_dot_segment_out_of_a_parameter() {
    let mut dotted = passing("/{id}");
    dotted.rewrite = Some(Rewrite::parse("/v/.{id}", &dotted.path).unwrap());
    let table = table([dotted]);
    let sent = |path: &'static str| {
        let found = table.find(Some("a.test"), path, &[""; 0]).unwrap();
        found.upstream_path(path, None)
    };
    assert_eq!(sent("/x").unwrap(), "/v/.x");
    assert_eq!(sent("/..x").unwrap(), "/v/...x");
    assert_eq!(sent("/x%2F.y").unwrap(), "/v/.x%2F.y");
    for path in ["/;x", "/%3bx", "/.", "/%2e", "/.;", "/%2Fx", "/;%2Fx"] {
        assert_eq!(sent(path), Err(Rejection::Path), "{path}");
    }
}

/// A route whose sessions are in the channel of the room.
fn joining(path: &str) -> Route {
    let settings = format!(
        "[upstream.a]\nservers = [\"ws://127.0.0.1:9001\"]\n[[route]]\nname = \"a\"\npath = \"{path}\"\nupstream = \"a\"\n\
         channels.join = [\"room.{{path.room}}\"]\n"
    );
    let config = Config::from_toml("a.toml", &settings).unwrap();
    Route {
        channels: config.routes[0].channels.clone(),
        ..passing(path)
    }
}

#[rstest]
#[case::none_before("/rooms/%40you", Ok("/rooms/{room}"))]
#[case::of_the_route_before("/rooms/@me", Ok("/rooms/@me"))]
#[case::escape_of_a_literal("/rooms/%40me", Err(Rejection::Path))]
#[case::literal_of_an_escape("/rooms/a:b", Err(Rejection::Path))]
#[case::escape_itself("/rooms/a%3Ab", Ok("/rooms/a%3ab"))]
#[case::one_of_two_escapes("/rooms/c%3Ad%40e", Err(Rejection::Path))]
#[case::behind("/rooms/late%21", Ok("/rooms/{room}"))]
#[case::escaped_escape("/rooms/%2540me", Ok("/rooms/{room}"))]
#[case::with_a_slash("/rooms/x%2F%40me", Ok("/rooms/{room}"))]
#[case::decoded_slash_and_escape("/rooms/%2540%2F%3A", Ok("/rooms/{room}"))]
#[case::route_without_a_channel_of_the_path("/other/%40me", Ok("/other/{room}"))]
fn a_path_that_makes_the_channel_of_another_route_is_refused(
    #[case] path: &str,
    #[case] expected: Result<&str, Rejection>,
) {
    let table = table([
        route(&["a.test"], "/rooms/@me"),
        route(&["a.test"], "/rooms/a%3ab"),
        route(&["a.test"], "/rooms/c:d@e"),
        route(&["a.test"], "/other/@me"),
        joining("/rooms/{room}"),
        route(&["a.test"], "/rooms/late!"),
        route(&["a.test"], "/other/{room}"),
    ]);
    let found = table.find(Some("a.test"), path, &[""; 0]);
    let name = found.map(|found| found.name.to_string());
    let name = name.map_err(Rejection::from);
    assert_eq!(name, expected.map(str::to_owned));
}

#[test]
fn another_host_or_offer_has_its_own_channels() {
    let offered = Route {
        subprotocols: vec!["staff".to_owned()],
        ..route(&["a.test"], "/rooms/@me")
    };
    let mut rooms = joining("/rooms/{room}");
    rooms.hosts = Vec::new();
    let table = table([offered, route(&["c.test"], "/rooms/@me"), rooms]);
    let find = |host, offered: &[&str]| {
        let found = table.find(Some(host), "/rooms/%40me", offered);
        found.map(|found| found.name.to_string())
    };
    assert!(find("a.test", &[]).is_ok());
    assert!(matches!(
        find("a.test", &["staff"]),
        Err(RouteError::Spelling(_))
    ));
    assert!(matches!(find("c.test", &[]), Err(RouteError::Spelling(_))));
    assert!(find("b.test", &[]).is_ok());
}

/// The channel that a path makes on its route.
fn channel(route: &Route, path: &str) -> Option<ChannelName> {
    let captures = route.path.capture(path)?;
    route.channels.join.first()?.render(&Values {
        path: &|name| route.path.parameter(name, &captures),
        ..Values::for_tests()
    })
}

proptest! {
    /// What a route before denies is in no other spelling a way into the same channel.
    #[test]
    fn two_paths_of_one_channel_are_of_one_route(
        denied in "/rooms/([a@:]|%40|%3A|%25|%2F|%C3){1,3}",
        one in "/rooms/([a@:]|%40|%3A|%25|%2F|%C3){1,3}",
        other in "/rooms/([a@:]|%40|%3A|%25|%2F|%C3){1,3}",
    ) {
        let rooms = joining("/rooms/{room}");
        let table = table([passing(&denied), rooms.clone()]);
        let [first, second] = [&one, &other].map(|path| table.find(Some("a.test"), path, &[""; 0]).ok());
        if channel(&rooms, &one) == channel(&rooms, &other)
            && let (Some(first), Some(second)) = (first, second)
        {
            prop_assert_eq!(&first.name, &second.name);
        }
    }
}
