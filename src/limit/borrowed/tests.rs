//! The time is an argument, and the engine a bucket beside the test.

use std::sync::{Mutex, PoisonError};

use super::*;
use crate::limit::Limit;

const SECOND: Duration = Duration::from_secs(1);

fn rate(count: u64, burst: u64) -> Rate {
    Rate {
        count,
        per: SECOND,
        burst,
    }
}

#[derive(Debug)]
struct Desk {
    standing: Mutex<Standing>,
    asked: Mutex<Vec<Loan>>,
    noted: Mutex<Vec<Arc<Account>>>,
}

impl Lender for Desk {
    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, loan: Loan) {
        self.asked.lock().unwrap().push(loan);
    }

    fn fill_later(&self, account: &Arc<Account>) {
        self.noted.lock().unwrap().push(Arc::clone(account));
    }
}

impl Desk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            standing: Mutex::new(Standing::Lending),
            asked: Mutex::default(),
            noted: Mutex::default(),
        })
    }

    fn stand(&self, standing: Standing) {
        *self.standing.lock().unwrap() = standing;
    }

    /// What was asked for: the least and the most.
    fn asked(&self) -> Option<(u64, u64)> {
        let asked = self.asked.lock().unwrap();
        assert!(asked.len() < 2, "there is one loan at a time");
        asked.last().map(|loan| (loan.least, loan.most))
    }

    fn loan(&self) -> Loan {
        self.asked.lock().unwrap().pop().unwrap()
    }
}

fn limit(desk: &Arc<Desk>, rate: Rate) -> Limit {
    Limit::shared(rate, Arc::<Desk>::clone(desk))
}

#[test]
fn a_message_waits_for_its_loan_and_is_then_paid() {
    let (desk, now) = (Desk::new(), Instant::now());
    let limit = limit(&desk, rate(80, 80));
    let soon = Err(Exceeded::Soon(LOAN_WAIT));
    assert_eq!(limit.take(1, now), soon);
    assert_eq!(desk.asked(), Some((1, 10)));
    assert_eq!(limit.take(1, now), soon);
    desk.loan().lent(10, now);
    for _ in 0..5 {
        assert_eq!(limit.take(1, now), Ok(()));
    }
    assert_eq!(desk.asked(), None);
    // The next slice is asked for before this one is used up.
    assert_eq!(limit.take(1, now), Ok(()));
    assert_eq!(desk.asked(), Some((0, 6)));
    for _ in 0..4 {
        assert_eq!(limit.take(1, now), Ok(()));
    }
    assert_eq!(limit.take(1, now), soon);
    // A loan that is dropped may be asked for again.
    drop(desk.loan());
    assert_eq!(limit.take(1, now), soon);
    assert_eq!(desk.asked(), Some((1, 10)));
}

#[test]
fn only_the_engine_refuses_and_its_answer_is_remembered() {
    let (desk, now) = (Desk::new(), Instant::now());
    let limit = limit(&desk, rate(10, 80));
    assert!(matches!(limit.take(1, now), Err(Exceeded::Soon(_))));
    desk.loan().refused(SECOND / 20, now);
    assert_eq!(limit.take(1, now), Err(Exceeded::For(SECOND / 20)));
    // Two units take a tenth of a second more.
    let two = limit.take(2, now).unwrap_err();
    assert_eq!(two, Exceeded::For(SECOND / 20 + SECOND / 10));
    assert_eq!(desk.asked(), None);
    let later = now + SECOND / 20;
    assert!(matches!(limit.take(1, later), Err(Exceeded::Soon(_))));
    assert_eq!(desk.asked(), Some((1, 10)));
    assert_eq!(limit.take(81, later), Err(Exceeded::Ever));
}

#[test]
fn what_is_over_a_fast_limit_does_not_ask_for_each_unit() {
    let (desk, now) = (Desk::new(), Instant::now());
    // In a tenth of a second, there are ten units of a slice of a hundred, and half of a slice of ten.
    for (burst, units) in [(800, 10), (80, 5)] {
        let limit = limit(&desk, rate(100, burst));
        assert!(matches!(limit.take(1, now), Err(Exceeded::Soon(_))));
        desk.loan().refused(SECOND / 100, now);
        let wait = SECOND * units / 100;
        assert_eq!(limit.take(1, now), Err(Exceeded::For(wait)));
        assert_eq!(desk.asked(), None);
        assert!(matches!(limit.take(1, now + wait), Err(Exceeded::Soon(_))));
        drop(desk.loan());
    }
}

#[test]
fn a_big_message_asks_for_all_that_it_needs() {
    let (desk, now) = (Desk::new(), Instant::now());
    let limit = limit(&desk, rate(800, 800));
    limit.first_loan(now).unwrap().lent(100, now);
    assert!(limit.first_loan(now).is_none());
    assert!(matches!(limit.take(700, now), Err(Exceeded::Soon(_))));
    assert_eq!(desk.asked(), Some((600, 600)));
    desk.loan().lent(600, now);
    assert_eq!(limit.take(700, now), Ok(()));
    assert_eq!(limit.portion(), 100);
}

#[test]
fn a_limit_of_one_is_borrowed_when_it_is_needed() {
    let (desk, now) = (Desk::new(), Instant::now());
    let limit = limit(&desk, rate(1, 1));
    assert!(limit.first_loan(now).is_none());
    assert!(matches!(limit.take(1, now), Err(Exceeded::Soon(_))));
    assert_eq!(desk.asked(), Some((1, 1)));
    desk.loan().lent(1, now);
    assert_eq!(limit.take(1, now), Ok(()));
    assert_eq!(desk.asked(), None);
}

