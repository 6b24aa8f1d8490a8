//! With real servers, where there are any.

use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::*;
use crate::config::{Engine as EngineSettings, EngineLayout, Secret, SharedRules};
use crate::limit::Exceeded;
use crate::shared::counts::Counts;
use crate::shared::current::State;
use crate::shared::engine_server::EngineServer;
use crate::types::NodeId;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// One of several gates.
struct Gate {
    engine: Arc<Engine>,
    limits: Limits,
    counts: Arc<Counts>,
    _keeping: AbortOnDropHandle<()>,
}

impl Gate {
    /// A gate that is connected.
    async fn new(server: &EngineServer, on_failure: OnFailure) -> Self {
        Self::known_as(server, on_failure, None).await
    }

    /// One that shows a password as this user.
    async fn known_as(
        server: &EngineServer,
        on_failure: OnFailure,
        user: Option<(&str, &str)>,
    ) -> Self {
        let rules = SharedRules {
            engine: EngineSettings {
                layout: EngineLayout::Single,
                endpoints: vec![("127.0.0.1".to_owned(), server.port)],
                database: 0,
                username: user.map(|(name, _)| name.to_owned()),
                password: user.map(|(_, password)| Secret::new(password)),
                tls: None,
            },
            limits: Default::default(),
            on_failure,
            prefix: "wsgate".into(),
        };
        let current = Arc::new(Current::new(State::default()));
        let mut limits = Limits::new(NodeId::random(), &current);
        // Whether the machine is busy is not what most of them are about.
        limits.wait = Duration::from_secs(10);
        let counts = Arc::default();
        let engine = Arc::new(Engine::new(&rules, limits.scripts(), &counts));
        current.replace(State {
            engine: Some(Arc::clone(&engine)),
            on_failure,
        });
        let mut connected = engine.condition.connected();
        let kept = Arc::clone(&engine);
        let keeping = TaskTracker::new().spawn(async move { kept.keep().await });
        connected.changed().await.unwrap();
        Self {
            engine,
            limits,
            counts,
            _keeping: AbortOnDropHandle::new(keeping),
        }
    }

    async fn admit(&self, wanted: &Wanted<'_>) -> Verdict {
        self.limits.admit(alice(), wanted).await
    }
}

fn alice() -> Counted {
    Counted::subject("chat", None, "alice")
}

fn an_hour(count: u64, burst: u64) -> Rate {
    Rate {
        count,
        per: HOUR,
        burst,
    }
}

fn sessions(most: u32) -> Wanted<'static> {
    Wanted {
        sessions: Some(most),
        ..Wanted::default()
    }
}

