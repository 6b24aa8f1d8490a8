//! Cases O01 and O02: settings that change while the program serves.

use std::cell::{Cell, OnceCell};

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::kit::{Echo, Program, Response, Socket, Vitals, Wire, settings, websocket};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// One more route, to the same servers.
const OTHER: &str = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n";

async fn request(admin: &str, line: &str) -> Response {
    let mut wire = Wire::connect(admin).await;
    let lines = format!("Host: {admin}\r\nContent-Length: 0\r\nConnection: close\r\n");
    wire.send(format!("{line} HTTP/1.1\r\n{lines}\r\n")).await;
    wire.response().await
}

async fn reload(admin: &str) -> Response {
    request(admin, "POST /reload").await
}

async fn reloaded(admin: &str) -> Value {
    let answer = reload(admin).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

async fn status(address: &str, target: &str) -> u16 {
    let mut wire = Wire::connect(address).await;
    wire.send(websocket(target, address, "")).await;
    wire.head().await.status()
}

/// Settings that are refused, with the route [`OTHER`] that the good ones do not have.
struct Wrong<'a> {
    what: &'static str,
    text: String,
    /// Whether the error is in a line of the file.
    has_line: bool,
    /// A part of the error.
    error: &'a str,
}

/// What can be wrong with these settings, in a folder where `no.sock` is a plain file, while another
/// process listens on the address `taken`.
fn wrong<'a>(good: &str, taken: &'a str) -> Vec<Wrong<'a>> {
    let other = format!("{good}\n{OTHER}");
    let with = |line: &str| format!("{other}{line}\n");
    let instead = |of: &str, new: &str| {
        assert!(other.contains(of), "{of}");
        other.replacen(of, new, 1)
    };
    // A listener more, and this one in the place of the old one.
    let on = |address: &str| {
        let address = format!("unix:free.sock\"\n[[listen]]\naddress = \"{address}");
        instead("127.0.0.1:0", &address)
    };
    let admin_on = |address: &str| instead(ADMIN, &format!("[admin]\naddress = \"{address}\"\n"));
    let unset = "the environment variable `WSGATE_TEST_UNSET` is not set";
    [
        ("no TOML", with("x ="), true, ""),
        ("cut off", other[..other.len() - 3].to_owned(), true, ""),
        ("empty", String::new(), false, ""),
        ("NUL", "\0".to_owned(), true, ""),
        ("an unknown key", with("nmae = 1"), true, "`nmae`"),
        (
            "an unknown table",
            with("[listne]"),
            true,
            "unknown key `listne`",
        ),
        (
            "a secret in an unknown table",
            with("[admn]\ntoken = \"c4nary\""),
            true,
            "unknown key `admn`",
        ),
        ("a key twice", with("name = \"x\""), true, ""),
        ("a route twice", with(OTHER), true, ""),
        (
            "an unknown upstream",
            instead(
                "path = \"/ws/*\"\nupstream = \"chat\"",
                "path = \"/ws/*\"\nupstream = \"chta\"",
            ),
            true,
            "chta",
        ),
        (
            "a variable that is not set",
            with("host = \"${WSGATE_TEST_UNSET}\""),
            true,
            unset,
        ),
        (
            "a level that does not exist",
            instead("[log]", "[log]\nlevel = \"loud\""),
            true,
            "loud",
        ),
        (
            "the same for a module",
            instead("[log]", "[log]\nlevel = \"wsgate=loud\""),
            true,
            "loud",
        ),
        (
            "a filter that is none",
            instead("[log]", "[log]\nlevel = \"info,wsgate\""),
            true,
            "is not a filter",
        ),
        ("a port in use", on(taken), false, taken),
        (
            "a foreign address",
            on("192.0.2.1:80"),
            false,
            "192.0.2.1:80",
        ),
        ("a plain file", on("unix:no.sock"), false, "not a socket"),
        ("a port in use by admin", admin_on(taken), false, taken),
        ("an open admin interface", admin_on("0.0.0.0:0"), true, ""),
    ]
    .map(|(what, text, has_line, error)| Wrong {
        what,
        text,
        has_line,
        error,
    })
    .into()
}

