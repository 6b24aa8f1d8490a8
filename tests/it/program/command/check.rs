//! `wsgate check`: what it explains, and how it ends.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::super::kit::{finish, settings, soon};

const ROUTES: &str = "\
[[listen]]
address = \"127.0.0.1:0\"
[server]
health_path = \"/up\"
[upstream.chat]
servers = [\"ws://127.0.0.1:1\", \"ws://127.0.0.1:2/base\"]
[[route]]
name = \"other\"
host = \"other.test\"
path = \"/*\"
upstream = \"chat\"
[[route]]
name = \"chat\"
path = \"/ws/*\"
upstream = \"chat\"
rewrite = \"/socket/*\"
address.deny = [\"192.0.2.0/24\"]
origin.allow = [\"https://a.test\"]
limits.per_ip.handshakes = { rate = \"1/h\", burst = 1 }
[[route]]
name = \"tokens\"
path = \"/tokens\"
upstream = \"chat\"
[route.auth]
tickets = {}
[[route]]
name = \"asked\"
path = \"/asked\"
upstream = \"chat\"
[route.auth.forward]
url = \"http://127.0.0.1:1/check?c4nary\"
";

/// What `check --explain` says of a request with these further arguments.
async fn explained(url: &str, more: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    std::fs::write(&file, ROUTES).unwrap();
    let file = file.to_str().unwrap();
    let arguments = [&["check", file, "--explain", url], more].concat();
    let done = finish(&arguments).await;
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{done:?}");
    assert!(!done.stdout.contains("c4nary"), "{}", done.stdout);
    done.stdout.replace(file, "wsgate.toml")
}

#[tokio::test]
async fn a_request_is_explained_by_its_route_and_rule() {
    let accepted = "\
request  WebSocket of gate.test:8080/ws/room
         from 127.0.0.1, Origin https://a.test
routes   other  has another host (line 7)
         chat   takes it (line 12)
answer   that of the upstream chat
sent     as /socket/room to one of
         ws://127.0.0.1:1
         ws://127.0.0.1:2/base
";
    let url = "ws://gate.test:8080/ws/room?token=c4nary";
    let found = explained(url, &["--origin", "https://a.test"]).await;
    assert_eq!(found, accepted);
    for (url, more, expected) in [
        (
            "wss://gate.test/ws/",
            &["--origin", "https://b.test"][..],
            "answer   403 origin_denied: this origin is not allowed\n\
             header   origin\nrule     origin.allow, wsgate.toml:18\n",
        ),
        (
            "ws://gate.test/ws/",
            &["--origin", "null"],
            "header   origin\nrule     origin.null, the default\n",
        ),
        (
            "ws://gate.test/ws/",
            &["--from", "192.0.2.7"],
            "answer   403 address_denied: this address is not allowed\n\
             rule     address.deny, wsgate.toml:17\n",
        ),
        (
            "http://gate.test/ws/",
            &[],
            "answer   426 not_upgrade: this is a WebSocket endpoint\nrule     http, the default\n",
        ),
        (
            "ws://gate.test/wss",
            &[],
            "asked   has another path (line 26)\n\
             answer   404 no_route: nothing is served under this path\n",
        ),
        ("ws://gate.test/ws/../x", &[], "answer   400 bad_path: "),
        (
            "ws://gate.test/ws%2fx",
            &[],
            "takes it (line 12)\nanswer   400 encoded_slash: the path has an encoded slash (%2F), which \
             is not accepted here\nrule     encoded_slashes, the default\n",
        ),
        (
            "ws://gate.test/tokens",
            &[],
            "answer   401 credential_missing: this needs a login\nrule     auth, wsgate.toml:24\n",
        ),
        (
            "ws://gate.test/asked",
            &[],
            "asks     http://127.0.0.1:1/check first, which was not done here\n\
             answer   that of the upstream chat\n",
        ),
        (
            "http://any.test/up",
            &[],
            "answer   200, or 503 while draining: it is for server.health_path\n",
        ),
    ] {
        let found = explained(url, more).await;
        assert!(found.contains(expected), "{url} {more:?}: {found}");
    }
}

#[tokio::test]
async fn a_path_with_the_value_of_a_variable_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    // Cargo sets it.
    let variable = env!("CARGO_PKG_VERSION");
    let text = "[upstream.chat]\nservers = [\"ws://127.0.0.1:1\"]\n[[route]]\nname = \"chat\"\n\
                path = \"/*\"\nupstream = \"chat\"\nrewrite = \"/${CARGO_PKG_VERSION}/*\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let done = finish(&["check", file, "--explain", "ws://a/x"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("as *** to one of"), "{}", done.stdout);
    assert!(!done.stdout.contains(variable), "{}", done.stdout);
}

#[tokio::test]
async fn an_url_of_no_request_is_an_error_that_does_not_repeat_it() {
    for url in [
        "ws://user:c4nary@a.test/",
        "c4nary",
        "ftp://c4nary/",
        "ws:///c4nary",
        "ws://a/#c4nary",
    ] {
        let done = finish(&["check", "config/minimal.toml", "--explain", url]).await;
        assert_eq!(done.code, Some(1), "{done:?}");
        let said = done.stdout + &done.stderr;
        assert!(said.contains("URL") && !said.contains("c4nary"), "{said}");
    }
}

#[tokio::test]
async fn a_warning_is_an_error_with_strict_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    let path = file.to_str().unwrap();
    for (more, code) in [("", 0), ("[drain]\nspread = \"1m\"", 1)] {
        std::fs::write(&file, settings("ws://127.0.0.1:9001", more)).unwrap();
        assert_eq!(finish(&["check", path]).await.code, Some(0));
        let strict = finish(&["check", "--strict", path]).await;
        assert_eq!(strict.code, Some(code), "{strict:?}");
        assert_eq!(strict.stderr.contains("warning: "), code == 1);
    }
}

#[tokio::test]
async fn settings_are_read_from_standard_input() {
    for (text, code) in [
        (settings("ws://127.0.0.1:9001", ""), 0),
        ("[server]\nworkers = 1\nnonsense = 1\n".to_owned(), 1),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wsgate"))
            .args(["check", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).await.unwrap();
        drop(input);
        let done = soon("the program to end", child.wait_with_output()).await;
        let done = done.unwrap();
        assert_eq!(done.status.code(), Some(code), "{done:?}");
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(said.contains("standard input:3:1"), code == 1, "{said}");
    }
}

#[tokio::test]
async fn help_has_a_command_of_its_own() {
    let help = finish(&["help", "check"]).await;
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("--explain"), "{}", help.stdout);
}
