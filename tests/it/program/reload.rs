//! New settings for the running program.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::admin::ask;
use super::kit::{Echo, Program, Response, Socket, Upstream, Wire, settings, soon, websocket};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// One more route, to the same servers.
const OTHER: &str = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n";

/// What the program says when it has read its file again.
const RELOADED: &str = "settings reloaded";

/// Puts other settings in place, and has them read over the admin interface.
async fn reload(program: &Program, settings: &str) -> Response {
    program.rewrite(settings);
    let admin = program.admin().await;
    ask(&admin, "POST /reload", "").await
}

async fn reloaded(program: &Program, settings: &str) -> Value {
    let response = reload(program, settings).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json()
}

async fn is_refused(address: &str) -> bool {
    let connected = soon("an answer", TcpStream::connect(address)).await;
    connected.is_err()
}

#[tokio::test]
async fn sighup_reads_the_file_again_and_says_what_came_of_it() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    program.signal(Signal::HUP);
    let unchanged = program.event("settings unchanged").await;
    assert_eq!(unchanged["reason"], "reload_unchanged");
    assert_eq!(unchanged["trigger"], "SIGHUP");

    let more = format!("limits.message_size = \"8B\"\n{OTHER}");
    program.rewrite(&settings(echo.url(), &more));
    program.signal(Signal::HUP);
    let event = program.event(RELOADED).await;
    assert_eq!(event["reason"], "reload_ok");
    assert_eq!(event["routes_added"], "other");
    assert_eq!(event["routes_changed"], "chat");
    for absent in ["routes_removed", "keys", "needs_restart", "listeners_added"] {
        assert!(event.get(absent).is_none(), "{event}");
    }
    socket.echoes("longer than eight bytes, as before").await;
    let mut other = Socket::open(&program.address, "/other").await;
    other.echoes("by the new route").await;
    let mut limited = Socket::open(&program.address, "/ws/").await;
    limited.send("longer than eight bytes").await;
    assert_eq!(limited.closed().await.0, 1009);
    limited.end().await;
    program.signal(Signal::HUP);
    program.nth_event(1, "settings unchanged").await;
    for socket in [socket, other] {
        socket.close().await;
    }
    program.stop().await;
}

#[tokio::test]
async fn a_rewritten_file_is_read_without_being_asked_to() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    program.rewrite(&settings(echo.url(), OTHER));
    let event = program.event(RELOADED).await;
    assert_eq!(
        (&event["trigger"], &event["routes_added"]),
        (&"file".into(), &"other".into())
    );
    // The start itself was not worth a line.
    assert!(program.events("settings unchanged").is_empty());
    program.rewrite(&format!("# A remark.\n{}", settings(echo.url(), OTHER)));
    program.event("settings unchanged").await;
    program.rewrite("[[route]]\nnmae = 1");
    let event = program.event("reload rejected").await;
    assert_eq!(event["trigger"], "file");
    Socket::open(&program.address, "/other").await.close().await;
    program.stop().await;
}

#[tokio::test]
async fn a_link_that_is_swapped_as_kubernetes_does_is_a_change() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, more) in [("one", ""), ("two", OTHER)] {
        std::fs::create_dir(at(version)).unwrap();
        let file = at(version).join("wsgate.toml");
        std::fs::write(file, settings(echo.url(), more)).unwrap();
    }
    symlink("one", at("..data")).unwrap();
    symlink("..data/wsgate.toml", at("wsgate.toml")).unwrap();
    let program = Program::serving(&["run", at("wsgate.toml").to_str().unwrap()]).await;
    symlink("two", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert_eq!(program.event(RELOADED).await["routes_added"], "other");
    Socket::open(&program.address, "/other").await.close().await;
    program.stop().await;
}