impl Wrong<'_> {
    /// Checks what the client of the admin interface gets.
    fn assert_answer(&self, answer: &Response) {
        let what = self.what;
        assert_eq!(answer.status(), 422, "{what}: {}", answer.text());
        let body = answer.json();
        let errors = &body["errors"];
        assert_eq!(
            errors[0]["line"].is_u64(),
            self.has_line,
            "{what}: {body:#}"
        );
        assert!(errors.to_string().contains(self.error), "{what}: {body:#}");
        let rendered = body["rendered"].as_str().expect("a text");
        assert!(rendered.contains("error: "), "{what}: {rendered}");
    }

    /// Checks the line of the log.
    fn assert_event(&self, event: &Value) {
        let what = self.what;
        assert_eq!(event["reason"], "reload_rejected", "{what}");
        assert_eq!(event["level"], "ERROR", "{what}");
        let error = event["error"].as_str().expect("an error");
        assert!(error.contains(self.error), "{what}: {error}");
        let (_, place) = error.split_once("wsgate.toml:").unwrap_or_default();
        let is_line = place.starts_with(|first: char| first.is_ascii_digit());
        assert_eq!(is_line, self.has_line, "{what}: {error}");
    }
}

/// The rejected reloads with this trigger: a file that is left alone for a while is one too.
fn rejected(program: &Program, trigger: &str) -> Vec<Value> {
    let rejected = program.events("reload rejected").into_iter();
    rejected
        .filter(|event| event["trigger"] == trigger)
        .collect()
}

#[tokio::test]
async fn o01_a_reload_of_wrong_settings_changes_nothing() {
    let echo = Echo::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let good = settings(echo.url(), ADMIN);
    let program = Program::run(&good).await;
    let admin = program.admin().await;
    std::fs::write(program.file("no.sock"), "").expect("a file");
    let mut held = Socket::open(&program.address, "/ws/").await;
    for (round, wrong) in wrong(&good, &taken).iter().enumerate() {
        let what = wrong.what;
        program.rewrite(&wrong.text);
        wrong.assert_answer(&reload(&admin).await);
        let is_logged = || rejected(&program, "admin").len() > round;
        program.until("the log", is_logged).await;
        wrong.assert_event(&rejected(&program, "admin")[round]);
        // None of it takes effect, and all of the old settings stay.
        assert_eq!(status(&program.address, "/other").await, 404, "{what}");
        assert_eq!(status(&program.address, "/ws/").await, 101, "{what}");
        assert!(!program.file("free.sock").exists(), "{what}");
        assert_eq!(request(&admin, "GET /readyz").await.status(), 200, "{what}");
        held.echoes(what).await;
    }
    program.rewrite("x =");
    program.signal(Signal::HUP);
    let is_logged = || !rejected(&program, "SIGHUP").is_empty();
    program.until("the log", is_logged).await;
    held.echoes("after a signal").await;

    std::fs::remove_file(program.file("wsgate.toml")).expect("a file");
    let gone = reload(&admin).await;
    assert_eq!(gone.status(), 422);
    let error = gone.json()["errors"][0]["message"].to_string();
    assert!(error.contains("cannot be read"), "{error}");
    assert!(error.contains("No such file"), "{error}");
    held.echoes("without a file").await;

    program.rewrite(&good);
    assert_eq!(reloaded(&admin).await["changed"], false);
    held.close().await;
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
}

/// How often the settings change.
const RELOADS: usize = 100;

/// How many sessions are open from the first reload to the last.
const SESSIONS: usize = 20;

/// The memory that an allocator may keep.
const KEPT: usize = 8 * 1024 * 1024;

/// How much more memory the program may have at the end than after half of the reloads.
const GROWN: usize = 4 * 1024 * 1024;

