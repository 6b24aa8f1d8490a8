//! Case O09: many who hold connections to the admin interface, and those who need it.

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::kit::{AT_ONCE, Program, Wire, settings};

const TOKEN: &str = "right-t0ken";

/// The places of each kind of client.
const EACH: usize = 32;

async fn guarded() -> (Program, String) {
    let more = format!("[admin]\naddress = \"127.0.0.1:0\"\ntoken = \"{TOKEN}\"");
    let program = Program::run(&settings("ws://127.0.0.1:1", &more)).await;
    let admin = program.admin().await;
    (program, admin)
}

fn request(line: &str, lines: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: gate.test\r\n{lines}\r\n")
}

fn with_token(line: &str) -> String {
    request(line, &format!("Authorization: Bearer {TOKEN}\r\n"))
}

/// Checks that this is answered at once on a new connection, and returns that.
async fn answered(admin: &str, request: &str, status: u16) -> Wire {
    let answered = timeout(AT_ONCE, async {
        let mut wire = Wire::connect(admin).await;
        wire.send(request).await;
        assert_eq!(wire.response().await.status(), status, "{request}");
        wire
    });
    answered.await.expect("an answer at once")
}

/// Checks that whoever needs the interface is answered at once.
async fn serves(admin: &str) {
    for (request, status) in [
        (request("GET /healthz", ""), 200),
        (request("GET /readyz", ""), 200),
        (request("GET /sessions", ""), 401),
        (with_token("GET /sessions"), 200),
    ] {
        answered(admin, &request, status).await;
    }
}

/// What somebody sends who is not to be let in, and holds the connection.
const HELD: [&str; 6] = [
    "",
    "GET /healthz HTTP/1.1\r\n",
    "GET /healthz HTTP/1.1\r\nHost: gate.test\r\n\r\n",
    "GET /sessions HTTP/1.1\r\nHost: gate.test\r\n\r\nGET",
    "POST /reload HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 1000000\r\n\r\n",
    "POST /logout/main HTTP/1.1\r\nHost: gate.test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
     Content-Length: 100\r\n\r\nlogout_token=",
];

#[tokio::test]
async fn o09_strangers_who_hold_connections_keep_nobody_out() {
    let (program, admin) = guarded().await;
    let mut operator = answered(&admin, &with_token("GET /sessions"), 200).await;
    let mut held = Vec::new();
    for number in 0..10 * EACH {
        let mut wire = Wire::connect(&admin).await;
        wire.try_send(HELD[number % HELD.len()]).await;
        held.push(wire);
        if number % EACH == 0 {
            serves(&admin).await;
        }
    }
    serves(&admin).await;
    // Who came first went first.
    let ended = timeout(AT_ONCE, held[0].end()).await;
    assert_eq!(ended.expect("an end at once"), b"");
    let mut last = held.swap_remove(10 * EACH - 10 * EACH % HELD.len());
    last.send(request("GET /healthz", "")).await;
    assert_eq!(last.response().await.status(), 200);
    // And whoever was let in has not been sent away for any of them.
    operator.send(with_token("GET /upstreams")).await;
    assert_eq!(operator.response().await.status(), 200);
    program.stop().await;
}

#[tokio::test]
async fn o09_strangers_who_connect_without_end_keep_nobody_out() {
    let (program, admin) = guarded().await;
    let mut floods = JoinSet::new();
    for _ in 0..4 {
        let admin = admin.clone();
        floods.spawn(async move {
            loop {
                let mut held = Vec::new();
                for number in 0..2 * EACH {
                    let mut wire = Wire::connect(&admin).await;
                    wire.try_send(HELD[number % HELD.len()]).await;
                    held.push(wire);
                }
            }
        });
    }
    for _ in 0..20 {
        serves(&admin).await;
    }
    floods.shutdown().await;
    program.stop().await;
}

#[tokio::test]
async fn o09_operators_who_hold_connections_keep_no_probe_out() {
    let (program, admin) = guarded().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut wire = Wire::connect(&admin).await;
        wire.send(with_token("GET /events")).await;
        assert_eq!(wire.head().await.status(), 200);
        streams.push(wire);
    }
    let mut kept = Vec::new();
    for _ in 0..2 * EACH {
        kept.push(answered(&admin, &with_token("GET /sessions"), 200).await);
    }
    let mut probe = answered(&admin, &request("GET /healthz", ""), 200).await;
    serves(&admin).await;
    // A stream is in use, and stays; of those that waited the first has gone.
    for stream in &mut streams {
        assert!(stream.until(b": listening\n\n").await.len() > 10);
    }
    assert_eq!(kept[0].end().await, b"");
    let last = kept.last_mut().expect("an operator");
    last.send(with_token("GET /sessions")).await;
    assert_eq!(last.response().await.status(), 200);
    probe.send(request("GET /readyz", "")).await;
    assert_eq!(probe.response().await.status(), 200);
    program.stop().await;
}
