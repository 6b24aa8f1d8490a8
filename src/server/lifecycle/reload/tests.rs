use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use super::source::Source;
use crate::config::Config;

const INTERVAL: Duration = Duration::from_secs(2);

/// Settings with one route of this name.
fn text(route: &str) -> String {
    format!(
        "[upstream.u]\nservers = [\"ws://127.0.0.1:1\"]\n\
         [[route]]\nname = \"{route}\"\npath = \"/*\"\nupstream = \"u\"\n"
    )
}

fn route(config: &Config) -> &str {
    &config.routes[0].name
}

/// A folder with a file that was read once.
async fn read_once() -> (TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    fs::write(&file, text("one")).unwrap();
    let mut source = Source::new(&file, INTERVAL);
    assert_eq!(route(&source.load().await.unwrap()), "one");
    (folder, source)
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_is_not_read_again() {
    let (folder, mut source) = read_once().await;
    assert!(timeout(INTERVAL * 10, source.changed()).await.is_err());
    // Written anew, and the same.
    fs::write(folder.path().join("wsgate.toml"), text("one")).unwrap();
    assert!(timeout(INTERVAL * 10, source.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_taken_when_two_looks_found_the_same() {
    let (folder, mut source) = read_once().await;
    let file = folder.path().join("wsgate.toml");
    fs::write(&file, text("half")).unwrap();
    let start = Instant::now();
    let mut changed = Box::pin(source.changed());
    assert!(timeout(INTERVAL * 3 / 2, &mut changed).await.is_err());
    // What the first look found was half of what is being written.
    fs::write(&file, text("whole")).unwrap();
    assert_eq!(route(&changed.as_mut().await.unwrap()), "whole");
    assert_eq!(start.elapsed(), INTERVAL * 3);
    drop(changed);
    assert!(timeout(INTERVAL * 10, source.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_comes_back_as_it_was_has_not_changed() {
    let (folder, mut source) = read_once().await;
    let file = folder.path().join("wsgate.toml");
    fs::remove_file(&file).unwrap();
    let mut changed = Box::pin(source.changed());
    assert!(timeout(INTERVAL * 3 / 2, &mut changed).await.is_err());
    fs::write(&file, text("one")).unwrap();
    assert!(timeout(INTERVAL * 10, &mut changed).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_or_wrong_is_told_once() {
    let (folder, mut source) = read_once().await;
    let file = folder.path().join("wsgate.toml");
    fs::remove_file(&file).unwrap();
    let errors = source.changed().await.unwrap_err().render();
    assert!(errors.contains("cannot be read"), "{errors}");
    assert!(timeout(INTERVAL * 10, source.changed()).await.is_err());
    fs::write(&file, "nmae = 1").unwrap();
    assert!(source.changed().await.is_err());
    assert!(timeout(INTERVAL * 10, source.changed()).await.is_err());
    fs::write(&file, text("mended")).unwrap();
    assert_eq!(route(&source.changed().await.unwrap()), "mended");
}

#[tokio::test(start_paused = true)]
async fn what_was_loaded_meanwhile_is_not_taken_again() {
    let (folder, mut source) = read_once().await;
    fs::write(folder.path().join("wsgate.toml"), text("two")).unwrap();
    let looked = timeout(INTERVAL * 3 / 2, source.changed()).await;
    assert!(looked.is_err());
    assert_eq!(route(&source.load().await.unwrap()), "two");
    assert!(timeout(INTERVAL * 10, source.changed()).await.is_err());
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_that_leads_elsewhere_is_a_change() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for version in ["one", "two"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("wsgate.toml"), text(version)).unwrap();
    }
    // As Kubernetes mounts a ConfigMap.
    symlink("one", at("..data")).unwrap();
    symlink("..data/wsgate.toml", at("wsgate.toml")).unwrap();
    let mut source = Source::new(&at("wsgate.toml"), INTERVAL);
    assert_eq!(route(&source.load().await.unwrap()), "one");
    symlink("two", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert_eq!(route(&source.changed().await.unwrap()), "two");
}
