//! What a gate shares with others, as one thing that outlives reloads.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::bus::Bus;
use super::counts::Counts;
use super::current::{Current, State};
use super::engine::Engine;
use super::exchange::{Answer, Answers, Elsewhere, Envelope, NoAnswer, Question, Receiver};
use super::info::SharedInfo;
use super::limits::{Counted, Limits, Verdict, Wanted};
use super::parts::SharedParts;
use super::repeats::{self, SharedRepeat};
use super::tickets;
use crate::channels::Interest;
use crate::config::{ChannelName, Config, SharedRules};
use crate::limit::Lender;
use crate::types::NodeId;

/// What this gate shares with others; nothing, where the settings say so. A clone is the same.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    current: Arc<Current>,
    limits: Arc<Limits>,
    bus: Arc<Bus>,
    counts: Arc<Counts>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
    /// Where the task is to run.
    runtime: Mutex<Option<runtime::Handle>>,
}

impl Shared {
    /// What the settings share. Nothing is connected yet.
    pub(crate) fn new(gate: NodeId, config: &Config) -> Self {
        let current = Arc::new(Current::new(State::default()));
        let shared = Self(Arc::new(Inner {
            limits: Arc::new(Limits::new(gate, &current)),
            bus: Arc::new(Bus::new(gate, &current)),
            current,
            counts: Arc::default(),
            task: Mutex::default(),
            runtime: Mutex::default(),
        }));
        shared.follow(config);
        shared
    }

    /// Shares what these settings do. An engine that stays the same is not connected anew.
    pub(crate) fn follow(&self, config: &Config) {
        let rules = config.shared.as_ref();
        let before = self.0.current.engine();
        let engine = rules.map(|rules| match before {
            Some(engine) if engine.is_of(rules) => engine,
            _ => Arc::new(self.engine(rules)),
        });
        let on_failure = rules.map(|rules| rules.on_failure).unwrap_or_default();
        if let Some(engine) = &engine {
            engine.condition.set_on_failure(on_failure);
        }
        self.0.current.replace(State { engine, on_failure });
    }

    fn engine(&self, rules: &SharedRules) -> Engine {
        let engine = Engine::new(rules, self.0.limits.scripts(), &self.0.counts);
        engine.expect_listeners();
        engine
    }

    /// Begins to connect, if there is an engine, and that has not begun: in the runtime that was chosen for it, or in this
    /// one if that has ended.
    pub(crate) fn start(&self) {
        let mut task = lock(&self.0.task);
        // It ends with its runtime.
        if task.as_ref().is_some_and(|task| !task.is_finished()) || !self.is_used() {
            return;
        }
        let chosen = lock(&self.0.runtime).clone();
        let here = runtime::Handle::try_current().ok();
        let runtimes = chosen.into_iter().chain(here);
        let mut begun = runtimes.map(|runtime| self.begin(&runtime));
        *task = begun.find(|task| !task.is_finished());
    }

    fn begin(&self, runtime: &runtime::Handle) -> AbortOnDropHandle<()> {
        let Inner {
            current,
            limits,
            bus,
            ..
        } = &*self.0;
        let keeping = keep(Arc::clone(current), Arc::clone(limits), Arc::clone(bus));
        AbortOnDropHandle::new(TaskTracker::new().spawn_on(keeping, runtime))
    }

    /// As [`Shared::start`], in this runtime, which is chosen for engines to come, too.
    pub(crate) fn connect_here(&self) {
        *lock(&self.0.runtime) = runtime::Handle::try_current().ok();
        self.start();
    }

    /// The limits of these settings that count over all gates; `None` if there are none.
    pub(crate) fn rates(&self, config: &Config) -> Option<SharedRates> {
        let limits = config.shared.as_ref()?.limits;
        let parts = SharedParts {
            handshakes: limits.handshakes,
            connections: limits.connections,
            messages: limits.messages,
            bytes: limits.bytes,
        };
        (parts != SharedParts::default()).then(|| SharedRates {
            shared: self.clone(),
            parts,
        })
    }

    /// Whether there is an engine.
    pub(crate) fn is_used(&self) -> bool {
        self.0.current.engine().is_some()
    }

    /// Hands what other gates publish and ask to this one.
    pub(crate) fn set_receiver(&self, receiver: Weak<dyn Receiver>) {
        self.0.bus.set_receiver(receiver);
    }

    /// Who is to know which channels have members here.
    pub(crate) fn interest(&self) -> Option<Arc<dyn Interest>> {
        Some(Arc::clone(&self.0.bus) as _)
    }

