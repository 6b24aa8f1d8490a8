//! Every committed seed runs through its target, so that what was once found stays found.

use std::path::Path;

use rstest::rstest;

use super::*;

#[rstest]
#[case::request_head("request_head", request_head)]
#[case::response_head("response_head", response_head)]
#[case::frame_walker("frame_walker", frame_walker)]
#[case::direction("direction", direction)]
#[case::forwarding("forwarding", forwarding)]
#[case::origin("origin", origin)]
#[case::channel_name("channel_name", channel_name)]
#[cfg_attr(feature = "server", case::credential("credential", credential))]
#[cfg_attr(
    feature = "server",
    case::http2_request("http2_request", http2_request)
)]
#[cfg_attr(feature = "server", case::proxy_header("proxy_header", proxy_header))]
#[cfg_attr(
    feature = "server",
    case::publish_request("publish_request", publish_request)
)]
#[case::settings("settings", settings)]
fn every_seed_keeps_the_invariants(#[case] name: &str, #[case] target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzzing/seeds");
    let (mut seeds, mut broken) = (0, Vec::new());
    for entry in std::fs::read_dir(folder.join(name)).unwrap() {
        let path = entry.unwrap().path();
        let seed = std::fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| target(&seed)).is_err() {
            broken.push(path);
        }
        seeds += 1;
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(seeds >= 24, "{seeds} seeds of {name}");
}
