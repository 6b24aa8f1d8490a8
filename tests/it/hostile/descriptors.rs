//! Case R16: newcomers for whom there is no descriptor.

use std::collections::BTreeMap;

use crate::kit::{Echo, Program, Vitals, Wire, finish, settings, websocket};

/// When the newcomers send their handshakes.
#[derive(Clone, Copy, Debug)]
enum Sends {
    /// As soon as they have connected.
    AtOnce,
    /// When all of them have connected.
    Together,
    /// At once, behind as many that say nothing.
    BehindSilent,
}

/// Newcomers who come in one after the other, each of whom has to get an answer. Returns how many got which,
/// and those who got in.
async fn come_in(
    program: &Program,
    count: usize,
    sends: Sends,
) -> (BTreeMap<u16, usize>, Vec<Wire>) {
    let address = &program.address;
    let handshake = websocket("/ws/", address, "");
    let (mut silent, mut newcomers) = (Vec::new(), Vec::new());
    if let Sends::BehindSilent = sends {
        for _ in 0..count {
            silent.push(Wire::connect(address).await);
        }
    }
    for _ in 0..count {
        let mut newcomer = Wire::connect(address).await;
        if !matches!(sends, Sends::Together) {
            newcomer.try_send(&handshake).await;
        }
        newcomers.push(newcomer);
    }
    let (mut statuses, mut sessions) = (BTreeMap::new(), Vec::new());
    for mut newcomer in newcomers {
        if let Sends::Together = sends {
            newcomer.try_send(&handshake).await;
        }
        let status = newcomer.head().await.status();
        *statuses.entry(status).or_default() += 1;
        if status == 101 {
            sessions.push(newcomer);
        }
    }
    (statuses, sessions)
}

#[tokio::test]
async fn r16_every_newcomer_is_let_in_or_told_that_there_is_no_room() {
    let echo = Echo::start().await;
    for (descriptors, newcomers, wanted) in [(64, 46, 1000), (64, 46, 0), (256, 200, 1000)] {
        let more = format!("[server]\nworkers = 2\nsessions = {wanted}");
        let program = Program::run_limited(&settings(echo.url(), &more), descriptors).await;
        let mut ended = 0;
        for sends in [Sends::AtOnce, Sends::Together, Sends::BehindSilent].repeat(4) {
            let (statuses, sessions) = come_in(&program, newcomers, sends).await;
            let what = format!("{sends:?} of {wanted} with {descriptors}: {statuses:?}");
            assert!(
                statuses.keys().all(|status| [101, 503].contains(status)),
                "{what}"
            );
            ended += sessions.len();
            drop(sessions);
            let is_over = || program.events("session closed").len() == ended;
            program.until("the end of the sessions", is_over).await;
        }
        assert!(ended > 0, "{wanted} with {descriptors}");
        let log = program.stop().await;
        assert!(!log.contains("Too many open files"), "{log}");
    }
}

/// The bound is the smaller of what is wanted and what there is room for.
#[tokio::test]
async fn r16_more_sessions_than_there_are_descriptors_for_are_no_more_sessions() {
    let echo = Echo::start().await;
    let more = "[server]\nworkers = 2\nsessions = 1000";
    let program = Program::run_limited(&settings(echo.url(), more), 64).await;
    let warning = "`server.sessions` is more than the limit on open files allows";
    let warning = program.event(warning).await;
    assert_eq!(warning["wanted"], 1000);
    let most = warning["sessions"].as_u64().expect("a number") as usize;
    let (statuses, sessions) = come_in(&program, 46, Sends::AtOnce).await;
    assert_eq!(sessions.len(), most, "{statuses:?}");
    program.stop().await;
}

#[tokio::test]
async fn r16_check_says_that_there_are_not_enough_descriptors() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wsgate.toml");
    let file = file.to_str().expect("a path");
    for (sessions, warned) in [(0, false), (1, false), (1_000_000_000, true)] {
        let more = format!("[server]\nsessions = {sessions}");
        std::fs::write(file, settings("ws://127.0.0.1:1", &more)).expect("a file");
        let checked = finish(&["check", file]).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let warning = format!("warning: server.sessions: {sessions} are more than");
        assert_eq!(checked.stderr.contains(&warning), warned, "{checked:?}");
    }
}

/// Nobody has taken part in the sharing: not even a refusal has a descriptor.
#[tokio::test]
async fn r16_a_newcomer_is_told_even_if_descriptors_have_run_out() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    let mut before = Wire::connect(&program.address).await;
    before.send(websocket("/ws/", &program.address, "")).await;
    assert_eq!(before.head().await.status(), 101);
    // Those that are open, and no more.
    let open = Vitals::of(program.id()).descriptors;
    program.limit_descriptors(open as u64);
    for sends in [Sends::AtOnce, Sends::Together] {
        let (statuses, _) = come_in(&program, 20, sends).await;
        assert_eq!(statuses, BTreeMap::from([(503, 20)]), "{sends:?}");
    }
    program.event("connections cannot be accepted").await;
}