/// Settings that differ from those of the round before in a limit of the route, in the pool and in
/// a listener; a route comes with every fourth round and goes two rounds later.
fn of_round(url: &str, round: usize) -> String {
    let other = if has_other(round) { OTHER } else { "" };
    let listener = ["127.0.0.2:0", "unix:gate.sock"][round % 2];
    let more = format!(
        "limits.message_size = \"{}B\"\nlimits.per_ip.connections = {}\n{other}\n\
         [[listen]]\naddress = \"{listener}\"\n{ADMIN}",
        1000 + round,
        SESSIONS + 2,
    );
    let pool = format!("[upstream.chat]\nretries = {}\n", round % 2);
    settings(url, &more).replace("[upstream.chat]\n", &pool)
}

fn has_other(round: usize) -> bool {
    round / 2 % 2 == 1
}

#[tokio::test]
async fn o02_a_hundred_reloads_during_traffic() {
    let echo = Echo::start().await;
    let program = Program::run(&of_round(echo.url(), 0)).await;
    let (address, admin) = (program.address.clone(), program.admin().await);
    let mut held = Vec::new();
    for _ in 0..SESSIONS {
        held.push(Socket::open(&address, "/ws/held").await);
    }
    // What the process takes for good the first time is no growth.
    for round in 1..=4 {
        program.rewrite(&of_round(echo.url(), round));
        reloaded(&admin).await;
    }
    let before = Vitals::of(program.id());
    let (over, opened, half) = (Cell::new(false), Cell::new(0), OnceCell::new());
    let talking = held.iter_mut().map(|peer| async {
        let mut sent = 0;
        while !over.get() {
            peer.echoes(&format!("message {sent}")).await;
            sent += 1;
        }
        sent
    });
    let coming = async {
        while !over.get() {
            let mut peer = Socket::open(&address, "/ws/new").await;
            peer.echoes("hello").await;
            peer.close().await;
            opened.set(opened.get() + 1);
        }
    };
    let reloading = async {
        for round in 5..5 + RELOADS {
            program.rewrite(&of_round(echo.url(), round));
            let answer = reloaded(&admin).await;
            assert_eq!(answer["changed"], true, "{answer}");
            // Through its pool, if it is there before and after.
            let changed = match has_other(round - 1) && has_other(round) {
                true => json!(["chat", "other"]),
                false => json!(["chat"]),
            };
            assert_eq!(answer["routes"]["changed"], changed, "{answer}");
            if round == RELOADS / 2 {
                half.set(Vitals::of(program.id())).expect("one half");
            }
        }
        over.set(true);
    };
    let (sent, (), ()) = tokio::join!(join_all(talking), coming, reloading);
    assert!(sent.iter().all(|sent| *sent > 0), "{sent:?}");
    assert!(opened.get() > 0);
    before.let_go(program.id()).await;
    let (now, half) = (Vitals::of(program.id()), half.get().expect("a half"));
    assert!(
        now.memory <= (before.memory + KEPT).min(half.memory + GROWN),
        "{before:?}, {half:?}, then {now:?}"
    );
    let opened = opened.get();
    let is_logged = || program.events("session closed").len() >= opened;
    program.until("the ends of the sessions", is_logged).await;
    let closed = program.events("session closed");
    assert!(
        closed.len() == opened && closed.iter().all(|event| event["reason"] == "closed"),
        "{closed:?}"
    );
    assert_eq!(program.events("session open").len(), SESSIONS + opened);
    assert!(program.events("handshake rejected").is_empty());
    has_new_rules(&program, &echo, held).await;
    program.stop().await;
}

/// Checks that new settings hold for new sessions only, and that the counts of addresses go on.
async fn has_new_rules(program: &Program, echo: &Echo, mut held: Vec<Socket>) {
    let small = of_round(echo.url(), 0).replace("1000B", "8B");
    program.rewrite(&small);
    reloaded(&program.admin().await).await;
    held[0].echoes("longer than eight bytes, as before").await;
    let mut limited = Socket::open(&program.address, "/ws/new").await;
    limited.send("longer than eight bytes").await;
    assert_eq!(limited.closed().await.0, 1009);
    limited.end().await;
    for _ in 0..2 {
        held.push(Socket::open(&program.address, "/ws/new").await);
    }
    assert_eq!(status(&program.address, "/ws/new").await, 429);
    for peer in held {
        peer.close().await;
    }
}
