//! Figures of two looks.

use super::super::scrape::SessionTotals;
use super::*;

pub(in crate::cli::top) fn scrape(at: Instant) -> Scrape {
    Scrape {
        at,
        process: Process {
            started: 1_700_000_000.5,
            processor: Some(10.0),
            ..Process::default()
        },
        tls: None,
        routes: BTreeMap::new(),
        plain: BTreeMap::new(),
        endings: BTreeMap::new(),
        servers: Vec::new(),
        sessions: HashMap::new(),
        has_more_sessions: false,
    }
}

fn route(open: u64, accepted: f64, messages: [f64; 2], bytes: [f64; 2]) -> RouteTotals {
    RouteTotals {
        open,
        accepted,
        refused: accepted / 2.0,
        messages,
        bytes,
    }
}

fn session(client: &str, age: u64, messages: u64, bytes: u64) -> SessionTotals {
    SessionTotals {
        client: client.to_owned(),
        age: Duration::from_secs(age),
        messages,
        bytes,
    }
}

pub(in crate::cli::top) fn ending(reason: &str) -> Ending {
    Ending {
        what: "closed",
        route: "chat".to_owned(),
        reason: reason.to_owned(),
        closed_by: "client".to_owned(),
        code: "1000".to_owned(),
    }
}

#[test]
fn rates_are_of_the_time_between_two_looks() {
    let start = Instant::now();
    let mut first = scrape(start);
    let chat = route(2, 10.0, [100.0, 50.0], [1000.0, 500.0]);
    first.routes.insert("chat".to_owned(), chat);
    let mut history = History::new(first);
    assert_eq!(history.total().sessions, 2);
    assert_eq!(
        history.total().messages,
        [0.0, 0.0],
        "one scrape has no rates"
    );
    assert_eq!(history.processor(), None);

    let mut second = scrape(start + Duration::from_secs(2));
    second.process.processor = Some(11.0);
    let chat = route(3, 14.0, [120.0, 50.0], [1400.0, 500.0]);
    second.routes.insert("chat".to_owned(), chat);
    // Added by a reload meanwhile.
    let feed = route(1, 2.0, [8.0, 0.0], [4.0, 2.0]);
    second.routes.insert("feed".to_owned(), feed);
    second
        .routes
        .insert(String::new(), route(0, 0.0, [0.0; 2], [0.0; 2]));
    history.add(second);
    let routes = history.routes(Sort::Bytes);
    let names: Vec<_> = routes.iter().map(|route| &*route.name).collect();
    assert_eq!(names, ["chat", "feed", ""]);
    let chat = Traffic {
        name: "chat".to_owned(),
        sessions: 3,
        opened: 2.0,
        refused: 1.0,
        messages: [10.0, 0.0],
        bytes: [200.0, 0.0],
    };
    assert_eq!(routes[0], chat);
    let total = history.total();
    assert_eq!((total.sessions, total.opened), (4, 3.0));
    assert_eq!((total.messages, total.bytes), ([14.0, 0.0], [202.0, 1.0]));
    assert_eq!(history.processor(), Some(0.5));
}

#[test]
fn plain_requests_have_their_rates_their_failures_and_the_time_to_their_heads() {
    let start = Instant::now();
    let totals = |requests: f64, failed: f64, waited: f64| PlainTotals {
        open: 3,
        requests,
        refused: requests / 4.0,
        failed,
        responses: requests / 2.0,
        waited,
        bytes: [requests, 10.0 * requests],
    };
    let mut first = scrape(start);
    first
        .plain
        .insert("app".to_owned(), totals(100.0, 50.0, 90.0));
    let mut history = History::new(first);
    let app = &history.plain(Sort::Bytes)[0];
    assert_eq!((app.open, app.requests, app.failed), (3, 0.0, None));

    let mut second = scrape(start + Duration::from_secs(2));
    second
        .plain
        .insert("app".to_owned(), totals(140.0, 60.0, 100.0));
    // This route gets no request.
    second
        .plain
        .insert("quiet".to_owned(), totals(0.0, 0.0, 0.0));
    second.plain.insert(String::new(), totals(4.0, 0.0, 0.0));
    history.add(second);
    for sort in [Sort::Bytes, Sort::Messages, Sort::Sessions, Sort::Name] {
        let routes = history.plain(sort);
        let names: Vec<_> = routes.iter().map(|route| &*route.name).collect();
        assert_eq!(names, ["app", "quiet", ""], "{sort:?}");
    }
    let routes = history.plain(Sort::Bytes);
    let app = PlainTraffic {
        name: "app".to_owned(),
        open: 3,
        requests: 20.0,
        refused: 5.0,
        failed: Some(0.25),
        head: Some(Duration::from_millis(500)),
        bytes: [20.0, 200.0],
    };
    assert_eq!(routes[0], app);
    assert_eq!((routes[1].failed, routes[1].head), (None, None));
}

