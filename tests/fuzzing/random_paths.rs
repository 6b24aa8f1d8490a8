//! Paths made at random of what servers read in two ways, on routes that refuse encoded slashes and on
//! routes that pass them: what is matched is what is sent, and nothing that is denied is.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::Ways;
use super::request_head::is_accepted;

fn path() -> impl Strategy<Value = String> {
    let begin = prop::sample::select(vec![
        "/ws/",
        "/ws/",
        "/silent/",
        "/rooms/",
        "/dotted/",
        "/doc/%2F/",
        "/doc/%2f/",
        "/ws%2f%61dmin%2f",
        "/",
    ]);
    let part = prop::sample::select(vec![
        "%2f", "%2F", "%2f", "/", "//", ".", "..", "%2e", "%2E%2e", ";", "%3b", "%5c", "\\",
        "%c0%af", "%252f", "%252F..", "a", "ws", "admin", "%61dmin", "admin/", "rooms", "doc",
        "%7E", "|", "%",
    ]);
    (begin, prop::collection::vec(part, 0..7))
        .prop_map(|(begin, parts)| begin.to_owned() + &parts.concat())
}

#[test]
fn a_path_is_sent_as_it_was_matched_or_refused() {
    let accepted = Cell::new(0);
    let with_slash = Cell::new(0);
    let hosts = prop::sample::select(vec!["a.test", "x.rooms.test"]);
    let result = TestRunner::default().run(&(path(), hosts), |(path, host)| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        if is_accepted(request.as_bytes(), Ways(0)) {
            accepted.set(accepted.get() + 1);
            let has_slash = path.to_lowercase().contains("%2f");
            with_slash.set(with_slash.get() + u32::from(has_slash));
        }
        Ok(())
    });
    result.unwrap();
    let (accepted, with_slash) = (accepted.get(), with_slash.get());
    assert!(accepted > 10 && with_slash > 3, "{accepted}, {with_slash}");
}
