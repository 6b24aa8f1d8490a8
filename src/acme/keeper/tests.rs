use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::acme::made::tests::{a_chain_and_its_key, a_chain_and_its_key_since, an_order};
use crate::acme::plan::Window;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NAMES: &[&str] = &["a.test", "b.test"];

/// What an authority is to do next; it issues certificates for ninety days otherwise.
#[derive(Default)]
struct Script {
    failures: VecDeque<Option<Duration>>,
    window: Option<(SystemTime, Duration)>,
    /// When it was asked for a certificate, and in the place of another one.
    orders: Vec<(Duration, bool)>,
    questions: usize,
}

/// An authority that does what a test says.
#[derive(Clone)]
struct Scripted {
    script: Arc<Mutex<Script>>,
    began: Instant,
    retry_after: Arc<Mutex<Option<SystemTime>>>,
    clock: Clock,
}

/// The time of tokio, which tests pause.
#[derive(Clone, Copy)]
struct Clock {
    origin: SystemTime,
    began: Instant,
}

impl Clock {
    fn now(self) -> SystemTime {
        self.origin + self.began.elapsed()
    }
}

impl Authority for Scripted {
    async fn order(&self, replaced: Option<&StoredCertificate>) -> Result<Issued, OrderError> {
        let mut script = self.script.lock().unwrap();
        script
            .orders
            .push((self.began.elapsed(), replaced.is_some()));
        if let Some(failure) = script.failures.pop_front() {
            *self.retry_after.lock().unwrap() = failure.map(|pause| self.clock.now() + pause);
            return Err(OrderError::NoChallenge("a.test".to_owned()));
        }
        let (chain, key) = a_chain_and_its_key_since(self.clock.now(), NAMES, DAY * 90);
        Ok(Issued { chain, key })
    }

    async fn renewal(
        &self,
        _certificate: &StoredCertificate,
    ) -> Result<Option<(Window, Duration)>, OrderError> {
        let mut script = self.script.lock().unwrap();
        script.questions += 1;
        let window = script.window.map(|(start, again)| {
            let end = start + HOUR * 2;
            (Window { start, end }, again)
        });
        Ok(window)
    }

    fn take_retry_after(&self) -> Option<SystemTime> {
        self.retry_after.lock().unwrap().take()
    }
}

/// A keeper that runs, in a folder.
struct Run {
    script: Arc<Mutex<Script>>,
    order: AcmeOrder,
    try_again: Arc<Notify>,
    clock: Clock,
    task: JoinHandle<Infallible>,
}

impl Run {
    fn start(folder: &Path, script: Script) -> Self {
        let order = an_order(folder, NAMES);
        let state = Arc::new(State::open(&order).unwrap());
        let found = stored(&order, &state).unwrap();
        let clock = Clock {
            origin: SystemTime::now(),
            began: Instant::now(),
        };
        let script = Arc::new(Mutex::new(script));
        let authority = Scripted {
            script: Arc::clone(&script),
            began: Instant::now(),
            retry_after: Arc::default(),
            clock,
        };
        let chances = Chances {
            now: Box::new(move || clock.now()),
            random: Box::new(|| 0.5),
        };
        let keeper = Keeper::new(order.clone(), state, authority, chances, found);
        Self {
            script,
            order,
            try_again: keeper.try_again(),
            clock,
            // The runtime of the test owns it.
            task: tokio::task::spawn_local(keeper.keep()),
        }
    }

