use tokio::time::{Instant, timeout};

use super::*;
use crate::config::Config;
use crate::observe::Observers;
use crate::pipeline::Seams;
use crate::session::Expiry;
use crate::session::SessionGuard;
use crate::session::SessionMetadata;
use crate::upstream::Connector;

const MINUTE: Duration = Duration::from_secs(60);

fn config(servers: &str) -> Config {
    let text = format!(
        "[drain]\ndeadline = \"30s\"\n[upstream.chat]\nservers = {servers}\n\
         [[route]]\nname = \"test\"\npath = \"/*\"\nupstream = \"chat\"\n"
    );
    Config::from_toml("test", &text).unwrap()
}

fn core(servers: &str) -> Core {
    Core::new(
        config(servers),
        0,
        Seams::default(),
        Connector::default(),
        Observers::default(),
    )
}

fn place(core: &Core, server: &str) -> SessionGuard {
    let metadata = SessionMetadata::for_tests("test", "chat", server);
    core.registry
        .acquire()
        .unwrap()
        .register(metadata, Expiry::never(), Instant::now())
        .unwrap()
}

#[test]
fn a_server_goes_by_its_name_its_address_or_its_place() {
    let core = core(
        "[\"ws://A.test:1\", \"ws://b.test/x\", \"http://b.test:80/y\", \"unix:/run/c\", \"ws://A.test:1\"]",
    );
    let settings = core.settings();
    for (server, expected) in [
        ("ws://A.test:1", Ok("ws://A.test:1")),
        ("a.test:1", Ok("ws://A.test:1")),
        ("0", Ok("ws://A.test:1")),
        ("1", Ok("ws://b.test/x")),
        ("ws://b.test/x", Ok("ws://b.test/x")),
        ("unix:/run/c", Ok("unix:/run/c")),
        (
            "b.test:80",
            Err("is more than one server of `chat`: there is ws://A.test:1, "),
        ),
        (
            "5",
            Err("has no server `5`: there is ws://A.test:1, ws://b.test/x"),
        ),
        ("-1", Err("has no server `-1`")),
        ("a.test", Err("has no server `a.test`")),
        ("", Err("has no server ``")),
    ] {
        match (find(&settings, "chat", server), expected) {
            (Ok((_, name)), Ok(expected)) => assert_eq!(&*name, expected, "{server}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{server}: {error}");
            }
            (found, _) => panic!("{server}: {found:?}"),
        }
    }
    let error = find(&settings, "news", "0").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no upstream `news`: there is chat"
    );
}

#[tokio::test(start_paused = true)]
async fn sessions_are_closed_over_the_requested_time_and_then_aborted() {
    let core = core("[\"ws://a\", \"ws://b\"]");
    let (leaves, stays) = (place(&core, "ws://a"), place(&core, "ws://b"));
    let drained = core.drain_server("chat", "ws://a", Some(MINUTE)).unwrap();
    assert_eq!((drained.sessions, drained.closing), (1, 1));
    let start = Instant::now();
    // A place whose session has not begun hears of nothing but the cut.
    leaves.cut_requested().await;
    assert_eq!(start.elapsed().as_secs(), 90);
    assert!(timeout(60 * MINUTE, stays.cut_requested()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_still_open_stay_when_the_server_is_resumed() {
    let core = core("[\"ws://a\", \"ws://b\"]");
    let guard = place(&core, "ws://a");
    core.drain_server("chat", "0", Some(MINUTE)).unwrap();
    assert!(core.drains.is_closing(&guard.entry().metadata));
    assert!(timeout(MINUTE / 2, guard.cut_requested()).await.is_err());
    core.resume_server("chat", "0").unwrap();
    assert!(!core.drains.is_closing(&guard.entry().metadata));
    assert!(timeout(60 * MINUTE, guard.cut_requested()).await.is_err());
    // Drained anew it begins anew, and the later of two drains holds.
    let drained = core.drain_server("chat", "0", None).unwrap();
    assert_eq!((drained.sessions, drained.closing), (1, 0));
    assert!(timeout(60 * MINUTE, guard.cut_requested()).await.is_err());
    for over in [60 * MINUTE, MINUTE] {
        core.drain_server("chat", "0", Some(over)).unwrap();
    }
    let start = Instant::now();
    guard.cut_requested().await;
    assert_eq!(start.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn no_time_is_too_long_to_send_sessions_away_in() {
    let core = core("[\"ws://a\", \"ws://b\"]");
    let guard = place(&core, "ws://a");
    let drained = core.drain_server("chat", "ws://a", Some(Duration::MAX));
    assert_eq!(drained.unwrap().closing, 1);
    assert!(timeout(60 * MINUTE, guard.cut_requested()).await.is_err());
    assert_eq!(core.evictions.len(), 1, "nobody sends it away any more");
}

#[tokio::test]
async fn a_server_that_was_gone_is_not_emptied_when_it_comes_back() {
    let core = core("[\"ws://a\", \"ws://b\"]");
    let guard = place(&core, "ws://a");
    core.drain_server("chat", "ws://a", Some(MINUTE)).unwrap();
    for (servers, draining) in [("['ws://b']", None), ("['ws://a', 'ws://b']", Some(false))] {
        core.reload(config(servers)).unwrap();
        let upstreams = core.upstreams();
        let mut found = upstreams[0].servers.iter();
        let found = found.find(|server| *server.server == *"ws://a");
        assert_eq!(found.map(|server| server.draining), draining);
    }
    core.drain_server("chat", "ws://a", None).unwrap();
    assert!(!core.drains.is_closing(&guard.entry().metadata));
}
