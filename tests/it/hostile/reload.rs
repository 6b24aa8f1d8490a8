//! Cases O01 and O02: settings that change while the program serves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::net::TcpListener;

use super::kit::Vitals;
use crate::program::kit::{Program, Response, Socket as Peer, Wire, settings, soon, websocket};
use crate::support::Echo;

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

/// Settings that cannot be had; each of them has a route that the good ones have not.
fn wrong(good: &str, taken: &str) -> Vec<(&'static str, String)> {
    let other =
        format!("{good}\n[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n");
    vec![
        ("no TOML", format!("{other}x =")),
        ("cut off", other[..other.len() - 9].to_owned()),
        ("empty", String::new()),
        ("NUL", "\0".to_owned()),
        ("an unknown key", format!("{other}nmae = 1\n")),
        ("an unknown table", format!("{other}[listne]\n")),
        ("a key twice", format!("{other}name = \"x\"\n")),
        (
            "a route twice",
            format!("{other}{}", other.split_at(good.len()).1),
        ),
        (
            "an unknown upstream",
            other.replace("upstream = \"chat\"\n", "upstream = \"chta\"\n"),
        ),
        (
            "a variable that is not set",
            format!("{other}host = \"${{WSGATE_TEST_UNSET}}\"\n"),
        ),
        (
            "a wrong level",
            other.replace("[log]", "[log]\nlevel = \"loud\""),
        ),
        ("a port in use", other.replacen("127.0.0.1:0", taken, 1)),
        (
            "an address of nobody's",
            other.replacen("127.0.0.1:0", "192.0.2.1:80", 1),
        ),
        (
            "an admin interface for everybody",
            other.replace(ADMIN, "[admin]\naddress = \"0.0.0.0:0\"\n"),
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
    let mut held = Peer::open(&program.address, "/ws/").await;
    let mut served = false;
    for (what, text) in wrong(&good, &taken) {
        let before = program.events("reload rejected").len();
        program.rewrite(&text);
        let answer = reload(&admin).await;
        assert_eq!(answer.status(), 422, "{what}: {}", answer.text());
        assert!(answer.text().contains("error"), "{what}: {}", answer.text());
        let told = |event: &serde_json::Value| {
            let error = event["error"].as_str().unwrap_or_default();
            assert!(!error.is_empty(), "{what}: {event}");
            error.contains("wsgate.toml:")
        };
        let last = program.nth_event(before, "reload rejected").await;
        assert_eq!(last["reason"], "reload_rejected", "{what}");
        served |= told(&last);
        // Nothing of it holds, and all of the old does.
        assert_eq!(status(&program.address, "/other").await, 404, "{what}");
        assert_eq!(status(&program.address, "/ws/").await, 101, "{what}");
        held.echoes(what).await;
    }
    assert!(served, "no error has its line");
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
        held.push(Peer::open(&address, "/ws/held").await);
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
            let mut peer = Peer::open(&address, "/ws/new").await;
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
    soon("descriptors as before", async {
        while Vitals::of(program.id()).descriptors > before.descriptors {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let now = Vitals::of(program.id());
    assert!(
        now.memory <= before.memory + KEPT,
        "{before:?}, then {now:?}"
    );
    // New rules are for new sessions, and the addresses' counts go on.
    program.rewrite(&text(8, ""));
    assert_eq!(reload(&admin).await.status(), 200);
    held[0].echoes("longer than eight bytes, as before").await;
    let mut limited = Peer::open(&address, "/ws/new").await;
    limited.send("longer than eight bytes").await;
    assert_eq!(limited.closed().await.0, 1009);
    limited.end().await;
    let mut more = Vec::new();
    for _ in 0..2 {
        more.push(Peer::open(&address, "/ws/new").await);
    }
    assert_eq!(status(&address, "/ws/new").await, 429);
    for peer in held.into_iter().chain(more) {
        peer.close().await;
    }
    program.stop().await;
}
