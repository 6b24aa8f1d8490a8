//! The interfaces of the program itself: they open at the start, change with a reload, and are there during the drain.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::workers::{Worker, Workers};
use crate::config::{self, Config, ListenAddress};
use crate::server::admin::{AdminContext, AdminService};
use crate::server::api::definition::Api;
use crate::server::api::service::ApiService;
use crate::server::listener::bind::BindError;
use crate::server::listener::open::{BoundListener, ListenerTokens, Listeners, OpenListener};
use crate::server::publish::PublishService;
use crate::server::publish::refusals::RefusalCounts;
use crate::tls::{ServerTls, Tickets};

/// What answers the requests, and by which settings.
pub(super) struct Interfaces {
    pub(super) admin: AdminService,
    pub(super) publish: PublishService,
    pub(super) settings: InterfaceSettings,
}

/// The settings of the interfaces.
#[derive(Default)]
pub(super) struct InterfaceSettings {
    admin: Option<config::Admin>,
    admin_tls: Option<ServerTls>,
    publish: Option<config::Publish>,
    publish_tls: Option<ServerTls>,
}

/// Listeners of interfaces that are bound and accept nothing yet.
pub(super) struct BoundInterfaces {
    pub(super) admin: Option<BoundListener>,
    pub(super) publish: Option<BoundListener>,
}

impl InterfaceSettings {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            admin: config.admin.clone(),
            admin_tls: config.admin_tls().cloned(),
            publish: config.publish.clone(),
            publish_tls: config.publish_tls().cloned(),
        }
    }

    /// Whether there is a publish interface.
    pub(super) fn has_publish(&self) -> bool {
        self.publish.is_some()
    }

    pub(super) fn admin_address(&self) -> Option<&ListenAddress> {
        self.admin.as_ref().map(|admin| &admin.address)
    }

    pub(super) fn publish_address(&self) -> Option<&ListenAddress> {
        self.publish.as_ref().map(|publish| &publish.address)
    }

    /// The keys whose values are others than before.
    pub(super) fn changed_keys(&self, before: &Self) -> impl Iterator<Item = &'static str> {
        // A key of TLS has changed with the contents of a file, too.
        let changes = [
            ("admin", self.admin != before.admin),
            ("admin.tls", self.admin_tls != before.admin_tls),
            ("publish", self.publish != before.publish),
            ("publish.tls", self.publish_tls != before.publish_tls),
        ];
        let changed = changes.into_iter().filter(|(_, has_changed)| *has_changed);
        changed.map(|(key, _)| key)
    }
}

impl BoundInterfaces {
    /// Binds those that are not open yet at their addresses.
    pub(super) fn bind_new(
        settings: &InterfaceSettings,
        open: &Listeners,
        worker: &Worker,
    ) -> Result<Self, BindError> {
        let bind = |wanted: Option<&ListenAddress>, open_now: &Option<OpenListener>| match wanted {
            Some(address) if !is_at(open_now, wanted) => {
                BoundListener::bind(address, &open.passed, worker).map(Some)
            }
            _ => Ok(None),
        };
        Ok(Self {
            admin: bind(settings.admin_address(), &open.admin)?,
            publish: bind(settings.publish_address(), &open.publish)?,
        })
    }
}

impl Interfaces {
    /// Without settings yet: nobody has access.
    pub(super) fn new(context: AdminContext) -> Self {
        let places = context.limiter.budget().publish_connections();
        let refusals = Arc::<RefusalCounts>::default();
        let handle = context.handle.clone();
        Self {
            publish: PublishService::new(handle, Arc::clone(&refusals), places),
            admin: AdminService::new(context, refusals),
            settings: InterfaceSettings::default(),
        }
    }

    /// Goes by these settings from now on, on connections that are open already as well; new ones speak TLS as they say.
    pub(super) fn apply(&mut self, settings: InterfaceSettings, tickets: &Arc<Tickets>) {
        let admin = settings.admin.as_ref();
        let token = admin.and_then(|admin| admin.token.clone());
        self.admin.require_token(token);
        self.publish.apply(settings.publish.as_ref());
        if settings.admin_tls != self.settings.admin_tls {
            let tls = settings.admin_tls.as_ref();
            self.admin.service().set_tls(tls, tickets);
        }
        if settings.publish_tls != self.settings.publish_tls {
            let tls = settings.publish_tls.as_ref();
            self.publish.service().set_tls(tls, tickets);
        }
        self.settings = settings;
    }

    /// Opens those that are bound, and returns the listeners of those that the settings have no longer,
    /// or elsewhere.
    pub(super) fn open(
        &self,
        bound: BoundInterfaces,
        listeners: &mut Listeners,
        workers: &Workers,
        owner: &TaskTracker,
    ) -> Vec<(&'static str, OpenListener)> {
        let all: Vec<_> = workers.iter().cloned().collect();
        let mut removed = Vec::new();
        if !is_at(&listeners.admin, self.settings.admin_address()) {
            // The worker that accepts is enough for operators.
            let (service, one) = (self.admin.service(), &all[..1]);
            let opened = (bound.admin).map(|bound| serve(service, bound, one, owner));
            let former = std::mem::replace(&mut listeners.admin, opened);
            removed.extend(former.map(|former| ("admin", former)));
        }
        if !is_at(&listeners.publish, self.settings.publish_address()) {
            let service = self.publish.service();
            let opened = (bound.publish).map(|bound| serve(service, bound, &all, owner));
            let former = std::mem::replace(&mut listeners.publish, opened);
            removed.extend(former.map(|former| ("publish", former)));
        }
        removed
    }
}

/// Serves an interface on these workers, also during the drain. The first of them accepts.
fn serve<A: Api>(
    service: &ApiService<A>,
    listener: BoundListener,
    workers: &[Worker],
    owner: &TaskTracker,
) -> OpenListener {
    let tokens = ListenerTokens {
        accepting: CancellationToken::new(),
        closing: CancellationToken::new(),
    };
    let service = service.at(listener.setting(), tokens.closing.clone());
    let listener = listener.limited_by(service.vacancy());
    let dispatch = service.dispatch(workers.to_vec());
    let listener = listener.open(tokens, dispatch, &workers[0], owner);
    tracing::info!(address = %listener.address, "{} interface listening", A::NAME);
    listener
}

fn is_at(open: &Option<OpenListener>, wanted: Option<&ListenAddress>) -> bool {
    open.as_ref().map(|open| &open.setting) == wanted
}
