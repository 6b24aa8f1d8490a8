//! Cases O01 and O02: settings that change while the program serves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::kit::{Echo, Program, Response, Socket, Vitals, Wire, settings, websocket};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

async fn reload(admin: &str) -> Response {
    let mut wire = Wire::connect(admin).await;
    let lines = format!("Host: {admin}\r\nContent-Length: 0\r\nConnection: close\r\n");
    wire.send(format!("POST /reload HTTP/1.1\r\n{lines}\r\n"))
        .await;
    wire.response().await
}

async fn status(address: &str, target: &str) -> u16 {
    let mut wire = Wire::connect(address).await;
    wire.send(websocket(target, address, "")).await;
    wire.head().await.status()
}

/// Settings that cannot be had, and whether what is wrong stands in a line of the file. Each has a
/// route that the good ones have not.
fn wrong(good: &str, taken: &str) -> Vec<(&'static str, String, bool)> {
    let route = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n";
    let other = format!("{good}\n{route}");
    let with = |line: &str| format!("{other}{line}\n");
    let instead = |of: &str, new: &str| {
        assert!(other.contains(of), "{of}");
        other.replacen(of, new, 1)
    };
    let on = |address: &str| instead("127.0.0.1:0", address);
    vec![
        ("no TOML", with("x ="), true),
        ("cut off", other[..other.len() - 3].to_owned(), true),
        ("empty", String::new(), false),
        ("NUL", "\0".to_owned(), true),
        ("an unknown key", with("nmae = 1"), true),
        ("an unknown table", with("[listne]"), true),
        ("a key twice", with("name = \"x\""), true),
        ("a route twice", with(route), true),
        (
            "an unknown upstream",
            with("http = \"forward\"").replace("= \"chat\"\nhttp", "= \"chta\"\nhttp"),
            true,
        ),
        (
            "a variable that is not set",
            with("host = \"${WSGATE_TEST_UNSET}\""),
            true,
        ),
        (
            "a wrong level",
            instead("[log]", "[log]\nlevel = \"loud\""),
            true,
        ),
        ("a port in use", on(taken), false),
        ("an address of nobody's", on("192.0.2.1:80"), false),
        (
            "an admin interface for everybody",
            instead(ADMIN, "[admin]\naddress = \"0.0.0.0:0\"\n"),
            true,
        ),
    ]
}

#[tokio::test]
async fn o01_a_reload_of_wrong_settings_changes_nothing() {
    let echo = Echo::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let good = settings(echo.url(), ADMIN);
    let program = Program::run(&good).await;
    let admin = program.admin().await;
    let mut held = Socket::open(&program.address, "/ws/").await;
    let wrong = wrong(&good, &taken);
    for (round, (what, text, has_line)) in wrong.into_iter().enumerate() {
        program.rewrite(&text);
        let answer = reload(&admin).await;
        assert_eq!(answer.status(), 422, "{what}: {}", answer.text());
        assert!(answer.text().contains("error"), "{what}: {}", answer.text());
        // The look at the file may have told of it as well; this one was asked for.
        let told = || {
            let rejected = program.events("reload rejected").into_iter();
            rejected.filter(|event| event["trigger"] == "admin")
        };
        program.until("the log", || told().count() > round).await;
        let last = told().next_back().expect("a line");
        assert_eq!(last["reason"], "reload_rejected", "{what}");
        let error = last["error"].as_str().expect("an error");
        let (_, place) = error.split_once("wsgate.toml:").unwrap_or_default();
        let stands_in_a_line = place.starts_with(|first: char| first.is_ascii_digit());
        assert_eq!(stands_in_a_line, has_line, "{what}: {error}");
        // Nothing of it holds, and all of the old does.
        assert_eq!(status(&program.address, "/other").await, 404, "{what}");
        assert_eq!(status(&program.address, "/ws/").await, 101, "{what}");
        held.echoes(what).await;
    }
    // A signal is no more than a question, either.
    let before = program.events("reload rejected").len();
    program.rewrite("x =");
    program.signal(Signal::HUP);
    program.nth_event(before, "reload rejected").await;
    held.echoes("after a signal").await;
    program.rewrite(&good);
    assert_eq!(reload(&admin).await.status(), 200);
    held.close().await;
    program.stop().await;
}

/// How often the settings change.
const RELOADS: usize = 100;

/// How many sessions there are all along.
const SESSIONS: usize = 20;

/// The memory that an allocator may keep.
const KEPT: usize = 8 * 1024 * 1024;

#[tokio::test]
async fn o02_a_hundred_reloads_during_traffic() {
    let echo = Echo::start().await;
    let text = |size: usize, more: &str| {
        let limits = format!(
            "limits.message_size = \"{size}B\"\nlimits.per_ip.connections = {}",
            SESSIONS + 2
        );
        settings(echo.url(), &format!("{limits}\n{more}{ADMIN}"))
    };
    let other = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n";
    let program = Program::run(&text(1000, "")).await;
    let (address, admin) = (program.address.clone(), program.admin().await);
    let mut held = Vec::new();
    for _ in 0..SESSIONS {
        held.push(Socket::open(&address, "/ws/held").await);
    }
    // What the first of them makes the process take for good is not the others' doing.
    for round in 0..4 {
        program.rewrite(&text(1000 + round, other));
        assert_eq!(reload(&admin).await.status(), 200);
    }
    let before = Vitals::of(program.id());
    let (over, opened) = (AtomicBool::new(false), AtomicUsize::new(0));
    let talking = held.iter_mut().map(|peer| async {
        let mut said = 0;
        while !over.load(Ordering::Relaxed) {
            peer.echoes(&format!("message {said}")).await;
            said += 1;
        }
        said
    });
    let coming = async {
        while !over.load(Ordering::Relaxed) {
            let mut peer = Socket::open(&address, "/ws/new").await;
            peer.echoes("hello").await;
            peer.close().await;
            opened.fetch_add(1, Ordering::Relaxed);
        }
    };
    let reloading = async {
        for round in 0..RELOADS {
            let more = match round % 2 {
                0 => "",
                _ => other,
            };
            program.rewrite(&text(2000 + round, more));
            let answer = reload(&admin).await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
        }
        over.store(true, Ordering::Relaxed);
    };
    let (said, (), ()) = tokio::join!(join_all(talking), coming, reloading);
    assert!(said.iter().all(|said| *said > 0), "{said:?}");
    assert!(opened.into_inner() > 0);
    before.let_go(program.id()).await;
    let now = Vitals::of(program.id());
    assert!(
        now.memory <= before.memory + KEPT,
        "{before:?}, then {now:?}"
    );
    // New rules are for new sessions, and the addresses' counts go on.
    program.rewrite(&text(8, ""));
    assert_eq!(reload(&admin).await.status(), 200);
    held[0].echoes("longer than eight bytes, as before").await;
    let mut limited = Socket::open(&address, "/ws/new").await;
    limited.send("longer than eight bytes").await;
    assert_eq!(limited.closed().await.0, 1009);
    limited.end().await;
    let mut more = Vec::new();
    for _ in 0..2 {
        more.push(Socket::open(&address, "/ws/new").await);
    }
    assert_eq!(status(&address, "/ws/new").await, 429);
    for peer in held.into_iter().chain(more) {
        peer.close().await;
    }
    program.stop().await;
}
