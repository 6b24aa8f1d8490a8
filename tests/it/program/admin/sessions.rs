//! The list of sessions, and closing them one by one or by what they have in common.

use serde_json::{Value, json};

use super::super::kit::{Echo, Program, Socket, settings};
use super::{ADMIN, ask};

/// Two routes to two pools, and who stands on which.
struct Stage {
    program: Program,
    admin: String,
    chat: Vec<Socket>,
    feed: Vec<Socket>,
    _echo: Echo,
}

impl Stage {
    /// So many sessions on each of the routes, by turns.
    async fn with(each: usize) -> Self {
        let echo = Echo::start().await;
        let more = format!(
            "[[route]]\nname = \"feed\"\npath = \"/feed/*\"\nupstream = \"news\"\n\
             [upstream.news]\nservers = [\"{}\"]\n{ADMIN}",
            echo.url()
        );
        let program = Program::run(&settings(echo.url(), &more)).await;
        let (mut chat, mut feed) = (Vec::new(), Vec::new());
        for _ in 0..each {
            chat.push(Socket::open(&program.address, "/ws/").await);
            feed.push(Socket::open(&program.address, "/feed/").await);
        }
        Self {
            admin: program.admin().await,
            program,
            chat,
            feed,
            _echo: echo,
        }
    }

    async fn get(&self, target: &str) -> Value {
        let answer = ask(&self.admin, &format!("GET {target}"), "").await;
        assert_eq!(answer.status(), 200, "{target}: {}", answer.text());
        answer.json()
    }
}

fn ids(listed: &Value) -> Vec<u64> {
    let sessions = listed["sessions"].as_array().unwrap();
    let ids = sessions.iter().map(|session| session["id"].as_u64());
    ids.map(Option::unwrap).collect()
}

#[tokio::test]
async fn the_list_is_read_page_by_page() {
    let stage = Stage::with(3).await;
    let all = stage.get("/sessions").await;
    let all_ids = ids(&all);
    assert_eq!(
        (all_ids.len(), &all["total"], &all["next"]),
        (6, &json!(6), &Value::Null)
    );
    assert!(all_ids.is_sorted());
    let (mut after, mut pages, mut seen) = (json!(0), Vec::new(), Vec::new());
    while !after.is_null() {
        let page = stage.get(&format!("/sessions?limit=4&after={after}")).await;
        assert_eq!(page["total"], 6);
        seen.extend(ids(&page));
        pages.push(ids(&page).len());
        after = page["next"].clone();
    }
    assert_eq!((pages, seen), (vec![4, 2], all_ids.clone()));
    // A page that is just full is the last.
    let page = stage.get("/sessions?limit=6").await;
    assert_eq!(page["next"], Value::Null);
    let behind = stage.get(&format!("/sessions?after={}", all_ids[5])).await;
    assert_eq!(behind, json!({"sessions": [], "total": 6, "next": null}));
}

#[tokio::test]
async fn the_list_is_filtered_by_route_upstream_and_client() {
    let stage = Stage::with(2).await;
    for (query, total) in [
        ("route=chat", 2),
        ("route=feed", 2),
        ("route=ch%61t", 2),
        ("route=nowhere", 0),
        ("upstream=news", 2),
        ("upstream=news&route=chat", 0),
        ("client=127.0.0.1", 4),
        ("client=127.0.0.0/8", 4),
        ("client=::ffff:127.0.0.1", 4),
        ("client=127.0.0.2", 0),
        ("subject=alice", 0),
        ("issuer=main", 0),
        ("token_id=a", 0),
        ("client=10.0.0.0%2F8", 0),
        ("client=0.0.0.0/0&route=chat&limit=1", 2),
    ] {
        let listed = stage.get(&format!("/sessions?{query}")).await;
        assert_eq!(listed["total"], total, "{query}");
        for session in listed["sessions"].as_array().unwrap() {
            let route = session["route"].as_str().unwrap();
            let upstream = session["upstream"].as_str().unwrap();
            assert!(matches!(
                (route, upstream),
                ("chat", "chat") | ("feed", "news")
            ));
            assert!(!query.contains("route=chat") || route == "chat", "{query}");
        }
    }
}

