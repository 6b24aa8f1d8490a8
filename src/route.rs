//! Host, path and subprotocol to route.

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::{
    EncodedSlashes, Route, has_dot_segment, has_encoded_slash, with_slashes_decoded,
};
use crate::rejection::Rejection;
use crate::request::Identity;

/// Why a route does not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    Host,
    Path,
    Subprotocols,
}

impl Mismatch {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Path => "path",
            Self::Subprotocols => "subprotocols",
        }
    }
}

/// Why no route serves a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RouteError {
    /// None is for this path.
    NoRoute,
    /// None is for this host.
    HostNotOurs,
    /// The path has an encoded slash, which the route that it comes to refuses. Without a route, no
    /// route is for it; it is refused all the same, because it could mean two things to whoever comes next.
    EncodedSlash(Option<Arc<Route>>),
}

impl From<RouteError> for Rejection {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::NoRoute => Self::NoRoute,
            RouteError::HostNotOurs => Self::HostNotOurs,
            RouteError::EncodedSlash(_) => Self::EncodedSlash,
        }
    }
}

/// The routes of one set of settings, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    routes: Box<[Arc<Route>]>,
}

impl Table {
    pub(crate) fn new(routes: &[Arc<Route>]) -> Self {
        Self {
            routes: routes.into(),
        }
    }

    /// Whether any route serves this host and path, whatever the offer.
    pub(crate) fn serves(&self, host: Option<&str>, path: &str) -> bool {
        let path = RoutedPath::new(path);
        self.routes
            .iter()
            .any(|route| route.serves_host(host) && route.serves_path(&path))
    }

    /// Finds the first route, in file order, for this host (without its port, if the request names one)
    /// and path (without its query, and in its normal form).
    ///
    /// A route with subprotocols takes only an offer that holds one of them, and so no plain
    /// request, which offers none. They are compared with regard to case (RFC 6455 §11.5).
    ///
    /// A route that refuses encoded slashes refuses the paths as well that are its own if they are
    /// decoded: `/ws/admin%2Fx` does not pass a route for `/ws/admin/*` that denies.
    pub(crate) fn find(
        &self,
        host: Option<&str>,
        path: &str,
        offered_subprotocols: &[impl AsRef<str>],
    ) -> Result<Arc<Route>, RouteError> {
        let has_slash = has_encoded_slash(path);
        let mut host_is_ours = self.routes.is_empty();
        for (route, mismatch) in self.tries(host, path, offered_subprotocols) {
            match mismatch {
                None if has_slash && route.refuses_slashes() => {
                    return Err(RouteError::EncodedSlash(Some(Arc::clone(route))));
                }
                None => return Ok(Arc::clone(route)),
                Some(Mismatch::Host) => {}
                Some(Mismatch::Path | Mismatch::Subprotocols) => host_is_ours = true,
            }
        }
        Err(match host_is_ours {
            _ if has_slash => RouteError::EncodedSlash(None),
            true => RouteError::NoRoute,
            false => RouteError::HostNotOurs,
        })
    }

    /// The routes in their order, and why each does not take such a request, if it does not.
    pub(crate) fn tries<'t>(
        &'t self,
        host: Option<&'t str>,
        path: &'t str,
        offered_subprotocols: &'t [impl AsRef<str>],
    ) -> impl Iterator<Item = (&'t Arc<Route>, Option<Mismatch>)> {
        let path = RoutedPath::new(path);
        let routes = self.routes.iter();
        routes.map(move |route| (route, route.mismatch(host, &path, offered_subprotocols)))
    }
}

/// A path to find a route for.
struct RoutedPath<'p> {
    /// In its normal form.
    text: &'p str,
    /// With `/` for its encoded slashes, if it has any.
    decoded: Option<String>,
}

impl<'p> RoutedPath<'p> {
    fn new(text: &'p str) -> Self {
        Self {
            text,
            decoded: with_slashes_decoded(text),
        }
    }
}

impl Route {
    fn mismatch(
        &self,
        host: Option<&str>,
        path: &RoutedPath<'_>,
        offered: &[impl AsRef<str>],
    ) -> Option<Mismatch> {
        if !self.serves_host(host) {
            return Some(Mismatch::Host);
        }
        if !self.serves_path(path) {
            return Some(Mismatch::Path);
        }
        (!self.takes_offer(offered)).then_some(Mismatch::Subprotocols)
    }

    /// The path to send upstream for this one, without the request's query. `identity` is the client's, if a policy has
    /// found out.
    ///
    /// # Errors
    /// [`Rejection::ClaimRefused`] where a rewrite needs to know who the client is, and [`Rejection::Path`] where a rewrite makes a dot segment of the request's text and its own:
    /// `/.{id}` of `;x`.
    pub(crate) fn upstream_path<'p>(
        &self,
        path: &'p str,
        identity: Option<&Identity>,
    ) -> Result<Cow<'p, str>, Rejection> {
        let Some(rewrite) = &self.rewrite else {
            return Ok(Cow::Borrowed(path));
        };
        let captures = self.path.capture(path).ok_or(Rejection::Path)?;
        let subject = identity.map(Identity::subject);
        let claim = |name: &str| identity.and_then(|identity| identity.claim(name));
        let path = rewrite.apply(&captures, subject, claim);
        let path = path.ok_or(Rejection::ClaimRefused)?;
        match has_dot_segment(&path) {
            true => Err(Rejection::Path),
            false => Ok(Cow::Owned(path)),
        }
    }

    /// A request that names no host is for the routes that serve every one.
    fn serves_host(&self, host: Option<&str>) -> bool {
        let is_named = |host| self.hosts.iter().any(|pattern| pattern.matches(host));
        self.hosts.is_empty() || host.is_some_and(is_named)
    }

    fn serves_path(&self, path: &RoutedPath<'_>) -> bool {
        let decoded = path.decoded.as_deref();
        let decoded = decoded.filter(|_| self.refuses_slashes());
        self.path.matches(path.text) || decoded.is_some_and(|path| self.path.matches(path))
    }

    fn refuses_slashes(&self) -> bool {
        self.encoded_slashes == EncodedSlashes::Refuse
    }

    fn takes_offer(&self, offered: &[impl AsRef<str>]) -> bool {
        let wanted = |offer: &str| self.subprotocols.iter().any(|wanted| wanted == offer);
        self.subprotocols.is_empty() || offered.iter().any(|offer| wanted(offer.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Rewrite;

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
}
