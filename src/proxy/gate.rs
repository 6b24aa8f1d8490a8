//! The gate itself, and how one is built.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::TaskTracker;

use super::handle::Handle;
use super::layer::{GateLayer, GateService, Refuse};
use super::rejected::Rejections;
use crate::config::{Compression, Config, Route};
use crate::policy::rate;
use crate::session::{MessageFilter, Registry};
use crate::upstream::Pool;
use crate::{config, route};

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
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

/// What all clones share.
pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) routes: route::Table,
    /// By upstream name.
    pools: HashMap<Arc<str>, Pool>,
    pub(super) rates: rate::Table,
    pub(super) registry: Arc<Registry>,
    /// By route name.
    filters: HashMap<Arc<str>, MakeFilter>,
    pub(super) rejections: Rejections,
    housekeeping: OnceLock<AbortOnDropHandle<()>>,
}

impl Inner {
    /// Tells the log what came up too often to be told each time.
    fn report(&self) {
        self.rejections.report();
        self.pools.values().for_each(Pool::report);
        let overflowed = self.rates.take_overflowed();
        if overflowed > 0 {
            tracing::warn!(
                reason = "limiter_full",
                handshakes = overflowed,
                tracked = self.rates.len(),
                "more client addresses than are tracked: newcomers share one limit"
            );
        }
    }
}

impl Drop for Inner {
    /// What is not told now never will be.
    fn drop(&mut self) {
        self.report();
    }
}

type MakeFilter = Box<dyn Fn() -> Box<dyn MessageFilter> + Send + Sync>;

/// Builds a [`Gate`].
pub struct Builder {
    config: Config,
    most: usize,
    filters: Vec<(String, MakeFilter)>,
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

/// How often what is no longer needed is let go.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

impl Gate {
    /// Begins to build a gate from checked settings.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            most: 0,
            filters: Vec::new(),
        }
    }

    /// A tower layer: WebSocket handshakes that match a route are the gate's to answer, and
    /// everything else goes to the inner service.
    ///
    /// The host puts a [`ClientAddr`](crate::ClientAddr) into the extensions of each request, and
    /// serves its connections with upgrades (`with_upgrades()` in hyper; axum does).
    pub fn layer(&self) -> GateLayer {
        GateLayer::new(self.clone())
    }

    /// A service that serves nothing but WebSockets: everything else is refused with the status
    /// that says why. It is a tower service and a hyper service.
    pub fn service(&self) -> GateService<Refuse> {
        GateService::new(self.clone(), Refuse::new(self.clone()))
    }

    /// The handle to list, close and drain the gate's sessions with.
    pub fn handle(&self) -> Handle {
        Handle::new(self.clone())
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    pub(super) fn pool(&self, route: &Route) -> &Pool {
        // One pool was made for every upstream of the settings, and routes come from nowhere else.
        &self.inner.pools[&route.upstream.name]
    }

    pub(super) fn make_filter(&self, route: &Route) -> Option<Box<dyn MessageFilter>> {
        self.inner.filters.get(&route.name).map(|make| make())
    }

    /// Starts the gate's own task, once; it ends with the last clone of the gate.
    pub(super) fn keep_house(&self) {
        self.inner.housekeeping.get_or_init(|| {
            let gate = Arc::downgrade(&self.inner);
            let task = TaskTracker::new().spawn(async move {
                loop {
                    tokio::time::sleep(HOUSEKEEPING).await;
                    let Some(gate) = gate.upgrade() else { return };
                    gate.rates.sweep();
                    gate.report();
                }
            });
            AbortOnDropHandle::new(task)
        });
    }
}

impl Builder {
    /// Gives a route a message filter: `make` makes one for each of its sessions.
    ///
    /// The route needs `compression = "off"`, because a filter cannot read compressed messages.
    pub fn filter<F: MessageFilter>(
        mut self,
        route: impl Into<String>,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.filters
            .push((route.into(), Box::new(move || Box::new(make()))));
        self
    }

    /// Allows at most this many sessions at once; a handshake beyond is answered 503. 0, the
    /// default, is no limit.
    pub fn max_sessions(mut self, most: usize) -> Self {
        self.most = most;
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
        } = self;
        let filters = filters
            .into_iter()
            .map(|(route, make)| Ok((filtered_route(&config.routes, route)?, make)))
            .collect::<Result<_, _>>()?;
        let pools = config.upstreams.iter();
        let inner = Inner {
            routes: route::Table::new(&config.routes),
            pools: pools
                .map(|pool| (Arc::clone(&pool.name), Pool::new(Arc::clone(pool))))
                .collect(),
            rates: rate::Table::new(&config.client_ip),
            registry: Arc::new(Registry::new(most)),
            filters,
            rejections: Rejections::default(),
            housekeeping: OnceLock::new(),
            config,
        };
        Ok(Gate {
            inner: Arc::new(inner),
        })
    }
}

fn filtered_route(routes: &[Arc<config::Route>], name: String) -> Result<Arc<str>, BuildError> {
    match routes.iter().find(|route| *route.name == *name) {
        None => Err(BuildError::UnknownRoute { route: name }),
        Some(route) if route.compression != Compression::Off => {
            Err(BuildError::FilterNeedsPlainMessages { route: name })
        }
        Some(route) => Ok(Arc::clone(&route.name)),
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
