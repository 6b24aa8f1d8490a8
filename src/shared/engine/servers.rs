//! The servers of an engine, and what their keepers have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::Pipeline;
use tokio::sync::{Notify, watch};

use super::condition::Condition;
use super::keeper::Keeper;
use super::link::Manners;
use super::node::Node;
use super::place::Place;
use super::topology::Routes;

pub(super) struct Servers {
    prefix: Arc<str>,
    manners: Manners,
    condition: Arc<Condition>,
    /// What a new connection loads.
    scripts: Arc<Pipeline>,
    /// Woken where a server is not the right one any more.
    misplaced: Arc<Notify>,
    routes: watch::Sender<Arc<Routes>>,
    /// Each server has a connection that listens, beside the one for commands.
    have_listeners: AtomicBool,
}

impl Servers {
    /// None is known yet.
    pub(super) fn new(
        prefix: &Arc<str>,
        manners: Manners,
        condition: &Arc<Condition>,
        scripts: Pipeline,
    ) -> Self {
        Self {
            prefix: Arc::clone(prefix),
            manners,
            condition: Arc::clone(condition),
            scripts: Arc::new(scripts),
            misplaced: Arc::new(Notify::new()),
            routes: watch::Sender::new(Arc::new(Routes::none())),
            have_listeners: AtomicBool::new(false),
        }
    }

    /// The beginning of all keys.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn manners(&self) -> &Manners {
        &self.manners
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    /// A server, which has keys with this tag.
    pub(super) fn node(&self, place: &Place, tag: &str) -> Arc<Node> {
        let node = Node::new(place.clone(), self.probe_key(tag));
        self.condition.expect(node.name());
        if self.have_listeners.load(Ordering::Relaxed) {
            self.condition.expect(&node.listening());
        }
        Arc::new(node)
    }

    /// Servers that are found from now on have a connection that listens.
    pub(super) fn expect_listeners(&self) {
        self.have_listeners.store(true, Ordering::Relaxed);
    }

    pub(super) fn probe_key(&self, tag: &str) -> String {
        format!("{}:probe:{{{tag}}}", self.prefix)
    }

    pub(super) fn keeper(&self, node: Arc<Node>, place: Place) -> Keeper {
        Keeper {
            node,
            place,
            manners: self.manners.clone(),
            condition: Arc::clone(&self.condition),
            scripts: Arc::clone(&self.scripts),
            misplaced: Arc::clone(&self.misplaced),
        }
    }

    pub(super) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.borrow())
    }

    /// Sees when other servers have the keys.
    pub(super) fn watch_routes(&self) -> watch::Receiver<Arc<Routes>> {
        self.routes.subscribe()
    }

    pub(super) fn set_routes(&self, routes: Routes) {
        self.routes.send_replace(Arc::new(routes));
    }

    /// A server has said that it is not the right one.
    pub(super) fn misplaced(&self) {
        self.misplaced.notify_one();
    }

    /// Waits until a server is not the right one any more.
    pub(super) async fn until_misplaced(&self) {
        self.misplaced.notified().await;
    }
}
