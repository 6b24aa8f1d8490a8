//! Messages and bytes that are borrowed from the engine.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::scripts::Scripts;
use super::who::{Counted, Part};
use crate::config::{OnFailure, Rate};
use crate::limit::{Account, Lender, Loan, Standing};
use crate::shared::backlog::Backlog;
use crate::shared::current::Current;
use crate::shared::engine::{Call, EngineError, Slot};

/// What waits to be borrowed.
#[derive(Debug)]
pub(in crate::shared) struct Loans {
    asked: Backlog<Request>,
    later: Backlog<Later>,
}

/// A loan that somebody waits for, or will.
#[derive(Debug)]
pub(super) struct Request {
    who: Counted,
    part: Part,
    slot: Slot,
    loan: Loan,
}

/// An account that is to be filled.
#[derive(Debug)]
pub(super) struct Later {
    who: Counted,
    part: Part,
    slot: Slot,
    account: Weak<Account>,
}

/// Lends one kind of unit to the sessions of an address or a subject.
pub(super) struct Desk {
    pub(super) who: Counted,
    pub(super) part: Part,
    pub(super) slot: Slot,
    pub(super) loans: Arc<Loans>,
    pub(super) current: Arc<Current>,
}

/// Loans and accounts that wait. What finds no room is asked for again by the next message.
const WAITING: usize = 65_536;

/// Where failures deny, open sessions wait for the engine so long before what they send is refused.
const PATIENCE: Duration = Duration::from_secs(10);

impl Loans {
    pub(super) fn new() -> Self {
        Self {
            asked: Backlog::new(WAITING),
            later: Backlog::new(WAITING),
        }
    }

    /// Waits for loans that are asked for.
    pub(super) async fn asked(&self) -> Vec<Request> {
        self.asked.take().await
    }

    /// What fills the accounts up that are to be filled.
    pub(super) fn fillings(&self) -> Vec<Request> {
        let later = self.later.take_now().into_iter();
        let requests = later.filter_map(|later| {
            let loan = Account::noted_loan(&later.account.upgrade()?)?;
            Some(Request {
                who: later.who,
                part: later.part,
                slot: later.slot,
                loan,
            })
        });
        requests.collect()
    }

    /// Settles a loan by the engine's answer. Without one it is as if it had not been asked for.
    pub(super) fn settle(
        &self,
        request: Request,
        answer: Result<Value, EngineError>,
        now: Instant,
    ) {
        let Ok(Value::Array(answer)) = answer else {
            return;
        };
        let [Value::Int(lent), Value::Int(wait)] = answer[..] else {
            return;
        };
        let lent = u64::try_from(lent).unwrap_or(0).min(request.loan.most);
        let Request {
            who,
            part,
            slot,
            loan,
        } = request;
        let account = Arc::clone(loan.account());
        let is_filled = lent == loan.most;
        match wait {
            0 => loan.lent(lent, now),
            micros => {
                let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                loan.refused(wait, now);
            }
        }
        if !is_filled && account.note() {
            self.fill_later(who, part, slot, &account);
        }
    }

    fn fill_later(&self, who: Counted, part: Part, slot: Slot, account: &Arc<Account>) {
        let has_room = self.later.push(Later {
            who,
            part,
            slot,
            account: Arc::downgrade(account),
        });
        if !has_room {
            account.unnote();
        }
    }
}

impl Request {
    pub(super) fn call(&self, scripts: &Scripts, prefix: &str) -> (Slot, Call) {
        let mut call = scripts.borrow.call(&[self.who.key(prefix, self.part)]);
        let account = self.loan.account();
        terms(&mut call, account.rate(), account.slice());
        call.arg(self.loan.least).arg(self.loan.most);
        call.arg(account.remembered().as_millis() as u64);
        (self.slot, call)
    }
}

/// At what rate, and with which burst, is lent.
pub(super) fn terms(call: &mut Call, rate: Rate, slice: u64) {
    let per = u64::try_from(rate.per.as_micros()).unwrap_or(u64::MAX);
    call.arg(rate.count).arg(per).arg(rate.burst).arg(slice);
}

impl Lender for Desk {
    fn standing(&self) -> Standing {
        let state = self.current.state();
        let Some(engine) = &state.engine else {
            return Standing::OwnLimit;
        };
        if engine.answers(self.slot) {
            return Standing::Lending;
        }
        match state.on_failure {
            OnFailure::Deny if engine.condition.missing_for() < PATIENCE => Standing::Waiting,
            OnFailure::Deny => Standing::Refusing,
            _ => Standing::OwnLimit,
        }
    }

    fn ask(&self, loan: Loan) {
        let Self {
            who, part, slot, ..
        } = *self;
        // Without room the loan is dropped, and the next message asks again.
        let _has_room = self.loans.asked.push(Request {
            who,
            part,
            slot,
            loan,
        });
    }

    fn fill_later(&self, account: &Arc<Account>) {
        self.loans
            .fill_later(self.who, self.part, self.slot, account);
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}
