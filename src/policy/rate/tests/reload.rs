//! A table that outlives its settings.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_route_with_the_same_rates_goes_on_and_one_with_others_begins_anew() {
    let table = table(10);
    let address = ip("192.0.2.1");
    let old = route("a", handshakes(1, 1));
    let _place = table.admit(&old, address).unwrap();

    let same_rates = PerIp {
        connections: Some(1),
        ..handshakes(1, 1)
    };
    let same = route("a", same_rates);
    assert_eq!(wait(table.admit(&same, address)), SECOND);

    let changed_rates = PerIp {
        connections: Some(2),
        ..handshakes(1, 5)
    };
    let changed = route("a", changed_rates);
    let _second = table.admit(&changed, address).unwrap();
    let refused = table.admit(&changed, address).unwrap_err();
    assert_eq!(
        refused,
        Rejection::TooManySessions,
        "the first session still counts"
    );
    assert_eq!(table.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_gone_is_forgotten_and_those_that_stay_are_not() {
    let table = table(100);
    let (stays, leaves) = (
        Arc::new(route("stays", handshakes(1, 1))),
        Arc::new(route("leaves", handshakes(1, 1))),
    );
    let client = ip("192.0.2.1");
    let early = table.admit(&leaves, client).unwrap();
    table.admit(&stays, client).unwrap();
    table.keep_routes(&[Arc::clone(&stays)]);
    assert_eq!(table.inner.rules.read().unwrap().len(), 1);
    assert!(table.admit(&stays, client).is_err());
    // It comes back, and is another; what the old one still counts comes to no harm.
    let late = table.admit(&leaves, client).unwrap();
    drop(early);
    assert!(table.admit(&leaves, client).is_err());
    drop(late);
    tokio::time::advance(SECOND * 2).await;
    table.sweep();
    assert_eq!(table.len(), 0);
}

#[test]
fn a_table_is_for_the_settings_that_count_as_it_does() {
    let settings = ClientIp::default();
    let table = RateTable::new(&settings);
    assert!(table.matches(&ClientIp {
        header: crate::config::ForwardingHeader::Forwarded,
        ..settings.clone()
    }));
    for other in [
        ClientIp {
            tracked: 7,
            ..settings.clone()
        },
        ClientIp {
            ipv6_prefix: 48,
            ..settings.clone()
        },
    ] {
        assert!(!table.matches(&other));
    }
}