#[tokio::test]
async fn bad_settings_change_nothing_and_are_told_with_their_place() {
    let echo = Echo::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let good = settings(echo.url(), ADMIN);
    let program = Program::run(&good).await;
    let admin = program.admin().await;
    std::fs::write(program.file("no.sock"), "").unwrap();
    let mut socket = Socket::open(&program.address, "/ws/").await;
    // Each of these has one more route as well, and no listener of the old ones.
    let other = settings(echo.url(), &format!("{OTHER}{ADMIN}"));
    let listening = |address: &str| other.replacen("127.0.0.1:0", address, 1);
    let free = "unix:free.sock\"\n[[listen]]\naddress = \"";
    for (round, (text, line, message)) in [
        (format!("{other}x ="), true, ""),
        (format!("{other}[listne]\n"), true, "unknown key `listne`"),
        (
            other.replace(echo.url(), "${WSGATE_TEST_UNSET}"),
            true,
            "the environment variable `WSGATE_TEST_UNSET` is not set",
        ),
        (
            other.replace("[log]", "[log]\nlevel = \"wsgate=loud\""),
            true,
            "loud",
        ),
        (
            other.replace("[log]", "[log]\nlevel = \"info,wsgate\""),
            false,
            "neither a level nor a filter",
        ),
        (listening(&format!("{free}{taken}")), false, &*taken),
        (
            listening(&format!("{free}unix:no.sock")),
            false,
            "not a socket",
        ),
        (
            other.replace(ADMIN, &format!("[admin]\naddress = \"{taken}\"\n")),
            false,
            &*taken,
        ),
        (
            format!("{other}[admn]\ntoken = \"c4nary\"\n"),
            true,
            "unknown key `admn`",
        ),
        ("\u{0}".to_owned(), true, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let response = reload(&program, &text).await;
        assert_eq!(response.status(), 422, "{text}\n{}", response.text());
        let body = response.json();
        let first = &body["errors"][0];
        let told = body["errors"].to_string();
        assert!(told.contains(message), "{message} in {body:#}");
        assert!(body["rendered"].as_str().unwrap().contains("error: "));
        assert_eq!(first["line"].is_u64(), line, "{body:#}");
        let event = program.nth_event(round, "reload rejected").await;
        assert_eq!(
            (&event["reason"], &event["level"]),
            (&"reload_rejected".into(), &"ERROR".into())
        );
        let error = event["error"].as_str().unwrap();
        assert!(error.contains(message), "{message} in {event}");
        assert_eq!(error.contains("wsgate.toml:"), line, "{error}");
        // Nothing of it holds.
        let mut wire = Wire::connect(&program.address).await;
        wire.send(websocket("/other", &program.address, "")).await;
        assert_eq!(wire.response().await.status(), 404, "{text}");
        assert!(!program.file("free.sock").exists(), "{text}");
        assert_eq!(ask(&admin, "GET /readyz", "").await.status(), 200);
        socket.echoes(message).await;
    }
    std::fs::remove_file(program.file("wsgate.toml")).unwrap();
    let gone = ask(&admin, "POST /reload", "").await;
    assert_eq!(gone.status(), 422);
    let message = gone.json()["errors"][0]["message"].to_string();
    assert!(message.contains("cannot be read"), "{message}");
    assert!(message.contains("No such file"), "{message}");

    assert_eq!(reloaded(&program, &good).await["changed"], false);
    socket.close().await;
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
}

#[tokio::test]
async fn sessions_of_a_removed_route_are_sent_away_and_the_others_stay() {
    let echo = Echo::start().await;
    let more = format!("{OTHER}{ADMIN}");
    let program = Program::run(&settings(echo.url(), &more)).await;
    let mut stays = Socket::open(&program.address, "/ws/").await;
    let mut leaves = Socket::open(&program.address, "/other").await;
    let drain = "[drain]\nspread = \"0s\"\nclose_code = 1012\n";
    let body = reloaded(&program, &settings(echo.url(), &format!("{ADMIN}{drain}"))).await;
    let expected = json!({
        "changed": true,
        "routes": {"added": [], "removed": ["other"], "changed": []},
        "sessions_sent_away": 1,
        "listeners": {"added": [], "removed": []},
        "keys": ["drain"],
        "needs_restart": [],
    });
    assert_eq!(body, expected);
    assert_eq!(leaves.closed().await, (1012, "route removed".to_owned()));
    leaves.end().await;
    let closed = program.event("session closed").await;
    assert_eq!(
        (&closed["route"], &closed["reason"]),
        (&"other".into(), &"route_removed".into())
    );
    stays.echoes("undisturbed").await;
    stays.close().await;
    program.stop().await;
}

#[tokio::test]
async fn listeners_come_and_go_and_sessions_of_a_removed_one_go_on() {
    let echo = Echo::start().await;
    let two = |address: &str| {
        let more = format!("[[listen]]\naddress = \"{address}\"\n{ADMIN}");
        settings(echo.url(), &more)
    };
    let program = Program::run(&two("unix:gate.sock")).await;
    let file = program.file("gate.sock");
    let wire = Wire::connect_unix(&file).await;
    let over_unix = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    let mut over_unix = over_unix.ok().unwrap();
    let mut over_tcp = Socket::open(&program.address, "/ws/").await;

    let body = reloaded(&program, &two("127.0.0.2:0")).await;
    let added = body["listeners"]["added"][0].as_str().unwrap();
    let removed = format!("unix:{}", file.display());
    assert_eq!(body["listeners"]["removed"], json!([removed]));
    assert!(added.starts_with("127.0.0.2:"), "{body}");
    assert!(!file.exists());
    let mut over_new = Socket::open(added, "/ws/").await;
    for socket in [&mut over_unix, &mut over_tcp, &mut over_new] {
        socket.echoes("still here").await;
    }

    // The first one goes as well, and the unix socket comes back.
    let swapped = two("unix:gate.sock").replacen("127.0.0.1:0", "127.0.0.2:0", 1);
    let body = reloaded(&program, &swapped).await;
    assert_eq!(body["listeners"]["added"], json!([removed]));
    assert_eq!(body["listeners"]["removed"], json!([program.address]));
    assert!(is_refused(&program.address).await);
    let wire = Wire::connect_unix(&file).await;
    let again = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    let mut again = again.ok().unwrap();
    for socket in [&mut over_unix, &mut over_tcp, &mut over_new, &mut again] {
        socket.echoes("still here").await;
    }
    for socket in [over_unix, over_tcp, over_new, again] {
        socket.close().await;
    }
    program.stop().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_plain_connection_of_a_removed_listener_ends_after_its_request() {
    let upstream = Upstream::start().await;
    let forward = format!("http = \"forward\"\n{ADMIN}");
    let both = format!("{forward}[[listen]]\naddress = \"127.0.0.2:0\"\n");
    let program = Program::run(&settings(&upstream.url(), &both)).await;
    let mut busy = Wire::connect(&program.address).await;
    let mut idle = Wire::connect(&program.address).await;
    busy.send("GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n")
        .await;
    let (mut server, _) = upstream.request().await;
    let only = settings(&upstream.url(), &forward).replacen("127.0.0.1:0", "127.0.0.2:0", 1);
    reloaded(&program, &only).await;
    assert_eq!(idle.end().await, b"");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        .await;
    let response = busy.response().await;
    assert_eq!((response.status(), response.text()), (200, "late"));
    assert_eq!(busy.end().await, b"");
    program.stop().await;
}

#[tokio::test]
async fn plain_requests_follow_the_settings_on_a_connection_that_is_kept_alive() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let forward = format!("http = \"forward\"\n{ADMIN}");
    let program = Program::run(&settings(&one.url(), &forward)).await;
    let mut client = Wire::connect(&program.address).await;
    for (upstream, body) in [(&one, "one"), (&two, "two")] {
        reloaded(&program, &settings(&upstream.url(), &forward)).await;
        client
            .send("GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n")
            .await;
        let (mut server, _) = upstream.request().await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}");
        server.send(answer).await;
        assert_eq!(client.response().await.text(), body);
    }
    program.stop().await;
}

