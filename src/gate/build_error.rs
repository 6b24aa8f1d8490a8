//! What a gate cannot be built from.

use std::sync::Arc;

use crate::config::{Compression, Route};
use crate::pipeline::Seams;

/// What a gate cannot be built from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A filter or a policy was given for a route that the settings do not have.
    #[error("there is a filter or a policy for route `{route}`, but no such route")]
    UnknownRoute {
        /// The name that was given.
        route: String,
    },
    /// Two filters were given for one route.
    #[error("route `{route}` has two message filters: let one call the other")]
    DuplicateFilter {
        /// The route's name.
        route: String,
    },
    /// A filter has to read what the messages say, and the route lets clients compress them.
    #[error(
        "route `{route}` has a message filter, which cannot read compressed messages: \
         set compression = \"off\" for it"
    )]
    FilterNeedsPlainMessages {
        /// The route's name.
        route: String,
    },
}

/// Whether each filter and each policy has its route in these settings.
pub(super) fn check_seams(seams: &Seams, routes: &[Arc<Route>]) -> Result<(), BuildError> {
    let find = |name: &str| {
        let found = routes.iter().find(|route| *route.name == *name);
        found.ok_or_else(|| BuildError::UnknownRoute {
            route: name.to_owned(),
        })
    };
    for name in seams.filters.keys() {
        if find(name)?.compression != Compression::Off {
            let route = name.to_string();
            return Err(BuildError::FilterNeedsPlainMessages { route });
        }
    }
    let mut names = seams.policies.by_route.iter().map(|(name, _)| name);
    names.try_for_each(|name| find(name).map(drop))
}