#[test]
fn clients_are_as_busy_as_their_sessions_together() {
    let start = Instant::now();
    let mut first = scrape(start);
    first.sessions.insert(1, session("10.0.0.1", 60, 10, 1000));
    first.sessions.insert(2, session("10.0.0.2", 60, 10, 1000));
    let mut second = scrape(start + Duration::from_secs(1));
    second.sessions.insert(1, session("10.0.0.1", 61, 12, 1100));
    second.sessions.insert(2, session("10.0.0.2", 61, 11, 1500));
    // New in this second.
    second.sessions.insert(3, session("10.0.0.1", 0, 5, 50));
    // Old, and looked at for the first time.
    second
        .sessions
        .insert(4, session("10.0.0.3", 900, 5_000, 50_000));
    let mut history = History::new(first);
    history.add(second);
    for (sort, expected) in [
        (Sort::Bytes, ["10.0.0.2", "10.0.0.1", "10.0.0.3"]),
        (Sort::Messages, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        (Sort::Sessions, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        (Sort::Name, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    ] {
        let clients = history.clients(sort);
        let names: Vec<_> = clients.iter().map(|client| &*client.name).collect();
        assert_eq!(names, expected, "{sort:?}");
    }
    let first = &history.clients(Sort::Name)[0];
    assert_eq!(
        (first.sessions, first.messages[0], first.bytes[0]),
        (2, 7.0, 150.0)
    );
    assert_eq!(history.clients(Sort::Name)[2].bytes[0], 0.0);
}

#[test]
fn the_latest_ending_is_the_first_and_what_nobody_saw_the_last() {
    let start = Instant::now();
    let mut history = History::new({
        let mut scrape = scrape(start);
        scrape.endings = [(ending("closed"), 7), (ending("idle"), 9)].into();
        scrape
    });
    assert_eq!(history.endings()[0].count, 9);
    for (seconds, endings) in [
        (1, vec![("closed", 8), ("idle", 9), ("drain", 1)]),
        (2, vec![("closed", 8), ("idle", 9), ("drain", 3)]),
    ] {
        let mut scrape = scrape(start + Duration::from_secs(seconds));
        let endings = endings.into_iter();
        scrape.endings = endings
            .map(|(reason, count)| (ending(reason), count))
            .collect();
        history.add(scrape);
    }
    let endings = history.endings();
    let seen: Vec<_> = endings
        .iter()
        .map(|ended| (&*ended.ending.reason, ended.count, ended.ago))
        .collect();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let expected = [
        ("drain", 3, seconds(0)),
        ("closed", 8, seconds(1)),
        ("idle", 9, None),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn another_process_counts_from_nothing() {
    let start = Instant::now();
    let mut first = scrape(start);
    let chat = route(2, 10.0, [100.0, 50.0], [1000.0, 500.0]);
    first.routes.insert("chat".to_owned(), chat);
    first.endings = [(ending("closed"), 7)].into();
    let mut history = History::new(first);
    let mut second = scrape(start + Duration::from_secs(1));
    second.process.started += 1.0;
    second
        .routes
        .insert("chat".to_owned(), route(1, 1.0, [1.0; 2], [1.0; 2]));
    second.endings = [(ending("closed"), 8)].into();
    history.add(second);
    assert_eq!(history.total().opened, 0.0);
    assert_eq!(history.endings()[0].ago, None);
}

#[test]
fn failed_tls_handshakes_are_some_of_all() {
    let start = Instant::now();
    let with = |at: Instant, finished: f64, resumed: f64, failed: f64| Scrape {
        tls: Some(TlsTotals {
            finished,
            resumed,
            failed,
            ..TlsTotals::default()
        }),
        ..scrape(at)
    };
    let mut history = History::new(with(start, 10.0, 5.0, 1.0));
    assert_eq!(history.tls(), TlsTraffic::default());
    history.add(with(start + Duration::from_secs(2), 30.0, 9.0, 3.0));
    let expected = TlsTraffic {
        handshakes: 11.0,
        resumed: 2.0,
        failed: 1.0,
    };
    assert_eq!(history.tls(), expected);
}
