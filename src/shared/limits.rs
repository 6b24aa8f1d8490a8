//! Limits that count over all gates.
//!
//! ```text
//! handshake ─► enter (one script): rate, a place, first slices ─► Lease, which the session holds
//! message   ─► balance ─► Desk (in the background): borrow
//! ```

mod leases;
mod lender;
mod scripts;
mod who;

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::leases::{KEPT, Leases};
use self::lender::{Desk, Loans, Request, terms};
use self::scripts::Scripts;
use self::who::Part;
use super::counts::Operation;
use super::current::Current;
use super::engine::{Call, Engine, Script, Slot};
use crate::config::{OnFailure, Rate};
use crate::limit::{Lender, Limit, Loan};
use crate::types::NodeId;

pub(crate) use self::leases::Lease;
pub(crate) use self::who::Counted;

/// The limits that this gate shares with others.
#[derive(Debug)]
pub(super) struct Limits {
    current: Arc<Current>,
    leases: Arc<Leases>,
    loans: Arc<Loans>,
    scripts: Scripts,
    wait: Duration,
}

/// What a handshake needs, of what is shared.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'l> {
    pub(crate) handshakes: Option<Rate>,
    /// The most sessions.
    pub(crate) sessions: Option<u32>,
    /// For their first slices.
    pub(crate) messages: Option<&'l Limit>,
    pub(crate) bytes: Option<&'l Limit>,
    /// How many questions the handshake may have, this one included. They have the time together.
    pub(crate) questions: u32,
}

/// What all gates together say about a handshake.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is within the limits.
    Within(Option<Lease>),
    /// There were too many handshakes.
    Handshakes { retry_after: Duration },
    /// There are too many sessions.
    Sessions,
    /// The engine does not answer: the limits of this gate decide. The place is one among all gates when the engine is
    /// back.
    Alone(Option<Lease>),
    /// The engine does not answer, and so nobody may come in.
    Unknown,
}

/// How long a handshake waits for the engine in all, whatever it has to ask: about its address, its user and its ticket.
pub(super) const WAIT: Duration = Duration::from_millis(25);

/// What waits for no handshake.
const LOAN: Duration = Duration::from_millis(100);
const LEASE: Duration = Duration::from_millis(500);

/// How many scripts are sent at once, so that those of handshakes get their turn between them.
const BATCH: usize = 256;

/// How often a part of the places is renewed, and accounts are filled up.
const TURN: Duration = Duration::from_secs(1);

impl Limits {
    pub(super) fn new(gate: NodeId, current: &Arc<Current>) -> Self {
        Self {
            current: Arc::clone(current),
            leases: Arc::new(Leases::new(gate)),
            loans: Arc::new(Loans::new()),
            scripts: Scripts::new(),
            wait: WAIT,
        }
    }

    pub(super) fn scripts(&self) -> impl Iterator<Item = &Script> {
        self.scripts.all().into_iter()
    }

    /// Who lends messages to the sessions of an address or a subject.
    pub(super) fn messages_lender(&self, who: Counted) -> Arc<dyn Lender> {
        self.lender(who, Part::Messages)
    }

    /// The same for bytes.
    pub(super) fn bytes_lender(&self, who: Counted) -> Arc<dyn Lender> {
        self.lender(who, Part::Bytes)
    }

    fn lender(&self, who: Counted, part: Part) -> Arc<dyn Lender> {
        Arc::new(Desk {
            who,
            part,
            slot: who.slot(),
            loans: Arc::clone(&self.loans),
            current: Arc::clone(&self.current),
        })
    }

    /// Asks whether a handshake is within the limits of all gates. It waits for its share of 25 ms.
    pub(super) async fn admit(&self, who: Counted, wanted: &Wanted<'_>) -> Verdict {
        if wanted.handshakes.is_none() && wanted.sessions.is_none() {
            // What only messages need is borrowed without a wait.
            return Verdict::Within(None);
        }
        let state = self.current.state();
        let Some(engine) = &state.engine else {
            return Verdict::Alone(None);
        };
        let began = Instant::now();
        let mut lease = wanted.sessions.map(|_| self.leases.begin(who));
        let loans = [wanted.messages, wanted.bytes].map(|limit| limit?.first_loan(began));
        let call = self.enter(engine, who, wanted, lease.as_ref(), &loans);
        if engine.answers(who.slot()) {
            lease.iter_mut().for_each(Lease::may_be_known);
        }
        let limit = self.wait / wanted.questions.max(1);
        let asked = engine.run(Operation::Handshake, who.slot(), &call, limit);
        let answer = asked.await;
        let now = Instant::now();
        match answer.as_ref().map(read_entry) {
            Ok(Some([0, _, messages, bytes])) => {
                for (loan, lent) in loans.into_iter().zip([messages, bytes]) {
                    if let Some(loan) = loan {
                        let most = loan.most;
                        loan.lent(lent.min(most), now);
                    }
                }
                Verdict::Within(lease.map(Lease::keep))
            }
            Ok(Some([1, micros, ..])) => {
                forget(lease);
                let retry_after = Duration::from_micros(micros);
                Verdict::Handshakes { retry_after }
            }
            Ok(Some([2, ..])) => {
                forget(lease);
                Verdict::Sessions
            }
            Ok(_) | Err(_) => match state.on_failure {
                OnFailure::Deny => Verdict::Unknown,
                _ => Verdict::Alone(lease.map(Lease::keep)),
            },
        }
    }

