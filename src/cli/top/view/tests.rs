//! What is drawn of figures.

use tokio::time::Instant;

use super::super::history::tests::{ending, scrape};
use super::super::scrape::{PlainTotals, Process, RouteTotals, SessionTotals, TlsTotals};
use super::*;

fn history() -> (History, InterfaceAddress) {
    let start = Instant::now();
    let mut history = History::new(scrape(start));
    let mut scrape = scrape(start + Duration::from_secs(1));
    scrape.process = Process {
        version: "0.1.0".to_owned(),
        up: Duration::from_secs(7385),
        memory: Some(16 << 20),
        descriptors: Some(40),
        most_descriptors: Some(1024),
        processor: Some(10.5),
        ..scrape.process
    };
    let chat = RouteTotals {
        open: 2,
        accepted: 12.0,
        refused: 0.0,
        messages: [12_345.0, 10.0],
        bytes: [1536.0, 0.0],
    };
    let refused = RouteTotals {
        refused: 3.0,
        ..RouteTotals::default()
    };
    scrape.routes = [("chat".to_owned(), chat), (String::new(), refused)].into();
    let app = PlainTotals {
        open: 3,
        requests: 1000.0,
        refused: 0.0,
        failed: 4.0,
        responses: 1000.0,
        waited: 12.0,
        bytes: [1536.0, 1e9],
    };
    scrape.plain = [
        ("app".to_owned(), app),
        ("quiet".to_owned(), PlainTotals::default()),
    ]
    .into();
    scrape.endings = [(ending("idle"), 9)].into();
    let session = SessionTotals {
        client: "10.0.0.1".to_owned(),
        age: Duration::ZERO,
        messages: 7,
        bytes: 2048,
    };
    scrape.sessions = [(1, session)].into();
    scrape.has_more_sessions = true;
    history.add(scrape);
    (history, InterfaceAddress::Tcp("127.0.0.1:9900".to_owned()))
}

#[test]
fn a_picture_has_the_process_and_its_tables() {
    let (history, address) = history();
    let expected = "\
wsgate 0.1.0 on 127.0.0.1:9900  up 2h03m  ready
sessions 2  handshakes 15/s, refused 3.0/s, under way 0
messages/s 12k from clients, 10 from upstreams  bytes/s 1.5KiB, 0B
memory 16MiB  descriptors 40 of 1024  processor 50%  other connections 0

ROUTE   SESSIONS  OPENED/s  REFUSED/s  MESSAGES/s      BYTES/s
chat           2        12          0    12k / 10  1.5KiB / 0B
(none)         0         0        3.0       0 / 0      0B / 0B

PLAIN HTTP  OPEN  REQUESTS/s  REFUSED/s   5xx  TO HEAD          BYTES/s
app            3        1000          0  0.4%     12ms  1.5KiB / 954MiB
quiet          0           0          0     -        -          0B / 0B

UPSTREAM  SERVER  STATE  SESSIONS  CONNECTING  FAILED

CLIENT    SESSIONS  MESSAGES/s  BYTES/s
10.0.0.1         1         7.0   2.0KiB

ENDED   ROUTE  REASON  BY      CODE  COUNT    LAST
closed  chat   idle    client  1000      9  0s ago
The clients are those of the oldest 1 sessions.
";
    assert_eq!(View::default().plain(&history, &address), expected);
}

#[test]
fn a_screen_is_filled_whatever_its_size() {
    let (history, address) = history();
    let mut view = View::default();
    for columns in [0, 1, 7, 40, 200] {
        for rows in [0, 1, 5, 6, 7, 24, 100] {
            for to in [
                Scroll::End,
                Scroll::Pages(-1),
                Scroll::Lines(1),
                Scroll::Home,
            ] {
                let lines = view.lines(&history, &address, Size { columns, rows });
                assert_eq!(lines.len(), rows.max(1));
                for line in &lines {
                    assert!(line.text.chars().count() <= columns, "{line:?}");
                }
                view.scroll(to);
            }
        }
    }
    view.problem = Some("nobody answers".to_owned());
    let size = Size {
        columns: 80,
        rows: 10,
    };
    let lines = view.lines(&history, &address, size);
    assert_eq!(lines[9].text, "no news: nobody answers");
    assert_eq!(lines[9].weight, Weight::Reverse);
}

#[test]
fn tls_has_a_line_where_there_is_any() {
    let start = Instant::now();
    let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
    let with = |when: Instant, finished: f64, expires: Option<f64>| {
        let mut scrape = scrape(when);
        scrape.tls = Some(TlsTotals {
            finished,
            resumed: finished / 4.0,
            failed: finished / 8.0,
            open: 3,
            first_to_expire: expires.map(|expires| ("a.pem".to_owned(), expires)),
        });
        scrape
    };
    assert_eq!(tls(&History::new(scrape(start)), at(0)), None);
    for (expires, now, expected) in [
        (
            Some(100_000.0),
            10_000,
            "  certificate a.pem expires in 1d01h",
        ),
        (
            Some(100_000.0),
            100_000,
            "  certificate a.pem expires in 0s",
        ),
        (
            Some(100_000.0),
            107_200,
            "  certificate a.pem expired 2h00m ago",
        ),
        (None, 0, ""),
    ] {
        let mut history = History::new(with(start, 0.0, expires));
        history.add(with(start + Duration::from_secs(1), 80.0, expires));
        let expected =
            format!("TLS handshakes 90/s, resumed 20/s, failed 10/s, under way 3{expected}");
        assert_eq!(tls(&history, at(now)), Some(expected));
    }
}
