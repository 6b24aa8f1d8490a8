//! What all clones of a gate share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, request};
use http_body_util::Full;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::counts::CountsByRoute;
use super::hint::UntrustedHint;
use super::refusal::{self, Refusal};
use super::server_drains::ServerDrains;
use super::snapshot::{CustomPolicies, Snapshot};
use crate::auth::Authenticator;
use crate::channels::{PublicationCounts, Published, Repeats};
use crate::config::{Config, Route};
use crate::handshake::Pseudonym;
use crate::observe::{HandshakeTrace, Observers, SessionInfo};
use crate::rejection::{Rejection, fit_to_version};
use crate::request::{ClientIdentity, Lines, Target, identify, is_websocket, scheme};
use crate::session::{MessageFilter, Registry, Revocations, SessionEntry};
use crate::shared::Shared;
use crate::types::ClientAddr;
use crate::upstream::{Connector, FailureCounts};
use crate::wall_clock::WallClock;

/// What lives as long as the gate does, and the settings of the moment.
pub(crate) struct Core {
    /// Read once a handshake, and never held over a wait.
    settings: RwLock<Arc<Snapshot>>,
    /// Held while the next settings are made: they begin with what the ones before have counted.
    reloading: Mutex<()>,
    seams: Seams,
    /// What this gate is called in the requests that it forwards.
    pub(super) pseudonym: Pseudonym,
    pub(crate) registry: Arc<Registry>,
    pub(crate) observers: Arc<Observers>,
    pub(crate) counts: CountsByRoute,
    pub(crate) failures: Arc<FailureCounts>,
    pub(crate) drains: ServerDrains,
    pub(crate) revocations: Revocations,
    pub(crate) auth: Authenticator,
    pub(crate) publications: PublicationCounts,
    /// By publisher and key.
    pub(crate) repeats: Repeats<Published>,
    pub(crate) shared: Shared,
    untrusted: UntrustedHint,
    housekeeping: OnceLock<AbortOnDropHandle<()>>,
    /// The tasks that send sessions of removed routes and drained servers away. Each ends at its
    /// deadline.
    pub(crate) evictions: TaskTracker,
}

/// What an embedder has put into the gate.
#[derive(Default)]
pub(crate) struct Seams {
    /// By route name.
    pub(crate) filters: HashMap<Arc<str>, MakeFilter>,
    pub(crate) policies: CustomPolicies,
    pub(crate) client_addr: Option<FindClientAddr>,
}

/// Makes the filter of one session.
pub(crate) type MakeFilter = Box<dyn Fn(&SessionInfo) -> Box<dyn MessageFilter> + Send + Sync>;

/// Finds where a request came from.
pub(crate) type FindClientAddr = Box<dyn Fn(&request::Parts) -> Option<ClientAddr> + Send + Sync>;

/// How often the wall clock is looked at: a session outlives its expiry by no more when that is set.
const CLOCK_CHECK: Duration = Duration::from_secs(1);

/// What is no longer needed is let go once in so many looks at the clock.
const CHECKS_PER_SWEEP: u32 = 10;

impl Core {
    /// `max_sessions` at once; 0 is no limit.
    pub(crate) fn new(
        config: Config,
        max_sessions: usize,
        seams: Seams,
        connector: Connector,
        observers: Observers,
    ) -> Self {
        observers.log_subjects(config.log.subject);
        let observers = Arc::new(observers);
        let clock = WallClock::default();
        let registry = Registry::new(max_sessions, Arc::clone(&observers), clock);
        let failures = Arc::default();
        let shared = Shared::new(registry.node, &config);
        let auth = Authenticator::new(&shared);
        let custom = &seams.policies;
        let failed = Arc::clone(&failures);
        let settings = Snapshot::new(config, failed, connector, custom, &auth, &shared);
        if let Some(interest) = shared.interest() {
            registry.channels.set_interest(interest);
        }
        Self {
            settings: RwLock::new(Arc::new(settings)),
            reloading: Mutex::default(),
            seams,
            pseudonym: Pseudonym::random(),
            registry: Arc::new(registry),
            observers,
            counts: CountsByRoute::default(),
            failures,
            drains: ServerDrains::default(),
            revocations: Revocations::default(),
            auth,
            publications: PublicationCounts::default(),
            repeats: Repeats::default(),
            shared,
            untrusted: UntrustedHint::default(),
            housekeeping: OnceLock::new(),
            evictions: TaskTracker::new(),
        }
    }