#[test]
fn without_an_engine_the_settings_say_what_counts() {
    let (desk, now) = (Desk::new(), Instant::now());
    let limit = limit(&desk, rate(1, 16));
    limit.first_loan(now).unwrap().lent(2, now);
    desk.stand(Standing::OwnLimit);
    // What is left, and then the burst of the gate's own.
    for _ in 0..18 {
        assert_eq!(limit.take(1, now), Ok(()));
    }
    assert!(matches!(limit.take(1, now), Err(Exceeded::For(_))));
    desk.stand(Standing::Waiting);
    assert_eq!(limit.take(1, now), Err(Exceeded::Soon(ENGINE_WAIT)));
    desk.stand(Standing::Refusing);
    assert_eq!(limit.take(1, now), Err(Exceeded::For(REFUSED_WAIT)));
    assert_eq!(desk.asked(), None);
}

#[test]
fn what_is_left_is_filled_up_and_is_not_valid_for_ever() {
    let (desk, now) = (Desk::new(), Instant::now());
    let limit = limit(&desk, rate(80, 80));
    assert!(limit.is_full(now));
    limit.first_loan(now).unwrap().lent(10, now);
    assert!(!limit.is_full(now));
    for _ in 0..2 {
        assert_eq!(limit.take(1, now), Ok(()));
    }
    let noted: Vec<_> = std::mem::take(&mut *desk.noted.lock().unwrap());
    assert_eq!(noted.len(), 1);
    let loan = Account::noted_loan(&noted[0]).unwrap();
    assert_eq!((loan.least, loan.most), (0, 2));
    assert!(!limit.is_full(now + SECOND));
    loan.lent(2, now);
    assert!(limit.is_full(now + SECOND));
    let last = now + SECOND + VALID;
    assert_eq!(limit.take(1, last), Ok(()));
    let late = last + Duration::from_millis(1);
    assert!(matches!(limit.take(1, late), Err(Exceeded::Soon(_))));
    assert!(noted[0].remembered() > SECOND + VALID);
}

/// As the engine's script counts it.
struct Engine {
    tokens: Option<f64>,
    at: Instant,
}

impl Engine {
    fn lend(&mut self, loan: Loan, now: Instant) {
        let rate = loan.account().rate();
        let most = (rate.burst - loan.account().slice()).max(1) as f64;
        let tokens = match self.tokens {
            Some(tokens) => {
                let new = (now - self.at).as_secs_f64() * rate.count as f64;
                (tokens + new).min(most)
            }
            None => rate.burst as f64,
        };
        let lent = (tokens as u64).min(loan.most);
        if lent < loan.least {
            let wait = (loan.least as f64 - tokens) / rate.count as f64;
            return loan.refused(Duration::from_secs_f64(wait), now);
        }
        (self.tokens, self.at) = (Some(tokens - lent as f64), now);
        loan.lent(lent, now);
    }
}

#[test]
fn all_gates_together_exceed_the_limit_by_a_slice_for_each_but_one() {
    let began = Instant::now();
    let rate = rate(100, 64);
    let desks = [Desk::new(), Desk::new(), Desk::new()];
    let gates: Vec<_> = desks.iter().map(|desk| limit(desk, rate)).collect();
    let mut engine = Engine {
        tokens: None,
        at: began,
    };
    // Each gate gets a slice at its first handshake; all is quiet, and full, when the flood begins.
    for gate in &gates {
        engine.lend(gate.first_loan(began).unwrap(), began);
    }
    let flood = began + 5 * SECOND;
    let (mut taken, mut refused) = (0, 0);
    for millis in 0..=3000 {
        let now = flood + Duration::from_millis(millis);
        for (gate, desk) in gates.iter().zip(&desks) {
            match gate.take(1, now) {
                Ok(()) => taken += 1,
                Err(Exceeded::For(_)) => refused += 1,
                Err(_) => {}
            }
            if desk.asked().is_some() {
                engine.lend(desk.loan(), now);
            }
        }
    }
    let (exact, slice) = (64 + 300, 8);
    assert!(
        (exact..=exact + 2 * slice).contains(&taken),
        "{taken} of {exact}"
    );
    assert!(refused > 1000, "{refused}");
}

#[test]
fn one_gate_alone_has_the_limit_of_the_settings() {
    let began = Instant::now();
    let desk = Desk::new();
    let gate = limit(&desk, rate(10, 64));
    let mut engine = Engine {
        tokens: None,
        at: began,
    };
    engine.lend(gate.first_loan(began).unwrap(), began);
    let burst = |engine: &mut Engine, now: Instant| {
        let mut taken = 0;
        for _ in 0..1000 {
            taken += u32::from(gate.take(1, now).is_ok());
            if desk.asked().is_some() {
                engine.lend(desk.loan(), now);
            }
        }
        taken
    };
    assert_eq!(burst(&mut engine, began), 64);
    assert_eq!(burst(&mut engine, began + SECOND), 10);
    // What was refused is filled up when it is quiet again.
    let filled = began + 59 * SECOND;
    let noted = desk.noted.lock().unwrap().pop().unwrap();
    engine.lend(Account::noted_loan(&noted).unwrap(), filled);
    assert_eq!(burst(&mut engine, began + 60 * SECOND), 64);
}
