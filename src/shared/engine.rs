//! The engine: its servers, and how they are asked.
//!
//! ```text
//! call ─► slot ─► Node (breaker, connection) ─► server
//!                  ▲ Keeper (a task a server): connects, probes, connects again
//!                  ▲ cluster: which servers there are, and who has which slot
//! ```

mod breaker;
mod cluster;
mod condition;
mod error;
mod keeper;
mod link;
mod node;
mod pause;
mod place;
mod script;
mod servers;
mod slot;
mod topology;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::AsyncPushSender;
use redis::{Pipeline, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use self::condition::Condition;
use self::link::Manners;
use self::place::{Place, check_role};
use self::servers::Servers;
use super::counts::{Counts, Operation};
use crate::config::{Engine as Settings, EngineLayout, SharedRules};

pub(super) use self::error::{Endpoint, EngineError};
pub(super) use self::link::Link;
pub(super) use self::node::Node;
pub(super) use self::pause::Pauses;
pub(super) use self::script::{Call, Script};
pub(super) use self::slot::Slot;
pub(super) use self::topology::Routes;

/// An engine that is connected, or is being connected.
pub(super) struct Engine {
    settings: Settings,
    servers: Servers,
    pub(super) condition: Arc<Condition>,
    counts: Arc<Counts>,
}

impl Engine {
    /// An engine, to which [`Engine::keep`] connects.
    pub(super) fn new<'s>(
        rules: &SharedRules,
        scripts: impl IntoIterator<Item = &'s Script>,
        counts: &Arc<Counts>,
    ) -> Self {
        let settings = &rules.engine;
        let manners = Manners {
            database: settings.database,
            username: settings.username.clone(),
            password: settings.password.clone(),
            tls: settings.tls.clone(),
        };
        let mut loads = Pipeline::new();
        for script in scripts {
            loads.add_command(script.load()).ignore();
        }
        loads.ignore_errors();
        let condition = Arc::new(Condition::new(shown(settings), rules.on_failure));
        Self {
            settings: settings.clone(),
            servers: Servers::new(&rules.prefix, manners, &condition, loads),
            condition,
            counts: Arc::clone(counts),
        }
    }

    /// The beginning of all keys.
    pub(super) fn prefix(&self) -> &str {
        self.servers.prefix()
    }

    /// Whether this is the engine of the same settings.
    pub(super) fn is_of(&self, rules: &SharedRules) -> bool {
        self.settings == rules.engine && *self.prefix() == *rules.prefix
    }

    /// Keeps the connections, for as long as it is polled.
    pub(super) async fn keep(&self) {
        let endpoints = endpoints(&self.settings);
        let place = match &self.settings.layout {
            EngineLayout::Cluster => return cluster::keep(&self.servers, &endpoints).await,
            EngineLayout::Single => match endpoints.into_iter().next() {
                Some(endpoint) => Place::Fixed(endpoint),
                None => return,
            },
            EngineLayout::Sentinel { master } => Place::Sentinels {
                sentinels: endpoints,
                master: master.clone(),
            },
        };
        let node = self.servers.node(&place, "0");
        self.servers.set_routes(Routes::single(Arc::clone(&node)));
        self.servers.keeper(node, place).keep().await;
    }

    pub(super) fn routes(&self) -> Arc<Routes> {
        self.servers.routes()
    }

    /// Sees when other servers have the keys.
    pub(super) fn watch_routes(&self) -> watch::Receiver<Arc<Routes>> {
        self.servers.watch_routes()
    }

    /// Whether any server can be asked at the moment.
    pub(super) fn answers(&self, slot: Slot) -> bool {
        let routes = self.servers.routes();
        routes.node(slot).is_ok_and(|node| node.answers())
    }

    /// Each server has a connection that listens, too: without it, something is missing.
    pub(super) fn expect_listeners(&self) {
        self.servers.expect_listeners();
    }

    /// Whether the keys are spread over several servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.settings.layout, EngineLayout::Cluster)
    }

    /// The command that publishes: in a cluster, within one slot.
    pub(super) fn publish_command(&self) -> &'static str {
        match self.is_cluster() {
            true => "SPUBLISH",
            false => "PUBLISH",
        }
    }

    /// A connection of its own with a server, for messages that are no answers.
    pub(super) async fn connect_to<P: AsyncPushSender>(
        &self,
        node: &Node,
        push: Option<P>,
    ) -> Result<Link, EngineError> {
        let endpoint = node.place().locate(self.servers.manners()).await?;
        let mut link = self.servers.manners().connect(&endpoint, push).await?;
        if node.place().may_move() {
            check_role(&mut link, &endpoint).await?;
        }
        Ok(link)
    }

    /// Looks again which servers there are.
    pub(super) fn look_again(&self) {
        self.servers.misplaced();
    }

    /// Sends commands whose keys are in this slot, in one go, and returns the answer of each that is not ignored.
    ///
    /// # Errors
    /// As [`Engine::run`], for all of them.
    pub(super) async fn send(
        &self,
        operation: Operation,
        slot: Slot,
        commands: &mut Pipeline,
        limit: Duration,
    ) -> Result<Vec<Result<Value, EngineError>>, EngineError> {
        let began = Instant::now();
        let sent = match self.routes().node(slot) {
            Ok(node) => node.send_all(commands, limit).await,
            Err(error) => Err(error),
        };
        match &sent {
            Ok(_) => self.counts.note_answer(began.elapsed()),
            Err(_) => self.counts.note_failure(operation),
        }
        let answers = sent.iter().flatten();
        let misplaced = answers.filter_map(|answer| answer.as_ref().err());
        if misplaced.into_iter().any(EngineError::is_misplaced) {
            self.servers.misplaced();
        }
        sent
    }

    /// Runs a script whose keys are in this slot.
    ///
    /// # Errors
    /// Within the limit. [`EngineError::Late`] does not say whether it has run, or will.
    pub(super) async fn run(
        &self,
        operation: Operation,
        slot: Slot,
        call: &Call,
        limit: Duration,
    ) -> Result<Value, EngineError> {
        let began = Instant::now();
        let answer = self.run_uncounted(slot, call, began + limit).await;
        match &answer {
            Ok(_) => self.counts.note_answer(began.elapsed()),
            Err(_) => self.counts.note_failure(operation),
        }
        answer
    }

    async fn run_uncounted(
        &self,
        slot: Slot,
        call: &Call,
        deadline: Instant,
    ) -> Result<Value, EngineError> {
        let left = || deadline.saturating_duration_since(Instant::now());
        let routes = self.servers.routes();
        let error = match routes.node(slot)?.run(call, left()).await {
            Err(error) if error.is_misplaced() => error,
            answer => return answer,
        };
        self.servers.misplaced();
        let Some((place, is_for_once)) = error.redirection() else {
            return Err(error);
        };
        let mut nodes = routes.nodes().iter();
        match nodes.find(|node| node.name() == place) {
            Some(node) if is_for_once => node.run_once(call, left()).await,
            Some(node) => node.run(call, left()).await,
            None => Err(error),
        }
    }

    /// Runs scripts in one go for each server, and returns the answers in their order.
    pub(super) async fn run_all(
        &self,
        operation: Operation,
        calls: &[(Slot, Call)],
        limit: Duration,
    ) -> Vec<Result<Value, EngineError>> {
        let routes = self.servers.routes();
        let mut answers: Vec<_> = calls.iter().map(|_| Err(EngineError::Away)).collect();
        // By server, with the position of each call.
        let mut by_node: BTreeMap<&str, (&Arc<Node>, Vec<usize>)> = BTreeMap::new();
        for (position, (slot, _)) in calls.iter().enumerate() {
            match routes.node(*slot) {
                Ok(node) => {
                    let entry = by_node.entry(node.name());
                    entry.or_insert((node, Vec::new())).1.push(position);
                }
                Err(error) => answers[position] = Err(error),
            }
        }
        let began = Instant::now();
        let asked = by_node.into_values().map(|(node, positions)| async move {
            let mine: Vec<_> = positions.iter().map(|at| &calls[*at].1).collect();
            let mine = node.run_all(&mine, limit).await;
            (positions, mine)
        });
        for (positions, mine) in futures_util::future::join_all(asked).await {
            for (position, answer) in positions.into_iter().zip(mine) {
                answers[position] = answer;
            }
        }
        if answers.iter().any(Result::is_ok) {
            self.counts.note_answer(began.elapsed());
        }
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            // What was not sent has not failed.
            if !matches!(error, EngineError::Away) {
                self.counts.note_failure(operation);
            }
            if error.is_misplaced() {
                self.servers.misplaced();
            }
        }
        answers
    }
}

#[cfg(test)]
impl Engine {
    /// The connection of the first server, for what only tests send.
    pub(super) fn connection_for_tests(&self) -> redis::aio::MultiplexedConnection {
        self.servers.routes().nodes()[0].connection().unwrap()
    }
}

fn endpoints(settings: &Settings) -> Vec<Endpoint> {
    let each = settings.endpoints.iter().cloned();
    each.map(|(host, port)| Endpoint { host, port }).collect()
}

/// The engine as logs may have it.
fn shown(settings: &Settings) -> String {
    let shown: Vec<_> = endpoints(settings)
        .iter()
        .map(Endpoint::to_string)
        .collect();
    let shown = shown.join(",");
    match &settings.layout {
        EngineLayout::Single | EngineLayout::Cluster => shown,
        EngineLayout::Sentinel { master } => format!("{shown}/{master}"),
    }
}

/// The password stays out.
impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("engine", &shown(&self.settings))
            .field("condition", &self.condition)
            .finish_non_exhaustive()
    }
}
