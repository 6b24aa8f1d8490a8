//! `wsgate sessions`.

use serde_json::json;

use super::super::kit::{Upstream, finish};
use super::{Stage, answer, json_lines, words};

#[tokio::test]
async fn sessions_are_a_table_for_people() {
    let mut stage = Stage::with(1).await;
    stage.chat[0].echoes("hello").await;
    let table = stage.done("sessions").await;
    let lines: Vec<_> = table.lines().collect();
    let headings = "ID ROUTE CLIENT HTTP TLS UPSTREAM SERVER AGE IDLE MESSAGES BYTES";
    assert_eq!((lines.len(), words(lines[0])), (3, words(headings)));
    let row = words(lines[1]);
    assert_eq!(
        row[1..7],
        ["chat", "127.0.0.1", "h1", "-", "chat", stage.echo.url()]
    );
    assert!(row[7].ends_with('s') && row[8].ends_with('s'), "{row:?}");
    assert_eq!(
        row[10], "/",
        "from the client and from the upstream: {row:?}"
    );
    assert_eq!(words(lines[2])[1], "feed");
    assert_eq!(
        lines[0].find("AGE").unwrap() + 3,
        lines[1].find("s ").unwrap() + 1,
        "numbers end where their heading does:\n{table}"
    );
    assert!(!table.contains(['…', '\x1b']), "{table}");
}

#[tokio::test]
async fn sessions_are_lines_of_json_for_scripts() {
    let stage = Stage::with(2).await;
    let listed = stage.done("sessions --json").await;
    let sessions = json_lines(&listed);
    assert_eq!(sessions.len(), 4);
    for session in &sessions {
        assert_eq!(session["client"], "127.0.0.1");
        assert_eq!(session["server"], stage.echo.url());
        assert!(session["age_seconds"].is_u64(), "{session}");
    }
    let ids = stage.ids("sessions --json").await;
    assert!(ids.is_sorted(), "{ids:?}");
    for (line, expected) in [
        ("sessions --json --route chat", vec![ids[0], ids[2]]),
        ("sessions --json --upstream news", vec![ids[1], ids[3]]),
        ("sessions --json --client 127.0.0.0/8", ids.clone()),
        ("sessions --json --client 10.0.0.0/8", vec![]),
        ("sessions --json --route chat --upstream news", vec![]),
        ("sessions --json --subject alice --issuer main", vec![]),
        ("sessions --json --limit 3", ids[..3].to_vec()),
        ("sessions --json --all", ids.clone()),
    ] {
        assert_eq!(stage.ids(line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn sessions_beyond_the_limit_are_counted() {
    let stage = Stage::with(2).await;
    for (line, listed, remark) in [
        (
            "sessions --limit 3",
            3,
            "3 of 4 sessions are listed: --all lists every one\n",
        ),
        ("sessions --limit 4", 4, ""),
        ("sessions --route feed", 2, ""),
        (
            "sessions --route nowhere",
            0,
            "no session of route nowhere is open\n",
        ),
        (
            "sessions --route chat --client ::1",
            0,
            "no session of route chat, client ::1 is open\n",
        ),
    ] {
        let done = stage.run(line).await;
        assert_eq!((done.code, &*done.stderr), (Some(0), remark), "{line}");
        assert_eq!(done.stdout.lines().count(), 1 + listed, "{line}");
    }
}

#[tokio::test]
async fn more_sessions_than_a_page_holds_are_all_listed() {
    let page = |ids: std::ops::Range<u64>, next: Option<u64>| {
        let sessions: Vec<_> = ids.map(|id| json!({"id": id, "route": "chat"})).collect();
        json!({"sessions": sessions, "total": 1600, "next": next}).to_string()
    };
    for (limit, second, rest) in [
        ("--all", "limit=1000&after=1000", 600),
        ("--limit=1600", "limit=600&after=1000", 600),
        ("--limit=1001", "limit=1&after=1000", 1),
    ] {
        let admin = Upstream::start().await;
        let url = admin.url();
        let address = url.strip_prefix("ws://").unwrap();
        let arguments = [
            "sessions",
            "--json",
            "--route=ch&t",
            limit,
            "--admin",
            address,
        ];
        let answers = async {
            let line = "GET /sessions?route=ch%26t";
            let first = format!("{line}&limit=1000");
            answer(&admin, &first, "200 OK", &page(1..1001, Some(1000))).await;
            let second = format!("{line}&{second}");
            let next = (rest == 1).then_some(1001);
            answer(&admin, &second, "200 OK", &page(1001..1001 + rest, next)).await;
        };
        let (done, ()) = tokio::join!(finish(&arguments), answers);
        assert_eq!(done.code, Some(0), "{done:?}");
        let listed = json_lines(&done.stdout);
        let ids: Vec<_> = listed
            .iter()
            .map(|line| line["id"].as_u64().unwrap())
            .collect();
        assert!(ids.iter().copied().eq(1..1001 + rest), "{limit}: {ids:?}");
        assert_eq!(
            done.stderr.contains("of 1600 sessions"),
            rest == 1,
            "{done:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_value_is_reported_with_the_right_ones() {
    let stage = Stage::with(0).await;
    for (line, said) in [
        ("sessions --client nobody", "`nobody` is not a network"),
        (
            "sessions --client 10.0.0.1/8",
            "`10.0.0.0/8` for the network",
        ),
        ("sessions --limit 0", "0 is not in 1.."),
        ("sessions --limit 3 --all", "cannot be used with"),
    ] {
        let wrong = stage.run(line).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{line}");
        assert!(wrong.stderr.starts_with("error: "), "{}", wrong.stderr);
        assert!(wrong.stderr.contains(said), "{}", wrong.stderr);
    }
}
