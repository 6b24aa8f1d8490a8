//! A limit that several gates share: each borrows units in slices, in the background, and takes from what it has.
//!
//! ```text
//! message ─► balance (one atomic word) ─► enough: passes
//!                └─► too little: a loan is on its way, wait ─► lent: passes
//!                                                          └─► refused: exceeded
//! ```
//!
//! An engine lends at the rate of the settings, and with their burst less one slice, as long as any gate may have
//! something left. So all gates together exceed the settings by one slice for each gate but one, at most.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::Moment;
use super::exceeded::Exceeded;
use crate::config::Rate;

/// Where units are borrowed.
pub(crate) trait Lender: fmt::Debug + Send + Sync {
    /// Whether anything is lent at the moment, and what counts if not.
    fn standing(&self) -> Standing;

    /// Asks for a loan, which is settled in the background. A loan that is dropped was not asked for.
    fn ask(&self, loan: Loan);

    /// Has an account filled up in a while, and again until it is full.
    fn fill_later(&self, account: &Arc<Account>);
}

/// What counts for units that a gate does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They are lent.
    Lending,
    /// Nothing is lent: each gate keeps to the limit for itself.
    OwnLimit,
    /// Nothing is lent at the moment: what needs them waits.
    Waiting,
    /// Nothing is lent: what needs them is refused.
    Refusing,
}

/// What a gate has of one limit.
#[derive(Debug)]
pub(crate) struct Account {
    rate: Rate,
    /// So much is borrowed at once; a gate never has more, unless one message needs more. None of a limit that is too
    /// small to be cut: each unit is then borrowed when it is needed.
    slice: u64,
    nanos_per_unit: f64,
    balance: AtomicU64,
    /// A loan is on its way.
    is_asked: AtomicBool,
    /// It is to be filled up in a while.
    is_noted: AtomicBool,
    /// When the last loan came, in nanoseconds.
    lent_at: AtomicU64,
    /// When the engine had, or will have, nothing to lend, as it said when it refused; in nanoseconds.
    empty_at: AtomicU64,
}

/// One loan on its way. There is one of an account at a time; it may be asked for again when this one is settled, or
/// dropped.
#[derive(Debug)]
pub(crate) struct Loan {
    account: Arc<Account>,
    /// Less is no use; with 0 there is nothing that waits for it.
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// A limit's account, and who lends.
#[derive(Debug)]
pub(super) struct Borrowed {
    account: Arc<Account>,
    lender: Arc<dyn Lender>,
}

/// A burst has so many slices.
const SLICES: u64 = 8;

/// How soon a message looks again for the loan that it waits for. Loans take about as long.
const LOAN_WAIT: Duration = Duration::from_millis(2);

/// How soon it looks again where nothing is lent at the moment.
const ENGINE_WAIT: Duration = Duration::from_millis(50);

/// How often what is refused looks again where nothing is lent.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// The shortest time between two requests to the engine for units over the limit; half a slice may be lent earlier.
const BETWEEN_REFUSALS: Duration = Duration::from_millis(100);

/// What is left of a loan is valid for so long after the time in which the limit fills up.
const VALID: Duration = Duration::from_secs(60);

/// The engine remembers loans for a little longer than they are valid, so that clocks need not be the same.
const MARGIN: Duration = Duration::from_secs(5);

impl Borrowed {
    pub(super) fn new(rate: Rate, lender: Arc<dyn Lender>) -> Self {
        let account = Arc::new(Account::new(rate));
        Self { account, lender }
    }

    /// The most units that should be taken at once.
    pub(super) fn portion(&self) -> u64 {
        self.account.slice.max(1)
    }

    /// Takes units; `own` takes them out of the gate's own limit where nothing is lent.
    #[inline(never)]
    pub(super) fn take(
        &self,
        units: u64,
        now: Moment,
        own: impl FnOnce() -> Result<(), Exceeded>,
    ) -> Result<(), Exceeded> {
        let account = &self.account;
        let Err(balance) = account.pay(units, now) else {
            self.fill();
            return Ok(());
        };
        if units > account.rate.burst {
            return Err(Exceeded::Ever);
        }
        match self.lender.standing() {
            Standing::Lending => {}
            Standing::OwnLimit => return own(),
            Standing::Waiting => return Err(Exceeded::Soon(ENGINE_WAIT)),
            Standing::Refusing => return Err(Exceeded::For(REFUSED_WAIT)),
        }
        let missing = units - balance;
        if let Some(mut loan) = Account::begin(account) {
            if let Some(wait) = account.wait_for(account.worth(missing), now) {
                drop(loan);
                self.note();
                return Err(Exceeded::For(wait));
            }
            loan.least = missing;
            loan.most = account.slice.max(units) - balance;
            self.lender.ask(loan);
        }
        Err(Exceeded::Soon(LOAN_WAIT))
    }

    /// Whether a new account would be the same.
    pub(super) fn is_full(&self, now: Moment) -> bool {
        let account = &self.account;
        let since = now.since(account.lent_at.load(Ordering::Relaxed));
        !account.is_asked.load(Ordering::Relaxed) && since >= account.fills_in()
    }