#[tokio::test]
async fn the_admin_interface_takes_another_token_and_another_address() {
    let admin = |more: &str| settings("ws://127.0.0.1:1", &format!("{ADMIN}{more}"));
    let program = Program::run(&admin("token = \"0ld-token\"")).await;
    let address = program.admin().await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let mut open = Wire::connect(&address).await;
    let request = |token: &str| {
        let bearer = bearer(token);
        format!("GET /sessions HTTP/1.1\r\nHost: {address}\r\n{bearer}\r\n")
    };
    open.send(request("0ld-token")).await;
    assert_eq!(open.response().await.status(), 200);

    program.rewrite(&admin("token = \"n3w-token\""));
    let done = ask(&address, "POST /reload", &bearer("0ld-token")).await;
    assert_eq!(done.json()["keys"], json!(["admin"]));
    for (token, expected) in [("0ld-token", 401), ("n3w-token", 200)] {
        open.send(request(token)).await;
        assert_eq!(open.response().await.status(), expected);
    }
    let denied = ask(&address, "POST /reload", "").await;
    assert_eq!(denied.status(), 401);

    let moved =
        admin("token = \"n3w-token\"").replace(ADMIN, "[admin]\naddress = \"unix:admin.sock\"\n");
    program.rewrite(&moved);
    let done = ask(&address, "POST /reload", &bearer("n3w-token")).await;
    assert_eq!(
        done.status(),
        200,
        "its answer comes over the one that goes"
    );
    assert!(is_refused(&address).await);
    assert_eq!(open.end().await, b"");
    let mut wire = Wire::connect_unix(&program.file("admin.sock")).await;
    wire.send(request("n3w-token")).await;
    assert_eq!(wire.response().await.status(), 200);

    program.rewrite(&settings("ws://127.0.0.1:1", ""));
    program.signal(Signal::HUP);
    program
        .nth_event(1, "admin interface no longer listening")
        .await;
    assert_eq!(wire.end().await, b"");
    let log = program.stop().await;
    assert!(!log.contains("-token"), "{log}");
}