    /// The settings of this moment. A request takes them once.
    pub(crate) fn settings(&self) -> Arc<Snapshot> {
        let settings = self.settings.read();
        Arc::clone(&settings.unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other settings in the place of these, and returns both.
    pub(crate) fn replace_settings(&self, config: Config) -> (Arc<Snapshot>, Arc<Snapshot>) {
        let _alone = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self.settings();
        self.shared.follow(&config);
        let custom = &self.seams.policies;
        let new = Arc::new(old.followed_by(config, custom, &self.auth, &self.shared));
        self.auth.keep_those_of(&new.config);
        self.observers.log_subjects(new.config.log.subject);
        let settings = self.settings.write();
        *settings.unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        self.auth.start();
        self.shared.start();
        (old, new)
    }

    pub(crate) fn seams(&self) -> &Seams {
        &self.seams
    }

    /// Who the client is, behind trusted proxies.
    pub(super) fn identify(
        &self,
        settings: &Snapshot,
        parts: &request::Parts,
    ) -> Result<ClientIdentity, Rejection> {
        let found = self.seams.client_addr.as_ref();
        let peer = match found.and_then(|find| find(parts)) {
            Some(peer) => peer,
            None => *parts
                .extensions
                .get::<ClientAddr>()
                .ok_or(Rejection::ClientAddrMissing)?,
        };
        Ok(identify(peer, &parts.headers, &settings.config.client_ip))
    }

    /// Hints at a proxy that is not trusted, where the request looks as if it came from one.
    pub(super) fn hint_at_proxy(&self, client: &ClientIdentity, lines: &Lines<'_>) {
        self.untrusted.look(client, lines.forwarding());
    }

    pub(super) fn make_filter(
        &self,
        route: &Route,
        session: &SessionEntry,
    ) -> Option<Box<dyn MessageFilter>> {
        let make = self.seams.filters.get(&route.name)?;
        Some(make(&session.info()))
    }

    /// Reports a refused handshake, and returns its answer.
    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        parts: &request::Parts,
        path: &str,
        trace: &mut HandshakeTrace,
    ) -> Response<Full<Bytes>> {
        self.observers.notify(&refusal.event(parts, path));
        refusal.end(trace);
        let mut response = refusal.into_response();
        fit_to_version(parts.version, response.headers_mut());
        response
    }

    /// The same for a handshake that came to no route, or was malformed.
    pub(crate) fn refuse_early(
        &self,
        parts: &request::Parts,
        refusal: Refusal,
    ) -> Response<Full<Bytes>> {
        let path = path_of(&refusal, parts).to_owned();
        let mut trace = self.observers.tracing.begin(parts, &path, scheme(parts));
        if let Some(client) = &refusal.client {
            trace.set_client(client.ip, client.peer);
        }
        if let Some(target) = &refusal.target {
            trace.set_authority(target.host(), target.port());
        }
        if let Some(route) = &refusal.route {
            trace.set_route(route);
        }
        self.refuse(refusal, parts, &path, &mut trace)
    }

    /// Reports a refused plain request, and returns its rejection. One that asks for a WebSocket
    /// where no route is has spans as well.
    pub(crate) fn refuse_plain(&self, parts: &request::Parts, refusal: Refusal) -> Rejection {
        let rejection = refusal.rejection.clone();
        if is_websocket(parts) {
            drop(self.refuse_early(parts, refusal));
        } else {
            let event = refusal.event(parts, path_of(&refusal, parts));
            self.observers.notify(&event);
        }
        rejection
    }

    /// Reports a request of which not even the head could be read.
    pub(crate) fn refuse_malformed(self: &Arc<Self>, peer: ClientAddr, reason: &'static str) {
        self.start_housekeeping();
        self.observers.notify(&refusal::malformed(peer, reason));
    }

    /// Starts the gate's own task, once; it ends with the last clone of the gate.
    pub(crate) fn start_housekeeping(self: &Arc<Self>) {
        self.housekeeping.get_or_init(|| {
            self.auth.start();
            self.shared.start();
            let core = Arc::downgrade(self);
            let task = TaskTracker::new().spawn(async move {
                for check in 1_u32.. {
                    tokio::time::sleep(CLOCK_CHECK).await;
                    let Some(core) = core.upgrade() else { return };
                    core.registry.follow_wall_clock();
                    if check % CHECKS_PER_SWEEP == 0 {
                        core.settings().rates.sweep();
                        core.auth.sweep();
                        core.report();
                    }
                }
            });
            AbortOnDropHandle::new(task)
        });
    }

    /// Logs what came up too often to be logged each time.
    fn report(&self) {
        self.observers.report_suppressed();
        self.settings().report();
    }
}

/// The path of a request, in its normal form if it has one.
fn path_of<'a>(refusal: &'a Refusal, parts: &'a request::Parts) -> &'a str {
    let path = refusal.target.as_ref().map(Target::path);
    path.unwrap_or_else(|| parts.uri.path())
}

impl Drop for Core {
    /// What is not logged now never will be.
    fn drop(&mut self) {
        self.report();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("config", &self.settings().config)
            .finish_non_exhaustive()
    }
}