#[tokio::test]
async fn all_gates_together_count_handshakes_exactly() {
    for server in EngineServer::each() {
        let gates = futures_util::future::join_all(
            [(), (), ()].map(|()| Gate::new(&server, OnFailure::Local)),
        )
        .await;
        let wanted = Wanted {
            handshakes: Some(an_hour(10, 7)),
            ..Wanted::default()
        };
        let all = (0..60).map(|number| gates[number % 3].admit(&wanted));
        let verdicts = futures_util::future::join_all(all).await;
        let (mut within, mut refused) = (0, 0);
        for verdict in &verdicts {
            match verdict {
                Verdict::Within(None) => within += 1,
                Verdict::Handshakes { retry_after } => {
                    assert!(*retry_after <= HOUR / 10 && *retry_after > HOUR / 11);
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((within, refused), (7, 53));
        assert_eq!(gates[0].counts.round_trips().count, 20);
    }
}

#[tokio::test]
async fn all_gates_together_count_sessions_and_places_become_free() {
    for server in EngineServer::each() {
        let [a, b] = [(), ()].map(|()| Gate::new(&server, OnFailure::Local));
        let (a, b) = tokio::join!(a, b);
        let mut places = Vec::new();
        for gate in [&a, &b, &a] {
            let Verdict::Within(Some(place)) = gate.admit(&sessions(3)).await else {
                panic!("there is room for three");
            };
            places.push(place);
        }
        assert!(matches!(b.admit(&sessions(3)).await, Verdict::Sessions));
        drop(places.remove(0));
        a.limits.end_leases(&a.engine).await;
        assert!(matches!(b.admit(&sessions(3)).await, Verdict::Within(_)));
        b.limits.end_leases(&b.engine).await;

        // The engine has lost what it had, and gets it again.
        server.kill();
        let mut connected = a.engine.condition.connected();
        server.start_again();
        connected.changed().await.unwrap();
        for turn in Leases::turns() {
            a.limits.renew(&a.engine, turn).await;
        }
        let Verdict::Within(Some(place)) = a.admit(&sessions(2)).await else {
            panic!("there is one place of this gate");
        };
        assert!(matches!(a.admit(&sessions(2)).await, Verdict::Sessions));
        drop(place);
    }
}

#[tokio::test]
async fn the_places_of_a_gate_that_is_gone_become_free() {
    let Some(server) = EngineServer::any() else {
        return;
    };
    let gate = Gate::new(&server, OnFailure::Local).await;
    // As if it had been renewed a minute ago.
    let key = alice().key("wsgate", Part::Sessions);
    let forge = Script::new(
        "return redis.call('ZADD', KEYS[1], redis.call('TIME')[1] * 1000 + ARGV[1], ARGV[2])",
    );
    for (expires, name) in [(-1000_i64, "gone-1"), (1000, "alive-1")] {
        let mut call = forge.call(&[&key]);
        call.arg(expires).arg(name);
        let run = gate
            .engine
            .run(Operation::Lease, alice().slot(), &call, LEASE);
        run.await.unwrap();
    }
    let place = gate.admit(&sessions(2)).await;
    assert!(matches!(place, Verdict::Within(Some(_))));
    assert!(matches!(gate.admit(&sessions(2)).await, Verdict::Sessions));
}

#[tokio::test]
async fn messages_are_borrowed_and_the_first_slice_comes_with_the_handshake() {
    for server in EngineServer::each() {
        let [a, b] = [(), ()].map(|()| Gate::new(&server, OnFailure::Local));
        let (a, b) = tokio::join!(a, b);
        let rate = an_hour(32, 32);
        let limits = [&a, &b].map(|gate| {
            let lender = gate.limits.messages_lender(alice());
            Limit::shared(rate, lender)
        });
        let wanted = |limit| Wanted {
            sessions: Some(9),
            messages: Some(limit),
            ..Wanted::default()
        };
        let first = a.admit(&wanted(&limits[0])).await;
        assert!(matches!(first, Verdict::Within(_)));
        // One gate after the other takes all that it gets.
        let mut taken = Vec::new();
        for (gate, limit) in [&a, &b].into_iter().zip(&limits) {
            let mut count = 0;
            let refused = loop {
                match limit.take(1, Instant::now()) {
                    Ok(()) => count += 1,
                    Err(Exceeded::Soon(_)) => {
                        let asked = gate.limits.loans.asked().await;
                        gate.limits.settle(&gate.engine, asked).await;
                    }
                    Err(exceeded) => break exceeded,
                }
            };
            let Exceeded::For(wait) = refused else {
                panic!("{refused:?}");
            };
            assert!(wait > HOUR / 33 && wait <= HOUR / 32, "{wait:?}");
            taken.push(count);
        }
        assert_eq!(taken, [32, 0]);
    }
}

#[tokio::test]
async fn scripts_that_a_server_has_forgotten_come_along_again() {
    for server in EngineServer::each() {
        let gate = Gate::new(&server, OnFailure::Deny).await;
        let one = Script::new("return 1");
        let mut connection = gate.engine.connection_for_tests();
        let mut command = redis::cmd("SCRIPT");
        command.arg("FLUSH");
        command.exec_async(&mut connection).await.unwrap();
        assert!(matches!(gate.admit(&sessions(1)).await, Verdict::Within(_)));
        let calls: Vec<_> = (0..3)
            .map(|_| (alice().slot(), one.call(&["{x}"])))
            .collect();
        let answers = gate.engine.run_all(Operation::Lease, &calls, LEASE).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(
            gate.counts
                .failures()
                .iter()
                .map(|(_, count)| count)
                .sum::<u64>(),
            0
        );
    }
}

#[tokio::test]
async fn handshakes_wait_no_longer_than_their_budget_for_a_frozen_engine() {
    for (on_failure, server) in [OnFailure::Local, OnFailure::Deny]
        .into_iter()
        .zip(EngineServer::each())
    {
        let mut gate = Gate::new(&server, on_failure).await;
        assert!(matches!(gate.admit(&sessions(9)).await, Verdict::Within(_)));
        gate.limits.wait = WAIT;
        server.freeze();
        let mut waits = Vec::new();
        for _ in 0..10 {
            let began = Instant::now();
            let verdict = gate.admit(&sessions(9)).await;
            waits.push(began.elapsed());
            match on_failure {
                OnFailure::Local => assert!(matches!(verdict, Verdict::Alone(Some(_)))),
                _ => assert!(matches!(verdict, Verdict::Unknown)),
            }
        }
        // The first ones wait; then nothing does, until a probe has succeeded.
        let waited = waits
            .iter()
            .filter(|wait| **wait > Duration::from_millis(10))
            .count();
        assert_eq!(waited, 3, "{waits:?}");
        assert!(
            waits.iter().all(|wait| *wait < Duration::from_millis(40)),
            "{waits:?}"
        );
        assert!(!gate.engine.answers(alice().slot()));
        gate.engine.condition.becomes(false).await;
        server.thaw();
        gate.engine.condition.becomes(true).await;
        assert!(matches!(
            gate.admit(&sessions(99)).await,
            Verdict::Within(_)
        ));
        let handshakes = gate.counts.failures()[0];
        assert_eq!(handshakes, ("handshake", 10));
    }
}

#[tokio::test]
async fn the_rights_of_the_documents_are_enough() {
    let page = include_str!("../../../docs/several-machines.md");
    let line = page.lines().find(|line| line.starts_with("user wsgate "));
    let rights = line.unwrap().replace("PASSWORD", "canary");
    let rights: Vec<_> = rights.split(' ').skip(2).collect();
    for server in EngineServer::each() {
        let owner = Gate::new(&server, OnFailure::Deny).await;
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg("wsgate").arg(&rights);
        let mut connection = owner.engine.connection_for_tests();
        command.exec_async(&mut connection).await.unwrap();
        let user = Some(("wsgate", "canary"));
        let gate = Gate::known_as(&server, OnFailure::Deny, user).await;
        let rate = an_hour(32, 32);
        let messages = Limit::shared(rate, gate.limits.messages_lender(alice()));
        let wanted = Wanted {
            handshakes: Some(rate),
            sessions: Some(1),
            messages: Some(&messages),
            ..Wanted::default()
        };
        let verdict = gate.admit(&wanted).await;
        let Verdict::Within(Some(place)) = verdict else {
            panic!("{verdict:?}");
        };
        gate.limits.renew(&gate.engine, 0).await;
        drop(place);
        gate.limits.end_leases(&gate.engine).await;
        assert_eq!(messages.take(4, Instant::now()), Ok(()));
        let asked = gate.limits.loans.asked().await;
        gate.limits.settle(&gate.engine, asked).await;
        let failures = gate.counts.failures();
        assert!(
            failures.iter().all(|(_, count)| *count == 0),
            "{failures:?}"
        );
    }
}
