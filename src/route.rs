//! Host, path and subprotocol to route.

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::{
    EncodedSlashes, PathPattern, Route, has_dot_segment, has_encoded_slash, with_reserved_decoded,
    with_slashes_decoded,
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
    /// The route that it comes to makes a channel of the path, and another spelling of the path, which makes the same one, comes
    /// to another route.
    Spelling(Arc<Route>),
}

impl From<RouteError> for Rejection {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::NoRoute => Self::NoRoute,
            RouteError::HostNotOurs => Self::HostNotOurs,
            RouteError::EncodedSlash(_) => Self::EncodedSlash,
            RouteError::Spelling(_) => Self::Path,
        }
    }
}

/// The routes of one set of settings, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    routes: Box<[Arc<Route>]>,
    /// The path of each, as [`with_reserved_decoded`] has it; none if no route makes a channel of a path.
    spellings: Box<[PathPattern]>,
}

impl Table {
    pub(crate) fn new(routes: &[Arc<Route>]) -> Self {
        let has_use = routes.iter().any(|route| route.channels.use_path());
        let spellings = routes.iter().filter(|_| has_use);
        Self {
            routes: routes.into(),
            spellings: spellings
                .map(|route| route.path.with_reserved_decoded())
                .collect(),
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
    /// decoded: `/ws/admin%2Fx` does not pass a route for `/ws/admin/*` that denies. A route that makes a channel of the path
    /// refuses the paths as well that another route before it takes in another spelling: `/rooms/%40staff` does not bring
    /// anybody into the channel of `/rooms/@staff`.
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
                None if self.is_of_another(route, host, path, offered_subprotocols) => {
                    return Err(RouteError::Spelling(Arc::clone(route)));
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

    /// Whether another route takes a spelling of this path that makes the same channel.
    fn is_of_another(
        &self,
        found: &Arc<Route>,
        host: Option<&str>,
        path: &str,
        offered: &[impl AsRef<str>],
    ) -> bool {
        if !found.channels.use_path() {
            return false;
        }
        let path = with_reserved_decoded(path);
        let path = RoutedPath::new(&path);
        let mut routes = self.routes.iter().zip(&self.spellings);
        let first = routes.find(|(route, spelling)| {
            let serves = route.serves_host(host) && route.serves_path_by(spelling, &path);
            serves && route.takes_offer(offered)
        });
        first.is_some_and(|(first, _)| !Arc::ptr_eq(first, found))
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
        self.serves_path_by(&self.path, path)
    }

    fn serves_path_by(&self, pattern: &PathPattern, path: &RoutedPath<'_>) -> bool {
        let decoded = path.decoded.as_deref();
        let decoded = decoded.filter(|_| self.refuses_slashes());
        pattern.matches(path.text) || decoded.is_some_and(|path| pattern.matches(path))
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
mod tests;