#[tokio::test]
async fn a_wrong_query_is_refused_and_changes_nothing() {
    let mut stage = Stage::with(1).await;
    let long = format!("DELETE /sessions?all=true&reason={}", "x".repeat(124));
    for (line, problem) in [
        (
            "GET /sessions?rout=chat",
            "key 1 of the query is unknown: the keys are route, client",
        ),
        ("GET /sessions?route=a&route=b", "`route` is there twice"),
        ("GET /sessions?route=", "`route` must be a name"),
        ("DELETE /sessions?subject=", "`subject` must be a name"),
        (
            "GET /sessions?route=%ff",
            "key 1 of the query, or its value, is not percent-encoded",
        ),
        (
            "GET /sessions?client=nobody",
            "`client` must be an address, or a network",
        ),
        (
            "GET /sessions?client=10.0.0.1/8",
            "`client` must be an address, or a network",
        ),
        (
            "GET /sessions?limit=0",
            "`limit` must be a number from 1 to 1000",
        ),
        (
            "GET /sessions?limit=1001",
            "`limit` must be a number from 1 to 1000",
        ),
        (
            "GET /sessions?after=x",
            "`after` must be the id of a session",
        ),
        ("GET /sessions?all=true", "key 1 of the query is unknown"),
        ("DELETE /sessions", "say which sessions"),
        ("DELETE /sessions?code=1000", "say which sessions"),
        ("DELETE /sessions?all=false", "say which sessions"),
        ("DELETE /sessions?all=yes", "`all` must be true or false"),
        (
            "DELETE /sessions?all=true&route=chat",
            "all=true means every session",
        ),
        (
            "DELETE /sessions?all=true&subject=alice",
            "all=true means every session",
        ),
        (
            "DELETE /sessions?all=true&code=1005",
            "`code` must be 1000 to 1003",
        ),
        (
            "DELETE /sessions?all=true&code=999",
            "`code` must be 1000 to 1003",
        ),
        (
            "DELETE /sessions/1?code=1006",
            "`code` must be 1000 to 1003",
        ),
        (
            "DELETE /sessions/1?route=chat",
            "key 1 of the query is unknown: the keys are code, reason",
        ),
        (
            "POST /drain?deadline=1h",
            "key 1 of the query is unknown: it takes no keys",
        ),
        (&long, "`reason` must be at most 123 bytes long"),
    ] {
        let answer = ask(&stage.admin, line, "").await;
        assert_eq!(answer.status(), 400, "{line}");
        let error = answer.json();
        let error = error["error"].as_str().unwrap();
        assert!(error.contains(problem), "{line}: {error}");
    }
    assert_eq!(stage.get("/healthz?probe=1").await, json!({"alive": true}));
    for socket in stage.chat.iter_mut().chain(&mut stage.feed) {
        socket.echoes("not disturbed").await;
    }
}

#[tokio::test]
async fn a_session_is_closed_with_the_code_and_reason_of_the_request() {
    let mut stage = Stage::with(1).await;
    let id = ids(&stage.get("/sessions?route=chat").await)[0];
    let line = format!("DELETE /sessions/{id}?code=4001&reason=come%20back+later%21");
    assert_eq!(ask(&stage.admin, &line, "").await.status(), 204);
    let told = stage.chat.remove(0).closed().await;
    assert_eq!(told, (4001, "come back later!".to_owned()));
    let closed = stage.program.event("session closed").await;
    assert_eq!(
        (&closed["reason"], &closed["code"]),
        (&json!("kicked"), &json!(4001))
    );
    stage.feed[0].echoes("not disturbed").await;
}

#[tokio::test]
async fn sessions_are_closed_by_route_client_and_upstream() {
    let mut stage = Stage::with(2).await;
    for (query, closed) in [
        ("route=nowhere", 0),
        ("client=10.0.0.0/8", 0),
        ("upstream=chat", 2),
    ] {
        let line = format!("DELETE /sessions?{query}&reason=moved");
        let answer = ask(&stage.admin, &line, "").await;
        assert_eq!(
            (answer.status(), answer.json()),
            (200, json!({ "closed": closed }))
        );
    }
    for mut socket in stage.chat.drain(..) {
        assert_eq!(socket.closed().await, (1001, "moved".to_owned()));
        socket.end().await;
    }
    // The upstreams' ends take a moment more.
    stage.program.nth_event(1, "session closed").await;
    for socket in &mut stage.feed {
        socket.echoes("not disturbed").await;
    }
    let rest = ask(
        &stage.admin,
        "DELETE /sessions?all=true&code=1000&reason=",
        "",
    )
    .await;
    assert_eq!(rest.json(), json!({"closed": 2}));
    for mut socket in stage.feed.drain(..) {
        assert_eq!(socket.closed().await, (1000, String::new()));
    }
}

#[tokio::test]
async fn a_revocation_is_logged_without_its_subject_and_closes_nobody_else() {
    let mut stage = Stage::with(1).await;
    let cases = [
        ("subject=c4nary", "4403"),
        ("token_id=c4nary&issuer=main", "4403"),
        ("subject=c4nary&code=4000", "4000"),
    ];
    for (index, (query, code)) in cases.into_iter().enumerate() {
        let line = format!("DELETE /sessions?{query}");
        let answer = ask(&stage.admin, &line, "").await;
        assert_eq!(answer.json(), json!({"closed": 0}));
        let revoked = "access revoked through the admin interface";
        let logged = stage.program.nth_event(index, revoked).await;
        assert_eq!(logged["sessions"], 0, "{query}");
        assert_eq!(
            logged["code"].to_string().trim_matches('"'),
            code,
            "{query}"
        );
        assert!(!logged.to_string().contains("c4nary"), "{logged}");
    }
    stage.chat[0].echoes("not disturbed").await;
}
