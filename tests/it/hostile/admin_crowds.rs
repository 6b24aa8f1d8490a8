//! Case O07 once more: those who hold the connections that the admin interface has.

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::admin::drains;
use crate::kit::{AT_ONCE, Echo, Program, Socket, Stage, Vitals, Wire, settings, soon};

/// What a connection may take of memory while nobody reads what it says.
const UNREAD: usize = 128 * 1024;

/// Whoever holds all places of the admin interface keeps no client from its session.
#[tokio::test]
async fn o07_thousands_of_idle_connections_to_it_disturb_no_other_client() {
    let stage = Stage::set("").await;
    let admin = stage.program().admin().await;
    let mut idle = Vec::new();
    for number in 0..2000 {
        let mut wire = Wire::connect(&admin).await;
        // Some say nothing at all, and some begin.
        if number % 2 == 0 {
            wire.try_send("GET /healthz HTTP/1.1\r\n").await;
        }
        idle.push(wire);
        if number % 500 == 0 {
            stage.serves_others().await;
        }
    }
    stage.serves_others().await;
    // Who came first went first.
    let ended = timeout(AT_ONCE, idle[0].end());
    assert_eq!(ended.await.expect("an end at once"), b"");
    let ready = timeout(AT_ONCE, drains(&admin));
    assert!(!ready.await.expect("an answer at once"));
    drop(idle);
    stage.stands().await;
}

/// Whoever asks without end and never reads an answer is cut off, and makes room for others before that;
/// meanwhile the gate has time for its clients.
///
/// On a unix socket, of which the kernel keeps less than of a connection: it is full sooner.
#[tokio::test]
async fn o07_clients_that_do_not_read_their_answers_leave_their_places() {
    const PLACES: usize = 64;
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let admin = folder.path().join("admin.sock");
    let more = format!("[admin]\naddress = \"unix:{}\"", admin.display());
    let program = Program::run(&settings(echo.url(), &more)).await;
    program.admin().await;
    let probe = async || {
        let mut wire = Wire::connect_unix(&admin).await;
        wire.try_send("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
            .await;
        String::from_utf8(wire.end().await).expect("text")
    };
    let before = Vitals::of(program.id()).memory;
    let mut floods = JoinSet::new();
    for _ in 0..PLACES {
        let mut wire = Wire::connect_unix(&admin).await;
        let requests = "GET /metrics HTTP/1.1\r\n\r\n".repeat(100);
        floods.spawn(async move { while wire.try_send(&requests).await {} });
    }
    for _ in 0..20 {
        let probed = timeout(AT_ONCE, probe()).await.expect("an answer at once");
        assert!(probed.starts_with("HTTP/1.1 200 "), "{probed}");
    }
    for _ in 0..20 {
        let served = timeout(AT_ONCE, async {
            let mut client = Socket::open(&program.address, "/ws/").await;
            client.echoes("hello").await;
        });
        served.await.expect("a session at once");
    }
    while let Some(ended) = soon("the end of them all", floods.join_next()).await {
        ended.expect("no panic");
        let took = Vitals::of(program.id()).memory.saturating_sub(before);
        assert!(took < PLACES * UNREAD, "{took}");
    }
    program.stop().await;
}
