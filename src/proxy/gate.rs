//! The gate itself, and how one is built.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::core::{Core, MakeFilter};
use super::handle::Handle;
use super::layer::{GateLayer, GateService, Refuse};
use crate::config::{self, Compression, Config};
use crate::session::MessageFilter;
use crate::trace::Tracing;
use crate::upstream::{Connect, Connector};

/// A gate: takes WebSocket handshakes, decides about them, and relays the sessions.
///
/// Cheap to clone; all clones are one gate with one set of sessions and limits. It has to be used
/// within a tokio runtime, on which its sessions run.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = wsgate::Config::from_file("wsgate.toml".as_ref())?;
/// let gate = wsgate::Gate::builder(config).build()?;
/// let service = tower::ServiceBuilder::new().layer(gate.layer()).service(my_app());
/// # Ok(()) }
/// # fn my_app() {}
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    core: Arc<Core>,
}

/// Builds a [`Gate`].
pub struct Builder {
    config: Config,
    most: usize,
    filters: Vec<(String, MakeFilter)>,
    connector: Connector,
    tracing: Tracing,
}

/// What a gate cannot be built from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A filter was given for a route that the settings do not have.
    #[error("there is a message filter for route `{route}`, but no such route")]
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

impl Gate {
    /// Begins to build a gate from checked settings.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            most: 0,
            filters: Vec::new(),
            connector: Connector::default(),
            tracing: Tracing::default(),
        }
    }

    /// A tower layer: WebSocket handshakes that match a route are the gate's to answer, and
    /// everything else goes to the inner service.
    ///
    /// The host puts a [`ClientAddr`](crate::ClientAddr) into the extensions of each request, and
    /// serves its connections with upgrades (`with_upgrades()` in hyper; axum does).
    pub fn layer(&self) -> GateLayer {
        GateLayer::new(Arc::clone(&self.core))
    }

    /// A service that serves nothing but WebSockets: everything else is refused with the status
    /// that says why. It is a tower service and a hyper service.
    pub fn service(&self) -> GateService<Refuse> {
        GateService::new(Arc::clone(&self.core), Refuse::new(Arc::clone(&self.core)))
    }

    /// The handle to list, close and drain the gate's sessions with.
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.core))
    }

    #[cfg(feature = "server")]
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Builder {
    /// Gives a route a message filter: `make` makes one for each of its sessions.
    ///
    /// A route has one filter at most, and it needs `compression = "off"`, because a filter cannot read compressed messages.
    pub fn filter<F: MessageFilter>(
        mut self,
        route: impl Into<String>,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.filters
            .push((route.into(), Box::new(move || Box::new(make()))));
        self
    }

    /// Connects to the servers of all upstreams through this, in the place of TCP and unix sockets.
    /// It stays over reloads, and serves the upstreams that they bring.
    pub fn connect(mut self, connector: impl Connect) -> Self {
        self.connector = Connector::custom(connector);
        self
    }

    /// Allows at most this many sessions at once; a handshake beyond is answered 503. 0, the
    /// default, is no limit.
    pub fn max_sessions(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Makes spans with this.
    #[cfg(feature = "server")]
    pub(crate) fn traced(mut self, tracing: Tracing) -> Self {
        self.tracing = tracing;
        self
    }

    /// Builds the gate.
    ///
    /// # Errors
    /// [`BuildError`] if a filter does not fit the settings.
    pub fn build(self) -> Result<Gate, BuildError> {
        let Self {
            config,
            most,
            filters,
            connector,
            tracing,
        } = self;
        let mut made = HashMap::with_capacity(filters.len());
        for (route, make) in filters {
            let name = filtered_route(&config.routes, &route)?;
            if made.insert(name, make).is_some() {
                return Err(BuildError::DuplicateFilter { route });
            }
        }
        let mut core = Core::new(config, most, made, connector);
        core.tracing = tracing;
        Ok(Gate {
            core: Arc::new(core),
        })
    }
}

pub(super) fn filtered_route(
    routes: &[Arc<config::Route>],
    name: &str,
) -> Result<Arc<str>, BuildError> {
    let route = name.to_owned();
    match routes.iter().find(|route| *route.name == *name) {
        None => Err(BuildError::UnknownRoute { route }),
        Some(found) if found.compression != Compression::Off => {
            Err(BuildError::FilterNeedsPlainMessages { route })
        }
        Some(found) => Ok(Arc::clone(&found.name)),
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