    /// Publishes to the members of a channel on other gates, which retain the last `retain` publications.
    pub(crate) async fn publish(
        &self,
        channel: &ChannelName,
        envelope: &Envelope,
        retain: usize,
    ) -> Elsewhere {
        self.0.bus.publish(channel, envelope, retain).await
    }

    /// Lets go of what a channel retains in the engine.
    pub(crate) async fn forget_retained(&self, channel: &ChannelName) {
        self.0.bus.forget_retained(channel).await;
    }

    /// Tells the engine now how many members each channel has here, and not within the next second.
    pub(crate) async fn write_presence(&self) {
        self.0.bus.write_presence_now().await;
    }

    /// Asks all other gates.
    pub(crate) async fn ask_all(&self, question: Question) -> Answers {
        self.0.bus.ask_all(question).await
    }

    /// Asks one other gate.
    pub(crate) async fn ask(&self, gate: NodeId, question: Question) -> Result<Answer, NoAnswer> {
        self.0.bus.ask(gate, question).await
    }

    /// Says something to all other gates.
    pub(crate) fn tell_all(&self, question: Question) {
        self.0.bus.tell_all(question);
    }

    /// Keeps what a ticket stands for under its digest, for all gates.
    ///
    /// # Errors
    /// [`NoAnswer`] where the engine does not say that it has it.
    #[allow(dead_code, reason = "for the feature `auth`")]
    pub(crate) async fn keep_ticket(
        &self,
        digest: &str,
        ticket: &[u8],
        lifetime: Duration,
    ) -> Result<(), NoAnswer> {
        self.start();
        let engine = self.0.current.engine().ok_or(NoAnswer::NoGate)?;
        tickets::keep(&engine, digest, ticket, lifetime).await
    }

    /// Takes what is kept under a digest, once among all gates.
    ///
    /// # Errors
    /// [`NoAnswer`] where the engine does not answer in time. The ticket may be gone nevertheless.
    #[allow(dead_code, reason = "for the feature `auth`")]
    pub(crate) async fn take_ticket(&self, digest: &str) -> Result<Option<Vec<u8>>, NoAnswer> {
        self.start();
        let engine = self.0.current.engine().ok_or(NoAnswer::NoGate)?;
        tickets::take(&engine, digest).await
    }

    /// Claims the key of a publication among all gates, or waits for what the publication of another gate comes to; `None`
    /// where nothing is shared.
    pub(crate) async fn claim_key(&self, publisher: &str, key: &str) -> Option<SharedRepeat> {
        self.start();
        let engine = self.0.current.engine()?;
        Some(repeats::claim(engine, publisher, key).await)
    }

    /// For metrics; `None` where nothing is shared.
    pub(crate) fn info(&self) -> Option<SharedInfo> {
        let engine = self.0.current.engine()?;
        Some(SharedInfo {
            is_up: engine.condition.is_up(),
            failures: self.0.counts.failures(),
            interruptions: self.0.bus.interruptions(),
            round_trips: self.0.counts.round_trips(),
        })
    }
}

/// Limits that count over all gates. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct SharedRates {
    shared: Shared,
    parts: SharedParts,
}

impl SharedRates {
    /// Which they are.
    pub(crate) fn parts(&self) -> SharedParts {
        self.parts
    }

    /// As [`Limits::admit`].
    pub(crate) async fn admit(&self, who: Counted, wanted: &Wanted<'_>) -> Verdict {
        // A task whose runtime has ended goes on in this one.
        self.shared.start();
        self.shared.0.limits.admit(who, wanted).await
    }

    /// Who lends messages to the sessions of an address or a subject.
    pub(crate) fn messages_lender(&self, who: Counted) -> Arc<dyn Lender> {
        self.shared.0.limits.messages_lender(who)
    }

    /// The same for bytes.
    pub(crate) fn bytes_lender(&self, who: Counted) -> Arc<dyn Lender> {
        self.shared.0.limits.bytes_lender(who)
    }
}

/// What is behind it is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what is connected with the engine of the moment.
async fn keep(current: Arc<Current>, limits: Arc<Limits>, bus: Arc<Bus>) {
    let mut replaced = current.replaced();
    loop {
        replaced.mark_unchanged();
        let Some(engine) = current.engine() else {
            return;
        };
        let end_leases = async {
            loop {
                limits.end_leases(&engine).await;
            }
        };
        tokio::select! {
            () = engine.keep() => {}
            () = bus.keep(&engine) => {}
            () = limits.keep_leases(&engine) => {}
            () = end_leases => {}
            () = limits.borrow(&engine) => {}
            // The sender is in what this holds.
            _replaced = replaced.changed() => {}
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.0.current).finish()
    }
}

#[cfg(test)]
mod tests;