    /// The hours of the orders until now.
    fn hours(&self) -> Vec<f64> {
        let script = self.script.lock().unwrap();
        let hours = script
            .orders
            .iter()
            .map(|(at, _)| at.as_secs_f64() / 3600.0);
        hours.map(|hours| (hours * 100.0).round() / 100.0).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn in_a_folder<F: Future<Output = ()>>(test: impl FnOnce(TempDir) -> F) {
    let folder = tempfile::tempdir().unwrap();
    tokio::task::LocalSet::new().run_until(test(folder)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_certificate_is_ordered_at_once_and_renewed_at_two_thirds() {
    in_a_folder(async |folder: TempDir| {
        let run = Run::start(folder.path(), Script::default());
        sleep(HOUR).await;
        assert_eq!(run.hours(), [0.0]);
        assert_eq!(run.order.certificate.facts().unwrap().names, NAMES);
        sleep(DAY * 59).await;
        assert_eq!(run.hours().len(), 1);
        sleep(DAY).await;
        assert_eq!(run.hours().len(), 2);
        let script = run.script.lock().unwrap();
        let replaced: Vec<_> = script
            .orders
            .iter()
            .map(|(_, replaced)| *replaced)
            .collect();
        assert_eq!(replaced, [false, true]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_process_takes_what_is_stored_and_orders_nothing() {
    in_a_folder(async |folder: TempDir| {
        let first = Run::start(folder.path(), Script::default());
        sleep(HOUR).await;
        let facts = first.order.certificate.facts();
        drop(first);
        let next = Run::start(folder.path(), Script::default());
        assert_eq!(next.order.certificate.facts(), facts);
        sleep(DAY).await;
        assert_eq!(next.hours(), [0.0; 0]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pauses_between_failures_grow() {
    in_a_folder(async |folder: TempDir| {
        let failures = VecDeque::from([None; 4]);
        let script = Script {
            failures,
            ..Script::default()
        };
        let run = Run::start(folder.path(), script);
        sleep(DAY).await;
        // 2, 6, 18 and 54 minutes.
        assert_eq!(run.hours(), [0.0, 0.03, 0.13, 0.43, 1.33]);
        assert!(run.order.certificate.facts().is_some());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_order_is_tried_at_once_where_the_authority_asked_for_no_pause() {
    in_a_folder(async |folder: TempDir| {
        let script = Script {
            failures: [None, Some(HOUR * 5)].into(),
            ..Script::default()
        };
        let run = Run::start(folder.path(), script);
        sleep(Duration::from_secs(1)).await;
        run.try_again.notify_one();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(run.hours(), [0.0, 0.0]);
        run.try_again.notify_one();
        sleep(HOUR * 4).await;
        assert_eq!(run.hours().len(), 2);
        sleep(HOUR).await;
        assert_eq!(run.hours(), [0.0, 0.0, 5.0]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_authority_says_when_to_renew() {
    in_a_folder(async |folder: TempDir| {
        let run = Run::start(folder.path(), Script::default());
        sleep(HOUR).await;
        // Nothing is suggested, and asked for again after six hours.
        let start = run.clock.origin + HOUR * 10;
        run.script.lock().unwrap().window = Some((start, HOUR));
        sleep(HOUR * 9).await;
        assert_eq!(run.hours(), [0.0]);
        // The middle of the window.
        sleep(HOUR * 3 / 2).await;
        assert_eq!(run.hours(), [0.0, 11.0]);
        let questions = run.script.lock().unwrap().questions;
        assert!((6..12).contains(&questions), "{questions}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_another_process_orders_this_one_waits_and_takes_what_that_has_got() {
    in_a_folder(async |folder: TempDir| {
        let order = an_order(folder.path(), NAMES);
        let other = State::open(&order).unwrap();
        let lock = other.lock().unwrap();
        let run = Run::start(folder.path(), Script::default());
        sleep(HOUR).await;
        assert_eq!(run.hours(), [0.0; 0]);
        let (chain, key) = a_chain_and_its_key(NAMES, DAY * 90);
        let new = NewCertificate::new(&order, &chain, &key);
        other.store_certificate(&new).unwrap();
        drop(lock);
        sleep(HOUR).await;
        assert_eq!(run.hours(), [0.0; 0]);
        assert_eq!(run.order.certificate.facts().unwrap().names, NAMES);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_other_settings_is_shown_until_the_new_one_is_there() {
    in_a_folder(async |folder: TempDir| {
        let order = an_order(folder.path(), &["old.test"]);
        let state = State::open(&order).unwrap();
        let (chain, key) = a_chain_and_its_key(&["old.test"], DAY * 90);
        state
            .store_certificate(&NewCertificate::new(&order, &chain, &key))
            .unwrap();
        let script = Script {
            failures: [None].into(),
            ..Script::default()
        };
        let run = Run::start(folder.path(), script);
        sleep(Duration::from_secs(60)).await;
        let names = || run.order.certificate.facts().unwrap().names;
        assert_eq!(
            (run.hours().len(), names()),
            (1, vec!["old.test".to_owned()])
        );
        sleep(HOUR).await;
        assert_eq!((run.hours().len(), names().len()), (2, NAMES.len()));
    })
    .await;
}
