//! `wsgate reload`.

use super::super::kit::finish;
use super::{ADMIN, Stage};

#[tokio::test]
async fn a_reload_tells_what_it_changed() {
    let stage = Stage::with(0).await;
    assert_eq!(stage.done("reload").await, "settings unchanged\n");
    let settings = Stage::settings(&stage.echo);
    let settings = settings.replace("name = \"feed\"", "name = \"news\"");
    let settings = settings.replace("[log]", "[server]\nworkers = 3\n[log]\nlevel = \"debug\"");
    stage.program.rewrite(&settings);
    let expected = "settings reloaded\n  \
         routes added          news\n  \
         routes removed        feed\n  \
         changed               log.level\n  \
         only after a restart  server.workers\n";
    assert_eq!(stage.done("reload").await, expected);
}

#[tokio::test]
async fn a_wrong_file_is_shown_as_check_shows_it() {
    let stage = Stage::with(0).await;
    let settings = Stage::settings(&stage.echo).replace("servers", "severs");
    stage.program.rewrite(&settings);
    let file = stage.program.file("wsgate.toml");
    let check = finish(&["check", file.to_str().unwrap()]).await;
    assert_eq!(check.code, Some(1));
    assert!(
        check.stderr.contains("did you mean `servers`?"),
        "{check:?}"
    );
    let rejected = stage.run("reload").await;
    assert_eq!((rejected.code, &*rejected.stdout), (Some(1), ""));
    assert_eq!(rejected.stderr, check.stderr);
    stage.program.rewrite(&Stage::settings(&stage.echo));
    assert_eq!(stage.done("reload").await, "settings unchanged\n");
}

#[tokio::test]
async fn a_listener_that_cannot_be_bound_is_reported_and_changes_nothing() {
    let stage = Stage::with(0).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let more = format!("[[listen]]\naddress = \"{address}\"\n{ADMIN}");
    stage
        .program
        .rewrite(&Stage::settings(&stage.echo).replace(ADMIN, &more));
    let rejected = stage.run("reload").await;
    assert_eq!(rejected.code, Some(1));
    let error = format!("error: cannot listen on {address}: ");
    assert!(rejected.stderr.starts_with(&error), "{}", rejected.stderr);
}