#[tokio::test]
async fn the_log_changes_what_it_shows_and_what_needs_a_restart_is_named() {
    let echo = Echo::start().await;
    let text = |log: &str, workers: &str| {
        let more = format!("{ADMIN}[server]\n{workers}\n");
        settings(echo.url(), &more).replace("[log]", &format!("[log]\n{log}"))
    };
    let program = Program::run(&text("", "workers = 1")).await;
    Socket::open(&program.address, "/ws/").await.close().await;
    program.event("session closed").await;
    let body = reloaded(&program, &text("access = false", "workers = 1")).await;
    assert_eq!(body["keys"], json!(["log.access"]));
    Socket::open(&program.address, "/ws/").await.close().await;
    let body = reloaded(&program, &text("level = \"debug\"", "workers = 2")).await;
    assert_eq!(body["keys"], json!(["log.level", "log.access"]));
    assert_eq!(body["needs_restart"], json!(["server.workers"]));
    let text_format = text("", "workers = 2").replace("\"json\"", "\"text\"");
    let body = reloaded(&program, &text_format).await;
    assert_eq!(
        body["needs_restart"],
        json!(["log.format", "server.workers"])
    );
    let event = program.nth_event(2, RELOADED).await;
    assert_eq!(event["needs_restart"], "log.format, server.workers");
    let body = reloaded(&program, &text_format).await;
    assert_eq!(body["changed"], false);
    assert_eq!(
        body["needs_restart"],
        json!(["log.format", "server.workers"])
    );
    Socket::open(&program.address, "/ws/").await.close().await;
    program.nth_event(1, "session closed").await;
    assert_eq!(program.events("session open").len(), 2, "one had no line");
    program.stop().await;
}

#[tokio::test]
async fn new_connections_go_by_the_new_bounds() {
    let echo = Echo::start().await;
    let text = |server: &str| settings(echo.url(), &format!("{ADMIN}[server]\n{server}\n"));
    let program = Program::run(&text("")).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(9000));
    let mut held = Wire::connect(&program.address).await;
    held.send(websocket("/ws/", &program.address, &long)).await;
    assert_eq!(held.head().await.status(), 101);
    let mut early = Wire::connect(&program.address).await;
    // It has been accepted once another behind it has been answered.
    let mut behind = Wire::connect(&program.address).await;
    behind.send(websocket("/", &program.address, "")).await;
    assert_eq!(behind.head().await.status(), 404);

    let bounds = "head_size = \"8KiB\"\nhandshake_timeout = \"1s\"\nsessions = 1\n";
    let body = reloaded(&program, &text(bounds)).await;
    let keys = [
        "server.handshake_timeout",
        "server.head_size",
        "server.sessions",
    ];
    assert_eq!(body["keys"], json!(keys));
    let mut late = Wire::connect(&program.address).await;
    late.send(websocket("/ws/", &program.address, &long)).await;
    assert_eq!(late.head().await.status(), 431);
    // The head is within the bound that it came under; the session is one too many.
    early.send(websocket("/ws/", &program.address, &long)).await;
    assert_eq!(early.head().await.status(), 503);
    let silent = Wire::connect(&program.address).await.end().await;
    assert_eq!(silent, b"");
    program.stop().await;
}

