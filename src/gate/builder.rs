//! The gate itself, and how one is built.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::request;

use super::build_error::{BuildError, check_seams};
use super::handle::Handle;
use super::layer::{GateLayer, GateService, Refuse};
use crate::config::Config;
use crate::observe::{Observer, Observers, SessionInfo, Tracing};
use crate::pipeline::{
    self, Core, CustomPolicies, Explanation, FindClientAddr, MakeFilter, PlainRequest, Seams,
};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::session::MessageFilter;
use crate::shared::Receiver;
use crate::types::ClientAddr;
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
    max_sessions: usize,
    filters: Vec<(String, MakeFilter)>,
    policies: CustomPolicies,
    client_addr: Option<FindClientAddr>,
    connector: Connector,
    observers: Vec<Box<dyn Observer>>,
    tracing: Tracing,
}

impl Gate {
    /// Begins to build a gate from checked settings.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            max_sessions: 0,
            filters: Vec::new(),
            policies: CustomPolicies::default(),
            client_addr: None,
            connector: Connector::default(),
            observers: Vec::new(),
            tracing: Tracing::default(),
        }
    }

    /// A tower layer: WebSocket handshakes that match a route are the gate's to answer, and
    /// everything else goes to the inner service.
    ///
    /// The host puts a [`ClientAddr`] into the extensions of each request, and
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

    /// Decides about a plain HTTP request, for a host that forwards such: its route must have
    /// `http = "forward"`, and its policies must let it in. The request's extensions hold what the
    /// gate needs of the host, as for a WebSocket.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with; it is counted and logged.
    pub async fn admit(&self, request: request::Parts) -> Result<PlainRequest, Rejection> {
        pipeline::admit_plain(&self.core, request).await
    }

    /// Explains what would become of a request: its route, and the rule that refuses it. The stages
    /// decide as they would about a real one, and the policies take of their limits; nothing is
    /// reported, and no server is connected to.
    pub async fn explain(&self, request: request::Parts) -> Explanation {
        pipeline::explain(&self.core, request).await
    }

    /// Counts and logs a request that the host itself refuses, and returns the rejection.
    pub fn refuse(&self, request: &request::Parts, rejection: Rejection) -> Rejection {
        pipeline::refuse_by_host(&self.core, request, rejection)
    }
}

impl Builder {
    /// Gives a route a message filter: `make` makes one for each session, and gets the session's
    /// metadata.
    ///
    /// A route has one filter at most, and it needs `compression = "off"`, because a filter cannot
    /// read compressed messages.
    ///
    /// ```
    /// # fn example(config: wsgate::Config) -> Result<(), wsgate::BuildError> {
    /// use wsgate::{Gate, Message, SessionInfo, Verdict};
    ///
    /// let gate = Gate::builder(config)
    ///     .filter("chat", |session: &SessionInfo| {
    ///         let client = session.client;
    ///         move |message: Message| {
    ///             println!("{client} sends {} bytes", message.body.as_bytes().len());
    ///             Verdict::Forward(message)
    ///         }
    ///     })
    ///     .build()?;
    /// # let _ = gate;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn filter<F: MessageFilter>(
        mut self,
        route: impl Into<String>,
        make: impl Fn(&SessionInfo) -> F + Send + Sync + 'static,
    ) -> Self {
        let make: MakeFilter = Box::new(move |session| Box::new(make(session)));
        self.filters.push((route.into(), make));
        self
    }

    /// Adds a policy to every route, those of later settings included. They run in the order in
    /// which they were added, after those of the settings.
    #[must_use]
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policies.every_route.push(Arc::new(policy));
        self
    }

    /// Adds a policy to one route, behind those of every route.
    #[must_use]
    pub fn route_policy(mut self, route: impl Into<String>, policy: impl Policy) -> Self {
        self.policies
            .by_route
            .push((route.into(), Arc::new(policy)));
        self
    }

    /// Connects to the servers of all upstreams through this, in the place of TCP and unix sockets.
    /// It stays over reloads, and serves the upstreams that they bring.
    #[must_use]
    pub fn connect(mut self, connector: impl Connect) -> Self {
        self.connector = Connector::custom(connector);
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Finds the socket's peer in what the host has put beside a request, where that is no
    /// [`ClientAddr`]: in axum's `ConnectInfo`, say. Where `find` finds none, a `ClientAddr` in the
    /// request's extensions counts.
    ///
    /// It must not look at headers, which clients write: trusted proxies are the settings'
    /// business (`[client_ip]`).
    #[must_use]
    pub fn client_addr(
        mut self,
        find: impl Fn(&request::Parts) -> Option<ClientAddr> + Send + Sync + 'static,
    ) -> Self {
        self.client_addr = Some(Box::new(find));
        self
    }

    /// Allows at most this many sessions at once; a handshake beyond is answered 503. 0, the
    /// default, is no limit.
    #[must_use]
    pub fn max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// Makes spans of handshakes and sessions (feature `otel`; without it, none are made).
    #[must_use]
    pub fn tracing(mut self, tracing: Tracing) -> Self {
        self.tracing = tracing;
        self
    }

    /// Builds the gate.
    ///
    /// # Errors
    /// [`BuildError`] if a filter or a policy does not fit the settings.
    pub fn build(self) -> Result<Gate, BuildError> {
        let mut filters = HashMap::with_capacity(self.filters.len());
        for (route, make) in self.filters {
            if filters.insert(Arc::from(&*route), make).is_some() {
                return Err(BuildError::DuplicateFilter { route });
            }
        }
        let seams = Seams {
            filters,
            policies: self.policies,
            client_addr: self.client_addr,
        };
        check_seams(&seams, &self.config.routes)?;
        let observers = Observers::new(self.tracing, self.observers);
        let core = Core::new(
            self.config,
            self.max_sessions,
            seams,
            self.connector,
            observers,
        );
        let core = Arc::new(core);
        let receiver: Arc<dyn Receiver> = Arc::clone(&core) as _;
        core.shared.set_receiver(Arc::downgrade(&receiver));
        Ok(Gate { core })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