    fn enter(
        &self,
        engine: &Engine,
        who: Counted,
        wanted: &Wanted<'_>,
        lease: Option<&Lease>,
        loans: &[Option<Loan>; 2],
    ) -> Call {
        let key = |part| who.key(engine.prefix(), part);
        let keys = [
            Part::Handshakes,
            Part::Sessions,
            Part::Messages,
            Part::Bytes,
        ]
        .map(key);
        let mut call = self.scripts.enter.call(&keys);
        match wanted.handshakes {
            Some(rate) => {
                let emission = emission(rate);
                call.arg(emission).arg(emission.saturating_mul(rate.burst));
            }
            None => {
                call.arg(0).arg(0);
            }
        }
        call.arg(wanted.sessions.map_or(-1, i64::from));
        call.arg(KEPT.as_millis() as u64);
        call.arg(lease.map_or_else(String::new, |lease| self.leases.name(lease)));
        for loan in loans {
            match loan {
                Some(loan) => {
                    let account = loan.account();
                    terms(&mut call, account.rate(), account.slice());
                    call.arg(loan.most)
                        .arg(account.remembered().as_millis() as u64);
                }
                None => (0..6).for_each(|_| {
                    call.arg(0);
                }),
            }
        }
        call
    }

    /// Keeps the places of sessions, for as long as it is polled.
    pub(super) async fn keep_leases(&self, engine: &Engine) {
        let mut connected = engine.condition.connected();
        let mut ticks = interval(TURN);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in 0_usize.. {
            tokio::select! {
                _tick = ticks.tick() => self.renew(engine, turn).await,
                // It may have lost everything.
                _connected = connected.changed() => for turn in Leases::turns() {
                    self.renew(engine, turn).await;
                },
            }
        }
    }

    async fn renew(&self, engine: &Engine, turn: usize) {
        let calls = self.leases.renewals(turn, &self.scripts, engine.prefix());
        run_all(engine, Operation::Lease, &calls, LEASE).await;
    }

    /// Waits for places that sessions have left, and gives them back.
    pub(super) async fn end_leases(&self, engine: &Engine) {
        let left = self.leases.left().await;
        let calls = self.leases.departures(left, &self.scripts, engine.prefix());
        // If the engine does not answer, they become free by themselves.
        run_all(engine, Operation::Lease, &calls, LEASE).await;
    }

    /// Borrows what messages and bytes need, for as long as it is polled.
    pub(super) async fn borrow(&self, engine: &Engine) {
        let mut ticks = interval(TURN);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let requests = tokio::select! {
                requests = self.loans.asked() => requests,
                _tick = ticks.tick() => self.loans.fillings(),
            };
            self.settle(engine, requests).await;
        }
    }

    async fn settle(&self, engine: &Engine, requests: Vec<Request>) {
        let mut requests = requests.into_iter();
        loop {
            let some: Vec<Request> = requests.by_ref().take(BATCH).collect();
            if some.is_empty() {
                return;
            }
            let calls: Vec<_> = (some.iter())
                .map(|request| request.call(&self.scripts, engine.prefix()))
                .collect();
            let answers = engine.run_all(Operation::Loan, &calls, LOAN).await;
            let now = Instant::now();
            for (request, answer) in some.into_iter().zip(answers) {
                self.loans.settle(request, answer, now);
            }
        }
    }
}

/// Runs scripts, some at a time.
async fn run_all(engine: &Engine, operation: Operation, calls: &[(Slot, Call)], limit: Duration) {
    for some in calls.chunks(BATCH) {
        engine.run_all(operation, some, limit).await;
    }
}

/// The time for one handshake, in microseconds.
fn emission(rate: Rate) -> u64 {
    let per = u64::try_from(rate.per.as_micros()).unwrap_or(u64::MAX);
    (per / rate.count.max(1)).max(1)
}

/// The answer of a handshake's script.
fn read_entry(answer: &Value) -> Option<[u64; 4]> {
    let Value::Array(answer) = answer else {
        return None;
    };
    let numbers: Vec<_> = (answer.iter())
        .map(|number| match number {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        })
        .collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// The engine has said that it has not given the place.
fn forget(lease: Option<Lease>) {
    if let Some(lease) = lease {
        lease.forget();
    }
}

#[cfg(test)]
mod tests;