#[tokio::test]
async fn where_there_is_no_file_sighup_changes_nothing() {
    let echo = Echo::start().await;
    let program = Program::serving(&["run", "--to", echo.url(), "--listen", "127.0.0.1:0"]).await;
    let mut socket = Socket::open(&program.address, "/").await;
    program.signal(Signal::HUP);
    let warned = |line: &str| line.contains("there is no file").then_some(());
    program.line("a warning", warned).await;
    socket.echoes("still here").await;
    socket.close().await;
    program.stop().await;
}

/// Open descriptors by what they are, and resident memory in KiB.
fn held(program: &Program) -> (BTreeMap<String, usize>, u64) {
    let process = format!("/proc/{}", program.id());
    let mut kinds = BTreeMap::new();
    for entry in std::fs::read_dir(format!("{process}/fd")).unwrap() {
        if let Ok(target) = std::fs::read_link(entry.unwrap().path()) {
            let target = target.display().to_string();
            let kind = target.split([':', '[']).next().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.unwrap().trim().trim_end_matches(" kB");
    (kinds, resident.parse().unwrap())
}

#[tokio::test]
async fn a_hundred_reloads_under_traffic_cost_nobody_anything() {
    const RELOADS: usize = 100;
    let echo = Echo::start().await;
    let text = |round: usize| {
        let listener = ["127.0.0.2:0", "unix:gate.sock"][round % 2];
        let more = format!(
            "limits.message_size = \"{}KiB\"\nlimits.per_ip.connections = 100\n{}\n\
             [[listen]]\naddress = \"{listener}\"\n{ADMIN}",
            64 + round % 3,
            ["", OTHER][round / 2 % 2],
        );
        settings(echo.url(), &more)
    };
    let program = Program::run(&text(0)).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(Socket::open(&program.address, "/ws/").await);
    }
    let mut at_first = None;
    for round in 1..=RELOADS {
        let traffic = async {
            for socket in &mut sockets {
                socket.send(format!("in reload {round}")).await;
            }
            // Opened while the settings are swapped.
            let mut new = Socket::open(&program.address, "/ws/").await;
            new.echoes("new").await;
            for socket in &mut sockets {
                assert_eq!(
                    socket.next().await,
                    Message::from(format!("in reload {round}"))
                );
            }
            new.close().await;
        };
        let settings = text(round);
        let (changes, ()) = tokio::join!(reloaded(&program, &settings), traffic);
        assert_eq!(changes["changed"], true);
        if round == RELOADS / 2 {
            at_first = Some(held(&program));
        }
    }
    let closed = program.events("session closed");
    let lost = closed.iter().filter(|event| event["reason"] != "closed");
    assert_eq!(lost.count(), 0, "{closed:?}");
    assert_eq!(program.events("session open").len(), 8 + RELOADS);
    assert!(program.events("handshake rejected").is_empty());
    let (descriptors_before, memory_before) = at_first.unwrap();
    let (descriptors, memory) = held(&program);
    let count = |kinds: &BTreeMap<_, usize>| kinds.values().sum::<usize>();
    // Connections that are just closing come and go.
    let most = count(&descriptors_before) + 6;
    assert!(
        count(&descriptors) <= most,
        "{descriptors_before:?} {descriptors:?}"
    );
    assert!(
        memory < memory_before + 4096,
        "{memory_before} KiB, {memory} KiB"
    );
    for socket in sockets {
        socket.close().await;
    }
    program.stop().await;
}
