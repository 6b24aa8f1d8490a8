//! Subjects, which are counted as addresses are.

use super::*;
use crate::config::PerSubject;

fn counting(per_subject: PerSubject) -> Route {
    let mut route = Route::for_tests("a", "/*");
    route.limits.per_subject = per_subject;
    route
}

fn subjects(tracked: usize) -> RateTable {
    RateTable::of_subjects(&ClientIp {
        tracked,
        ..ClientIp::default()
    })
}

fn by(issuer: &'static str, subject: &str) -> Identity {
    Identity::new(subject).with_issuer(issuer)
}

const ONE_SESSION: PerSubject = PerSubject {
    connections: Some(1),
    handshakes: None,
    messages: None,
    bytes: None,
};

#[test]
fn a_subject_of_another_issuer_is_somebody_else() {
    let (table, route) = (subjects(10), counting(ONE_SESSION));
    let admit = |identity: &Identity| table.admit_subject(&route, identity);
    let _alice = admit(&by("main", "alice")).unwrap().unwrap();
    let refused = admit(&by("main", "alice")).unwrap_err();
    assert_eq!(refused, Rejection::SubjectSessions);
    let _bob = admit(&by("main", "bob")).unwrap().unwrap();
    let _other = admit(&by("other", "alice")).unwrap().unwrap();
    let _no_token = admit(&Identity::new("alice")).unwrap().unwrap();
    assert_eq!(table.len(), 4);
}

#[test]
fn who_has_no_subject_is_not_counted_and_neither_is_a_route_without_limits() {
    let table = subjects(10);
    let nobody = by("main", "");
    let admitted = table.admit_subject(&counting(ONE_SESSION), &nobody);
    assert!(admitted.unwrap().is_none());
    let unlimited = counting(PerSubject::default());
    let admitted = table.admit_subject(&unlimited, &by("main", "alice"));
    assert!(admitted.unwrap().is_none());
    assert_eq!(table.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn handshakes_of_a_subject_have_their_rate_and_idle_subjects_are_forgotten() {
    let per_subject = PerSubject {
        handshakes: rate(1, 1),
        ..PerSubject::default()
    };
    let (table, route) = (subjects(10), counting(per_subject));
    let alice = by("main", "alice");
    assert!(table.admit_subject(&route, &alice).is_ok());
    let retry_after = SECOND;
    let refused = table.admit_subject(&route, &alice).unwrap_err();
    assert_eq!(refused, Rejection::SubjectHandshakes { retry_after });
    table.sweep();
    assert_eq!(table.len(), 1);
    tokio::time::advance(SECOND).await;
    table.sweep();
    assert_eq!(table.len(), 0);
    assert!(table.admit_subject(&route, &alice).is_ok());
}

#[test]
fn subjects_that_find_the_table_full_share_one_limit() {
    let (table, route) = (subjects(1), counting(ONE_SESSION));
    let admit = |subject: &str| table.admit_subject(&route, &by("main", subject));
    let _first = admit("alice").unwrap();
    let _second = admit("bob").unwrap();
    assert_eq!(admit("carol").unwrap_err(), Rejection::SubjectSessions);
    assert_eq!((table.len(), table.overflowed()), (1, 2));
}

#[test]
fn an_entry_has_no_name_and_is_no_bigger_than_that_of_an_address() {
    let (table, route) = (subjects(1), counting(ONE_SESSION));
    let admission = table.admit_subject(&route, &by("main", "c4nary")).unwrap();
    assert!(!format!("{table:?} {admission:?}").contains("c4nary"));
    assert_eq!(size_of::<RateKey>(), 32);
}
