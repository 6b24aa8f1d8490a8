use std::time::UNIX_EPOCH;

use super::*;

/// A moment of the wall clock.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Alice with a token of `main`.
fn alice(issued_at: Option<SystemTime>) -> Identity {
    let identity = Identity::new("alice")
        .with_issuer("main")
        .with_token(Some("t1"), Some("l1"));
    match issued_at {
        Some(moment) => identity.with_issued_at(moment),
        None => identity,
    }
}

fn revoked(revocation: &Revocation, identity: &Identity) -> bool {
    let (list, now) = (Revocations::default(), Instant::now());
    list.add(revocation, at(1000), now);
    list.is_revoked(identity, now)
}

#[test]
fn a_revocation_is_for_its_user_token_or_login_and_its_issuer() {
    let subject = || Revocation::of_subject("alice");
    let token = || Revocation::of_token("t1");
    for (revocation, expected) in [
        (subject(), true),
        (subject().by_issuer("main"), true),
        (subject().by_issuer("other"), false),
        (Revocation::of_subject("bob"), false),
        (Revocation::of_subject("t1"), false),
        (token(), true),
        (token().by_issuer("main"), true),
        (token().by_issuer("other"), false),
        (Revocation::of_token("alice"), false),
        (Revocation::of_login("main", "l1"), true),
        (Revocation::of_login("other", "l1"), false),
        (Revocation::of_login("main", "t1"), false),
    ] {
        let identity = alice(Some(at(900)));
        assert_eq!(revoked(&revocation, &identity), expected, "{revocation:?}");
        assert_eq!(revocation.takes(&identity), expected, "{revocation:?}");
    }
    let nobody = Identity::new("").with_issuer("main");
    assert!(!revoked(&Revocation::of_subject(""), &nobody));
    assert!(!Revocation::of_subject("").takes(&nobody));
}

#[test]
fn a_token_that_a_user_gets_later_is_good() {
    for (issued_at, expected) in [
        (Some(at(999)), true),
        (Some(at(1000)), true),
        (Some(at(1001)), false),
        (None, true),
    ] {
        let identity = alice(issued_at);
        let subject = Revocation::of_subject("alice");
        assert_eq!(revoked(&subject, &identity), expected, "{issued_at:?}");
        // A token and a login are the same ones whenever they say that they began.
        assert!(revoked(&Revocation::of_token("t1"), &identity));
        assert!(revoked(&Revocation::of_login("main", "l1"), &identity));
    }
    let earlier = Revocation::of_subject("alice").issued_until(at(500));
    assert!(revoked(&earlier, &alice(Some(at(500)))));
    assert!(!revoked(&earlier, &alice(Some(at(501)))));
    assert!(!earlier.takes(&alice(Some(at(501)))));
    assert!(revoked(&earlier, &Identity::new("alice")));
}

#[test]
fn a_revocation_takes_back_no_earlier_one() {
    let (list, now) = (Revocations::default(), Instant::now());
    let subject = Revocation::of_subject("alice");
    list.add(&subject, at(1000), now);
    list.add(&subject.clone().issued_until(at(10)), at(1001), now);
    assert!(list.is_revoked(&alice(Some(at(1000))), now));
    assert!(!list.is_revoked(&alice(Some(at(1001))), now));
    let token = Revocation::of_token("t1");
    list.add(&token, at(1000), now);
    list.add(&token.issued_until(at(10)), at(1000), now);
    assert!(list.is_revoked(&alice(Some(at(5000))), now));
    assert_eq!(list.count.load(Ordering::Relaxed), 2);
}

#[test]
fn a_revocation_is_forgotten_after_a_day() {
    let (list, now) = (Revocations::default(), Instant::now());
    list.add(&Revocation::of_token("t1"), at(1000), now);
    list.add(&Revocation::of_token("t2"), at(1000), now + KEPT / 2);
    let identity = alice(None);
    let nearly = KEPT - Duration::from_secs(1);
    assert!(list.is_revoked(&identity, now + nearly));
    assert!(!list.is_revoked(&identity, now + KEPT));
    assert_eq!(list.count.load(Ordering::Relaxed), 1);
    assert!(!list.is_revoked(&identity, now + 2 * KEPT));
    assert_eq!(list.count.load(Ordering::Relaxed), 0);
}

#[test]
fn the_oldest_revocation_goes_for_one_too_many() {
    let (list, now) = (Revocations::default(), Instant::now());
    let token = |number: usize| Revocation::of_token(format!("t{number}"));
    for number in 0..MOST {
        list.add(&token(number), at(1000), now);
    }
    // It is the newest again.
    list.add(&token(0), at(1000), now);
    list.add(&token(MOST), at(1000), now);
    let is_revoked = |number: usize| {
        let id = format!("t{number}");
        let identity = Identity::new("").with_issuer("main");
        list.is_revoked(&identity.with_token(Some(&id), None), now)
    };
    assert!(is_revoked(0) && is_revoked(2) && is_revoked(MOST));
    assert!(!is_revoked(1));
    assert_eq!(list.lock().order.len(), MOST);
}

#[test]
fn nothing_of_a_person_shows() {
    let revocation = Revocation::of_subject("canary").by_issuer("main");
    let list = Revocations::default();
    list.add(&revocation, at(0), Instant::now());
    assert!(!format!("{revocation:?} {list:?}").contains("canary"));
}