    /// The loan that comes with a handshake; `None` if one is on its way, or not needed.
    pub(super) fn first_loan(&self, now: Moment) -> Option<Loan> {
        self.account.forget_old(now);
        Account::loan(&self.account)
    }

    /// Asks for the next slice in time, so that messages seldom wait.
    fn fill(&self) {
        let account = &self.account;
        let balance = account.balance.load(Ordering::Relaxed);
        if balance >= account.slice {
            return;
        }
        if balance < account.slice.div_ceil(2) {
            if self.lender.standing() == Standing::Lending
                && let Some(loan) = Account::loan(account)
            {
                self.lender.ask(loan);
            }
        } else {
            self.note();
        }
    }

    /// Has the account filled up in a while, so that the whole burst is there after a quiet time.
    fn note(&self) {
        if self.account.note() {
            self.lender.fill_later(&self.account);
        }
    }
}

impl Account {
    fn new(rate: Rate) -> Self {
        let slice = match rate.burst {
            0 | 1 => 0,
            burst => burst.div_ceil(SLICES),
        };
        Self {
            rate,
            slice,
            nanos_per_unit: rate.per.as_nanos() as f64 / rate.count.max(1) as f64,
            balance: AtomicU64::new(0),
            is_asked: AtomicBool::new(false),
            is_noted: AtomicBool::new(false),
            lent_at: AtomicU64::new(0),
            empty_at: AtomicU64::new(0),
        }
    }

    /// At what rate the engine is to lend, and with which burst.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    pub(crate) fn slice(&self) -> u64 {
        self.slice
    }

    /// For how long the engine is to remember a loan.
    pub(crate) fn remembered(&self) -> Duration {
        self.fills_in() + VALID + MARGIN
    }

    /// The loan that fills the account up; `None` if one is on its way, or it is full.
    pub(crate) fn loan(account: &Arc<Self>) -> Option<Loan> {
        let mut loan = Self::begin(account)?;
        loan.most = (account.slice).saturating_sub(account.balance.load(Ordering::Relaxed));
        (loan.most > 0).then_some(loan)
    }

    /// Whether the account is not yet among those that are filled later. It is then.
    pub(crate) fn note(&self) -> bool {
        !self.is_noted.swap(true, Ordering::Relaxed)
    }

    /// It is not among them after all.
    pub(crate) fn unnote(&self) {
        self.is_noted.store(false, Ordering::Relaxed);
    }

    /// As [`Account::loan`], for one that was to be filled later.
    pub(crate) fn noted_loan(account: &Arc<Self>) -> Option<Loan> {
        account.is_noted.store(false, Ordering::Relaxed);
        Self::loan(account)
    }

    fn begin(account: &Arc<Self>) -> Option<Loan> {
        let is_asked = account.is_asked.swap(true, Ordering::Acquire);
        (!is_asked).then(|| Loan {
            account: Arc::clone(account),
            least: 0,
            most: 0,
        })
    }

    /// How long the engine's bucket takes to fill.
    fn fills_in(&self) -> Duration {
        let nanos = self.nanos_per_unit * self.rate.burst as f64;
        Duration::from_nanos(nanos as u64)
    }

    /// What is left of an old loan is not valid: the engine may have forgotten it.
    fn forget_old(&self, now: Moment) {
        let since = now.since(self.lent_at.load(Ordering::Relaxed));
        if since > self.fills_in() + VALID {
            self.balance.store(0, Ordering::Relaxed);
        }
    }

    /// Takes units out of the balance, or says what it is.
    fn pay(&self, units: u64, now: Moment) -> Result<(), u64> {
        self.forget_old(now);
        let (order, less) = (Ordering::Relaxed, |balance: u64| balance.checked_sub(units));
        self.balance.fetch_update(order, order, less).map(|_| ())
    }

    /// The units that make the next request to the engine worth its cost: over the limit, each unit would be a request.
    fn worth(&self, missing: u64) -> u64 {
        let in_between = (BETWEEN_REFUSALS.as_nanos() as f64 / self.nanos_per_unit) as u64;
        missing.max(self.slice.div_ceil(2).min(in_between))
    }

    /// When the engine will lend so much, if it has said that it does not yet.
    fn wait_for(&self, units: u64, now: Moment) -> Option<Duration> {
        let filled = (units as f64 * self.nanos_per_unit) as u64;
        let lends_at = (self.empty_at.load(Ordering::Relaxed)).saturating_add(filled);
        now.until(lends_at).map(|wait| wait.max(LOAN_WAIT))
    }
}

impl Loan {
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The engine lends so much.
    pub(crate) fn lent(self, units: u64, now: Instant) {
        if units > 0 {
            let now = Moment::of(now).nanos();
            self.account.lent_at.store(now, Ordering::Relaxed);
            self.account.balance.fetch_add(units, Ordering::Relaxed);
        }
    }

    /// The engine lends nothing: it will have the least that is of use after this time.
    pub(crate) fn refused(self, wait: Duration, now: Instant) {
        let filled = (self.least as f64 * self.account.nanos_per_unit) as u64;
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let lends_at = Moment::of(now).nanos().saturating_add(wait);
        let empty_at = lends_at.saturating_sub(filled);
        self.account.empty_at.store(empty_at, Ordering::Relaxed);
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.account.is_asked.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
